// Waiting for greenlets: join, get, joinAll.
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

Greenlet<int> valueAfter(Duration wait, int value) {
  return spawn([wait, value] {
    sleep(wait);
    return value;
  });
}

Greenlet<int> failAfter(Duration wait, const char* what) {
  return spawn([wait, what]() -> int {
    sleep(wait);
    throw std::runtime_error(what);
  });
}

template <class G>
const std::exception* thrownBy(const G& greenlet) {
  try {
    static_cast<void>(greenlet.get());
  } catch (const std::exception& e) {
    return &e;
  }
  return nullptr;
}

}  // namespace

FIBER_TEST("join on a fiber that has ended returns without switching [SPAWN-11]") {
  const auto ended = spawn([] {});
  ended.join();
  bool hasSwitched = false;
  const auto other = spawn([&hasSwitched] { hasSwitched = true; });

  ended.join();
  CHECK(ended.join(1h));

  CHECK_FALSE(hasSwitched);
  other.join();
}

FIBER_TEST_ON("sim", "join with a period returns when it runs out, or at the end [SPAWN-11]") {
  const TimePoint start = now();
  const auto slow = valueAfter(10ms, 1);

  CHECK_FALSE(slow.join(4ms));
  CHECK(now() - start == 4ms);
  CHECK(slow.join(1h));
  CHECK(now() - start == 10ms);
}

FIBER_TEST("join does not throw the target's error and leaves it to be reported [SPAWN-11]") {
  ExpectedErrors errors;
  {
    const auto failed = failAfter(0s, "for nobody");
    CHECK_NOTHROW(failed.join());
    CHECK_NOTHROW(failed.join(1h));
  }

  CHECK(errors.take(1).size() == 1);
}

FIBER_TEST("a fiber that waits for its own end is told so [SPAWN-11]") {
  CHECK_THROWS_AS(current().join(), std::logic_error);
  CHECK_THROWS_AS(current().join(1s), std::logic_error);
}

FIBER_TEST("get returns the value, or throws the same exception object every time [SPAWN-12]") {
  const auto good = spawn([] { return std::string("value"); });
  const auto bad = failAfter(0s, "the one");
  const auto killed = spawn([] { sleep(1h); });
  killed.kill();

  CHECK(good.get() == "value");
  CHECK(good.get() == "value");
  CHECK(&good.get() == &good.get());
  const std::exception* const first = thrownBy(bad);
  REQUIRE(first != nullptr);
  CHECK(first->what() == std::string("the one"));
  CHECK(thrownBy(bad) == first);
  const std::exception* const kill = thrownBy(killed);
  REQUIRE(kill != nullptr);
  CHECK(thrownBy(killed) == kill);
}

FIBER_TEST("get gives references and nothing as they are [SPAWN-12]") {
  int number = 7;

  const auto reference = spawn([&number]() -> int& { return number; });
  const auto nothing = spawn([] {});

  CHECK(&reference.get() == &number);
  CHECK_NOTHROW(nothing.get());
}

FIBER_TEST_ON("sim", "get throws TimeoutError when its period runs out [SPAWN-13]") {
  const auto slow = valueAfter(10ms, 5);

  CHECK_THROWS_AS(slow.get(4ms), TimeoutError);
  CHECK_FALSE(slow.isReady());
  CHECK(slow.get(1h) == 5);
}

FIBER_TEST_ON("sim", "a join that timed out is not woken later [SPAWN-14]") {
  Event end;
  const auto target = spawn([&end] { end.wait(); });
  const TimePoint start = now();

  CHECK_FALSE(target.join(1ms));
  CHECK(loopStatistics().timers == 0);
  callLater(1ms, [&end] { end.set(); });
  sleep(5ms);

  CHECK(now() - start == 6ms);
  CHECK(target.isReady());
}

FIBER_TEST_ON("sim", "a joiner that was killed is not woken later [SPAWN-14]") {
  Event end;
  const auto target = spawn([&end] { end.wait(); });
  const TimePoint start = now();
  Duration slept{};
  const auto joiner = spawn([&] {
    try {
      target.join(1h);
    } catch (const GreenletExit&) {
      sleep(5ms);
      slept = now() - start;
    }
  });
  sleep(1ms);

  joiner.requestKill();
  callLater(1ms, [&end] { end.set(); });
  joiner.join();

  CHECK(slept == 6ms);
  CHECK(loopStatistics().timers == 0);
}

FIBER_TEST_ON("sim", "joinAll gives all, in the order in which they ended [SPAWN-15]") {
  const std::vector<Greenlet<int>> all{valueAfter(3ms, 0), valueAfter(1ms, 1), valueAfter(2ms, 2)};

  const std::vector<AnyGreenlet> ended = joinAll(all);

  REQUIRE(ended.size() == 3);
  CHECK(ended[0] == all[1]);
  CHECK(ended[1] == all[2]);
  CHECK(ended[2] == all[0]);
}

FIBER_TEST_ON("sim", "joinAll gives those that had ended before first [SPAWN-15]") {
  const std::vector<Greenlet<int>> all{valueAfter(3ms, 0), valueAfter(2ms, 1), valueAfter(1ms, 2)};
  sleep(2500us);

  const std::vector<AnyGreenlet> ended = joinAll(all);

  REQUIRE(ended.size() == 3);
  CHECK(ended[0] == all[1]);
  CHECK(ended[1] == all[2]);
  CHECK(ended[2] == all[0]);
}

FIBER_TEST_ON("sim", "joinAll returns when so many have ended as asked for [SPAWN-15]") {
  const TimePoint start = now();
  const std::vector<Greenlet<int>> all{valueAfter(3ms, 0), valueAfter(1ms, 1), valueAfter(2ms, 2)};

  const std::vector<AnyGreenlet> two = joinAll(all, kForever, 2);

  CHECK(now() - start == 2ms);
  CHECK(two == std::vector<AnyGreenlet>{all[1], all[2]});
  CHECK(joinAll(all, kForever, 0).empty());
  CHECK(joinAll(all).size() == 3);
}

FIBER_TEST_ON("sim", "joinAll returns at the end of its period what has ended [SPAWN-15]") {
  const TimePoint start = now();
  const std::vector<Greenlet<int>> all{valueAfter(3ms, 0), valueAfter(1ms, 1), valueAfter(20ms, 2)};

  const std::vector<AnyGreenlet> ended = joinAll(all, 10ms);

  CHECK(now() - start == 10ms);
  CHECK(ended == std::vector<AnyGreenlet>{all[1], all[0]});
  CHECK(loopStatistics().timers == 1);
  joinAll(all);
}

FIBER_TEST("joinAll of nothing returns at once [SPAWN-15]") {
  CHECK(joinAll(std::vector<AnyGreenlet>()).empty());
}

FIBER_TEST_ON("sim", "a killed joinAll leaves nothing behind [SPAWN-14] [SPAWN-15]") {
  const std::vector<Greenlet<int>> all{valueAfter(3ms, 0), valueAfter(4ms, 1)};
  const auto joiner = spawn([&all] { joinAll(all, 1h); });
  sleep(1ms);

  joiner.kill();

  CHECK(joiner.isKilled());
  CHECK(loopStatistics().timers == 2);
  CHECK(joinAll(all).size() == 2);
}

FIBER_TEST_ON("sim", "iwait yields greenlets as they end, those that had before first [SPAWN-16]") {
  const auto order = [](const auto& greenlets) {
    std::string ended;
    for (const AnyGreenlet& greenlet : iwait(greenlets)) ended += greenlet.name() + " ";
    return ended;
  };
  std::vector<AnyGreenlet> all{valueAfter(3ms, 0), valueAfter(1ms, 1), valueAfter(2ms, 2)};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].setName(std::to_string(i));
  all[1].join();

  CHECK(order(all) == "1 2 0 ");
  CHECK(order(all) == "0 1 2 ");
}

FIBER_TEST_ON("sim", "joinAll asked to raise throws the error that came first in time [SPAWN-17]") {
  const TimePoint start = now();
  const std::vector<Greenlet<int>> all{failAfter(3ms, "late"), valueAfter(1ms, 1),
                                       failAfter(2ms, "early"), valueAfter(9ms, 3)};

  CHECK_THROWS_WITH(joinAllOrThrow(all), "early");

  CHECK(now() - start == 2ms);
  CHECK_FALSE(all[0].isReady());
  CHECK(all[3].get() == 3);
  CHECK_THROWS_WITH(all[0].get(), "late");
}

// A call that may switch gives way once the fiber has had its share: the others run in it then.
FIBER_TEST("a greenlet that ends while its joiner gives way is joined all the same [LOOP-3]") {
  Event set;
  set.set();
  for (const Duration timeout : {kForever, Duration(1h)}) {
    for (int calls = 0; calls < 300; ++calls) {
      auto greenlet = spawn([] {});
      for (int i = 0; i < calls && !greenlet.isReady(); ++i) set.wait();
      CHECK(greenlet.join(timeout));
    }
  }
}
