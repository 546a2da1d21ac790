#include "plait/race.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet_exit.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim",
              "race gives the first result and ends the others before it returns [GROUP-14]") {
  bool loserEnded = false;
  const TimePoint start = now();

  const auto result = race(
      [&] {
        try {
          sleep(1h);
        } catch (...) {
          sleep(1s);
          loserEnded = true;
          throw;
        }
        return 1;
      },
      [] {
        sleep(1s);
        return std::string("second");
      });

  REQUIRE(result.index() == 1);
  CHECK(std::get<1>(result) == "second");
  CHECK(loserEnded);
  CHECK(now() == start + 2s);
}

FIBER_TEST_ON("sim", "race throws the error of the first that fails before any result [GROUP-14]") {
  CHECK_THROWS_WITH(race([] { sleep(2s); },
                         [] {
                           sleep(1s);
                           throw std::runtime_error("fastest");
                         }),
                    "fastest");
}

FIBER_TEST("what the losers of a race still produce is dropped, errors too [GROUP-14]") {
  auto item = std::make_shared<int>(1);

  const auto result = race([] { return 1; },
                           [&] {
                             const CancelShield shield;
                             yield();
                             return item;
                           },
                           [] {
                             try {
                               sleep(1h);
                             } catch (...) {
                               throw std::runtime_error("dropped");
                             }
                           });

  CHECK(result.index() == 0);
  CHECK(item.use_count() == 1);
}

FIBER_TEST("a race that is decided at once still ends in order of its arguments [GROUP-14]") {
  CHECK(race([] { return 1; }, [] { return 2; }).index() == 0);
}

FIBER_TEST("killing a fiber in race ends all its functions [GROUP-14]") {
  int ended = 0;
  const auto wait = [&] {
    struct Count {
      int& ended;
      ~Count() { ++ended; }
    };
    const Count count{ended};
    sleep(1h);
  };
  auto killed = spawn([&] { race(wait, wait); });
  settle();

  killed.kill();

  CHECK(ended == 2);
  CHECK(killed.isKilled());
}

FIBER_TEST("a function of a killed race may still finish with a value or an error [GROUP-14]") {
  int finished = 0;
  auto killed = spawn([&] {
    race(
        [&] {
          const CancelShield shield;
          settle();
          ++finished;
          return 1;
        },
        [&] {
          const CancelShield shield;
          settle();
          ++finished;
          throw std::runtime_error("late");
        });
  });
  yield();

  killed.kill();

  CHECK(finished == 2);
  CHECK(killed.isKilled());
}

FIBER_TEST_ON("sim",
              "a Timeout that ends a function of a race is that function's error [GROUP-14]") {
  const TimePoint start = now();
  const auto expire = [] {
    const Timeout timeout(1s);
    sleep(1h);
  };

  CHECK_THROWS_AS(race(expire, [] { sleep(2h); }), TimeoutError);

  CHECK(now() == start + 1s);
}

FIBER_TEST("a race whose only function ends by a kill throws GreenletKilled [GROUP-14]") {
  auto racer = spawn([] { race([] { throw GreenletExit(); }); });
  settle();

  CHECK(racer.isReady());
  if (!racer.isReady()) return racer.kill();
  CHECK_THROWS_AS(racer.get(), GreenletKilled);
}

FIBER_TEST_ON("sim", "all gives the results in the order of its arguments [GROUP-15]") {
  const TimePoint start = now();

  const auto [a, b, c] = all(
      [] {
        sleep(2s);
        return 1;
      },
      [] {
        sleep(1s);
        return std::string("b");
      },
      [] {});

  CHECK(a == 1);
  CHECK(b == "b");
  CHECK(c == std::monostate());
  CHECK(now() == start + 2s);
}

FIBER_TEST_ON("sim",
              "the first error in all kills the others and is thrown when they ended [GROUP-15]") {
  bool ended = false;
  const TimePoint start = now();
  CHECK_THROWS_WITH(all(
                        [&] {
                          try {
                            sleep(1h);
                          } catch (...) {
                            sleep(1s);
                            ended = true;
                            throw;
                          }
                        },
                        [] {
                          sleep(1s);
                          throw std::runtime_error("first");
                        }),
                    "first");
  CHECK(ended);
  CHECK(now() == start + 2s);
}

FIBER_TEST("killing a fiber in all ends its functions first [GROUP-15]") {
  int ended = 0;
  const auto wait = [&] {
    struct Count {
      int& ended;
      ~Count() { ++ended; }
    };
    const Count count{ended};
    sleep(1h);
  };
  auto killed = spawn([&] { all(wait, wait); });
  settle();

  killed.kill();

  CHECK(ended == 2);
}

FIBER_TEST("a function of all that ends by a kill leaves no result, and all says so [GROUP-15]") {
  auto caller = spawn([] {
    const auto [text] = all([]() -> std::string { throw GreenletExit(); });
    return text;
  });

  CHECK_THROWS_AS(caller.get(), GreenletKilled);
}
