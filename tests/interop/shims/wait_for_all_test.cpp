// all, any and race over Deferreds, greenlets and futures.
#include "plait/wait_for_all.h"

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>

#include "fiber_test.h"
#include "plait/defer_later.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

std::future<int> ready(int value) {
  std::promise<int> promise;
  promise.set_value(value);
  return promise.get_future();
}

Deferred<int> later(Duration wait, int value) {
  return deferLater(wait, [value] { return value; });
}

}  // namespace

FIBER_TEST("all takes Deferreds, greenlets and futures mixed [BRIDGE-41]") {
  const auto greenlet = spawn([] {
    yield();
    return std::string("g");
  });
  const Deferred<void> nothing = deferLater(1ms);

  const auto [a, b, c, d] = all(succeed(1), greenlet, ready(3), nothing);

  CHECK(a == 1);
  CHECK(b == "g");
  CHECK(c == 3);
  static_assert(std::is_same_v<decltype(d), const std::monostate>);
}

FIBER_TEST_ON("sim", "all hands on values that can only be moved [BRIDGE-41]") {
  auto [a, b] =
      all(succeed(std::make_unique<int>(1)), spawn([] { return std::make_unique<int>(2); }));

  CHECK(*a + *b == 3);
}

FIBER_TEST_ON("sim", "the first failure of all cancels the others and waits for them [BRIDGE-41]") {
  int cancels = 0;
  const Deferred<int> slow([&cancels](const Deferred<int>& self) {
    ++cancels;
    callLater(5s, [self] { self.errback(CancelledError("broken off")); });
    return CancelAnswer::later;
  });
  const auto victim = spawn([] { Event().wait(); });
  const TimePoint start = now();

  CHECK_THROWS_AS(all(slow, victim, spawn([]() -> int { throw std::range_error("no"); })),
                  std::range_error);

  CHECK(cancels == 1);
  CHECK(victim.isKilled());
  CHECK(now() - start >= 5s);
}

FIBER_TEST_ON("sim", "of several failures the first is thrown, and none reported [BRIDGE-41]") {
  const Deferred<int> first;
  const Deferred<int> second;
  callLater(1s, [&second] { second.errback(std::range_error("second")); });
  callLater(2s, [&first] { first.errback(std::logic_error("first")); });

  CHECK_THROWS_AS(all(first, second), std::range_error);
}

FIBER_TEST_ON("sim", "any returns the first value and cancels the others [BRIDGE-42]") {
  int cancels = 0;
  const Deferred<int> loser([&cancels](const Deferred<int>&) { ++cancels; });

  const auto first = any(fail<int>(std::range_error("no")), loser, later(1s, 7), later(2s, 8));

  CHECK(first.index() == 2);
  CHECK(std::get<2>(first) == 7);
  CHECK(cancels == 1);
}

FIBER_TEST_ON("sim", "any of failures has them all in order [BRIDGE-42]") {
  std::string seen;

  try {
    any(deferLater(1s, []() -> int { throw std::runtime_error("a"); }),
        fail<int>(std::runtime_error("b")));
  } catch (const FailureGroup& group) {
    for (const Failure& each : group.failures()) seen += each.message() + ";";
  }

  CHECK(seen == "std::runtime_error: a;std::runtime_error: b;");
}

FIBER_TEST_ON("sim", "race returns the first end, be it a failure [BRIDGE-43]") {
  int cancels = 0;
  const Deferred<int> loser([&cancels](const Deferred<int>&) { ++cancels; });
  const Deferred<int> other([&cancels](const Deferred<int>&) { ++cancels; });

  const auto first = race(loser, later(1s, 4));
  CHECK_THROWS_AS(
      race(other, deferLater(1s, []() -> int { throw std::range_error("no"); }), later(2s, 5)),
      std::range_error);

  CHECK(first.index() == 1);
  CHECK(std::get<1>(first) == 4);
  CHECK(cancels == 2);
}

FIBER_TEST_ON("sim", "the first of those that have fired wins [BRIDGE-43]") {
  const auto first = race(succeed(1), succeed(2));

  CHECK(first.index() == 0);
  CHECK(std::get<0>(first) == 1);
}

FIBER_TEST_ON("sim", "losers that still make a value are waited for and dropped [BRIDGE-43]") {
  const Deferred<int> slow([](const Deferred<int>& self) {
    callLater(3s, [self] { self.callback(9); });
    return CancelAnswer::later;
  });
  const TimePoint start = now();

  const auto first = race(slow, later(1s, 1));

  CHECK(first.index() == 1);
  CHECK(now() - start >= 4s);
}

FIBER_TEST_ON("sim", "a kill of the caller cancels all and waits for their ends [BRIDGE-44]") {
  int cancels = 0;
  const auto slow = [&cancels] {
    return Deferred<int>([&cancels](const Deferred<int>& self) {
      ++cancels;
      callLater(5s, [self] { self.errback(CancelledError("broken off")); });
      return CancelAnswer::later;
    });
  };
  const auto target = spawn([] { Event().wait(); });
  const Deferred<int> a = slow();
  const Deferred<int> b = slow();
  const Deferred<int> c = slow();
  const auto first = spawn([&] { all(a, target); });
  const auto second = spawn([&] { any(b, later(1h, 1)); });
  const auto third = spawn([&] { race(c, later(1h, 1)); });
  settle();
  const TimePoint start = now();

  killAll({first, second, third});

  CHECK(cancels == 3);
  CHECK(target.isKilled());
  CHECK(first.isKilled());
  CHECK(second.isKilled());
  CHECK(third.isKilled());
  CHECK(now() - start >= 5s);
}

FIBER_TEST_ON("sim", "a member that was taken is refused [BRIDGE-41]") {
  const Deferred<int> taken = succeed(1);
  CHECK(waitForDeferred(taken) == 1);

  CHECK_THROWS_AS(all(taken), AlreadyChainedError);
}
