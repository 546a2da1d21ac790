#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON(
    "sim",
    "withTaskGroup returns when every task has ended, those spawned meanwhile too [GROUP-10]") {
  int ended = 0;
  const TimePoint start = now();

  const int result = withTaskGroup([&](TaskGroup& group) {
    for (int i = 1; i <= 3; ++i) {
      group.spawn([&group, &ended, i] {
        sleep(std::chrono::seconds(i));
        group.spawn([&ended] {
          sleep(5s);
          ++ended;
        });
        ++ended;
      });
    }
    return 7;
  });

  CHECK(result == 7);
  CHECK(ended == 6);
  CHECK(now() == start + 8s);
}

FIBER_TEST_ON(
    "sim", "a task spawned in the turn in which the group became empty is joined too [GROUP-10]") {
  bool completed = false;
  withTaskGroup([&](TaskGroup& group) {
    auto woken = std::make_shared<Event>();
    spawn([&group, &completed, woken] {
      woken->wait();
      group.spawn([&completed] {
        sleep(1s);
        completed = true;
      });
    });
    settle();
    // The other fiber becomes ready just before this task, the last one, ends.
    group.spawn([woken] { woken->set(); });
  });

  CHECK(completed);
}

FIBER_TEST_ON(
    "sim", "the first error of a task kills the others and is thrown when all ended [GROUP-11]") {
  std::string order;
  const TimePoint start = now();

  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([&] {
                        try {
                          sleep(1h);
                        } catch (...) {
                          sleep(1s);  // cleanup
                          order += 'k';
                          throw;
                        }
                      });
                      group.spawn([] {
                        sleep(1s);
                        throw std::runtime_error("first");
                      });
                    }),
                    "first");

  CHECK(order == "k");
  CHECK(now() == start + 2s);
}

FIBER_TEST_ON("sim", "an error of f kills the tasks and is thrown when all ended [GROUP-11]") {
  bool unwound = false;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([&] {
                        struct Look {
                          bool& unwound;
                          ~Look() {
                            sleep(1s);
                            unwound = true;
                          }
                        };
                        const Look look{unwound};
                        sleep(1h);
                      });
                      sleep(1s);
                      throw std::runtime_error("of f");
                    }),
                    "of f");
  CHECK(unwound);
}

FIBER_TEST_ON("sim", "of a task's error and a later one of f the first is thrown [GROUP-11]") {
  ExpectedErrors errors;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([] { throw std::runtime_error("first"); });
                      sleep(1s);
                      throw std::runtime_error("second");
                    }),
                    "first");
  settle();
  CHECK(errors.take(0).empty());
}

FIBER_TEST_ON("sim", "a task's error leaves the blocking call of the function [GROUP-11]") {
  const TimePoint start = now();
  bool unwound = false;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      const AtEnd end([&] { unwound = true; });
                      group.spawn([] {
                        sleep(1s);
                        throw std::runtime_error("first");
                      });
                      Event().wait();
                    }),
                    "first");
  CHECK(unwound);
  CHECK(now() == start + 1s);
}

FIBER_TEST_ON("sim",
              "a function that goes on after a task's error is not struck again [GROUP-11]") {
  int struck = 0;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([] { throw std::runtime_error("first"); });
                      for (int i = 0; i < 3; ++i) {
                        try {
                          sleep(1s);
                        } catch (const TaskGroupFailed&) {
                          ++struck;
                        }
                      }
                    }),
                    "first");
  CHECK(struck == 1);
}

FIBER_TEST_ON("sim", "an error in an outer group passes through the inner one [GROUP-11]") {
  std::string order;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& outer) {
                      outer.spawn([] {
                        sleep(1s);
                        throw std::runtime_error("of outer");
                      });
                      withTaskGroup([&](TaskGroup& inner) {
                        inner.spawn([&] {
                          const AtEnd end([&] { order += 'i'; });
                          sleep(1h);
                        });
                        Event().wait();
                      });
                      order += '!';
                    }),
                    "of outer");
  CHECK(order == "i");
}

FIBER_TEST_ON("sim", "an error in an inner group is the outer function's to catch [GROUP-11]") {
  const int result = withTaskGroup([&](TaskGroup& outer) {
    auto other = outer.spawn([] {
      sleep(2s);
      return 4;
    });
    try {
      withTaskGroup([&](TaskGroup& inner) {
        inner.spawn([] { throw std::runtime_error("of inner"); });
        Event().wait();
      });
    } catch (const std::runtime_error&) {
      return other.get();
    }
    return 0;
  });
  CHECK(result == 4);
}

FIBER_TEST_ON("sim", "a function may join its group and take the error itself [GROUP-11]") {
  bool wentOn = false;
  withTaskGroup([&](TaskGroup& group) {
    group.spawn([] { throw std::runtime_error("first"); });
    CHECK_THROWS_WITH(group.join(), "first");
    sleep(1s);
    wentOn = true;
  });
  CHECK(wentOn);

  withTaskGroup([](TaskGroup& group) {
    group.spawn([] {
      try {
        sleep(1h);
      } catch (...) {
        throw std::runtime_error("of the cleanup");
      }
    });
    settle();
    CHECK(group.end() != nullptr);
    sleep(1s);
  });
}

FIBER_TEST_ON("sim", "an error of the function that came first is thrown [GROUP-11]") {
  ExpectedErrors errors;
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([] {
                        try {
                          sleep(1h);
                        } catch (...) {
                          throw std::runtime_error("of the cleanup");
                        }
                      });
                      settle();
                      throw std::runtime_error("of f");
                    }),
                    "of f");
  CHECK(errors.take(1).size() == 1);
}

FIBER_TEST_ON("sim", "an error kills also what is spawned into the group after it [GROUP-11]") {
  const TimePoint start = now();
  CHECK_THROWS_WITH(withTaskGroup([&](TaskGroup& group) {
                      group.spawn([&] {
                        try {
                          sleep(1h);
                        } catch (...) {
                          group.spawn([] { sleep(2h); });
                          throw;
                        }
                      });
                      settle();
                      group.spawn([] { throw std::runtime_error("first"); });
                    }),
                    "first");
  CHECK(now() == start);
}

FIBER_TEST_ON(
    "sim", "killing a fiber in withTaskGroup ends its tasks before the kill goes on [GROUP-12]") {
  std::string order;
  for (const bool inJoin : {true, false}) {
    CAPTURE(inJoin);
    order.clear();
    auto killed = spawn([&] {
      try {
        withTaskGroup([&](TaskGroup& group) {
          group.spawn([&] {
            try {
              sleep(1h);
            } catch (...) {
              sleep(1s);
              order += 't';
              throw;
            }
          });
          if (!inJoin) sleep(1h);
        });
      } catch (...) {
        order += 'f';
        throw;
      }
    });
    settle();

    killed.kill();

    CHECK(order == "tf");
    CHECK(killed.isKilled());
  }
}

FIBER_TEST_ON("sim", "a Timeout around withTaskGroup ends its tasks first [GROUP-12]") {
  bool unwound = false;
  CHECK_THROWS_AS(withTimeout(1s,
                              [&] {
                                withTaskGroup([&](TaskGroup& group) {
                                  group.spawn([&] {
                                    try {
                                      sleep(1h);
                                    } catch (...) {
                                      unwound = true;
                                      throw;
                                    }
                                  });
                                });
                              }),
                  TimeoutError);
  CHECK(unwound);
}

FIBER_TEST(
    "a TaskGroup left without join() kills, joins and reports the error nobody took [GROUP-13]") {
  ExpectedErrors errors;
  bool unwound = false;
  {
    TaskGroup group;
    group.spawn([&] {
      try {
        sleep(1h);
      } catch (...) {
        unwound = true;
        throw;
      }
    });
    group.spawn([] { throw std::runtime_error("nobody took me"); });
    settle();
  }
  CHECK(unwound);
  settle();
  const auto reported = errors.take(1);
  REQUIRE(reported.size() == 1);
  CHECK(reported[0].find("nobody took me") != std::string::npos);
}

FIBER_TEST("a TaskGroup left by an exception waits for its tasks [GROUP-13]") {
  bool unwound = false;
  const auto leave = [&] {
    TaskGroup group;
    group.spawn([&] {
      try {
        sleep(1h);
      } catch (...) {
        yield();
        unwound = true;
        throw;
      }
    });
    settle();
    throw std::runtime_error("left");
  };

  CHECK_THROWS_WITH(leave(), "left");
  CHECK(unwound);
}

FIBER_TEST("an error that withTaskGroup throws is not reported as well [GROUP-11]") {
  ExpectedErrors errors;
  CHECK_THROWS_WITH(withTaskGroup([](TaskGroup& group) {
                      group.spawn([] { throw std::runtime_error("taken"); });
                    }),
                    "taken");
  settle();

  CHECK(errors.take(0).empty());
}
