// Cancels by others, cancellers of all kinds, and waiters that leave at once.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// How a wait has ended: the value, or what was thrown. A kill goes on.
std::string outcomeOf(const Deferred<int>& d, OnWaitEnd onEnd = OnWaitEnd::cancelAndWait) {
  try {
    return std::to_string(waitForDeferred(d, onEnd));
  } catch (const CancelledError&) {
    return "cancelled";
  } catch (const std::exception& error) {
    return error.what();
  }
}

Deferred<int> slow(int& cancels) {
  return Deferred<int>([&cancels](const Deferred<int>&) {
    ++cancels;
    return CancelAnswer::later;
  });
}

}  // namespace

FIBER_TEST_ON("sim", "a cancel by somebody else is no kill [BRIDGE-14]") {
  const Deferred<int> d;
  bool wentOn = false;
  const auto waiter = spawn([&] {
    const std::string seen = outcomeOf(d);
    yield();
    wentOn = true;
    return seen;
  });
  settle();

  d.cancel();

  CHECK(waiter.get() == "cancelled");
  CHECK(wentOn);
  CHECK_FALSE(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a canceller that throws does not keep the waiter [BRIDGE-17]") {
  ExpectedErrors errors;
  const Deferred<int> d([](const Deferred<int>&) { throw std::runtime_error("bad canceller"); });
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  settle();

  waiter.kill();

  CHECK(waiter.isKilled());
  const std::vector<std::string> texts = errors.take();
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("bad canceller") != std::string::npos);
}

FIBER_TEST_ON("sim", "a canceller that makes a value lets the waiter have it [BRIDGE-17]") {
  const Deferred<int> d([](const Deferred<int>& self) { self.callback(8); });
  int value = 0;
  const auto waiter = spawn([&] {
    value = waitForDeferred(d);
    yield();
  });
  settle();

  waiter.kill();

  CHECK(value == 8);
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a killed waiter that may not be asked to wait leaves at once [BRIDGE-11]") {
  int cancels = 0;
  const Deferred<int> d = slow(cancels);
  const auto waiter = spawn([&d] { waitForDeferred(d, OnWaitEnd::cancel); });
  settle();

  waiter.kill();
  settle();

  CHECK(waiter.isKilled());
  CHECK(cancels == 1);
  CHECK_FALSE(d.isCalled());
  d.errback(CancelledError("late, and nobody's"));
}

FIBER_TEST_ON("sim", "what comes when the waiter has left is dropped or reported [BRIDGE-11]") {
  ExpectedErrors errors;
  struct Tracked {
    std::shared_ptr<int> life;
  };
  const auto life = std::make_shared<int>(0);
  {
    const Deferred<Tracked> value([](const auto&) { return CancelAnswer::later; });
    const Deferred<Tracked> failure([](const auto&) { return CancelAnswer::later; });
    const auto first = spawn([&] { waitForDeferred(value, OnWaitEnd::cancel); });
    const auto second = spawn([&] { waitForDeferred(failure, OnWaitEnd::cancel); });
    settle();
    killAll({first, second});

    value.callback(Tracked{life});
    CHECK(life.use_count() == 1);
    failure.errback(std::runtime_error("late"));
  }

  const std::vector<std::string> texts = errors.take();
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("std::runtime_error: late") != std::string::npos);
}

FIBER_TEST_ON("sim", "a detached Deferred runs on, and its handle is good [BRIDGE-12]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const auto waiter = spawn([&d] { waitForDeferred(d, OnWaitEnd::detach); });
  settle();

  waiter.kill();
  CHECK(waiter.isKilled());
  CHECK(cancels == 0);
  d.addCallback([](int value) { return value + 1; });
  const auto again = spawn([&d] { return waitForDeferred(d); });
  settle();
  d.callback(1);

  CHECK(again.get() == 2);
}
