// A fiber that is killed while it waits for a Deferred.
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

FIBER_TEST_ON("sim", "a kill of the waiter cancels what it waits for [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const auto waiter = spawn([&d] { return outcomeOf(d); });
  settle();

  waiter.kill();

  // geventreactor let it run on, and the killed fiber succeeded with the kill as its value.
  CHECK(cancels == 1);
  CHECK(waiter.isKilled());
  CHECK_THROWS_AS(waiter.get(), GreenletKilled);
  CHECK_THROWS_AS(d.callback(1), AlreadyCalledError);
}

FIBER_TEST_ON("sim", "a killed waiter stays until a slow cancel has ended [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d = slow(cancels);
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  settle();

  waiter.requestKill();
  settle();
  CHECK(cancels == 1);
  CHECK_FALSE(waiter.isReady());
  d.errback(CancelledError("broken off"));
  waiter.join();

  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim",
              "a value in spite of the cancel is returned, the kill strikes next [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d = slow(cancels);
  int value = 0;
  bool wentOn = false;
  const auto waiter = spawn([&] {
    value = waitForDeferred(d);
    yield();
    wentOn = true;
  });
  settle();

  waiter.requestKill();
  settle();
  d.callback(5);
  waiter.join();

  CHECK(value == 5);
  CHECK_FALSE(wentOn);
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "another failure in spite of the cancel is thrown first [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d = slow(cancels);
  std::string seen;
  const auto waiter = spawn([&] {
    seen = outcomeOf(d);
    yield();
  });
  settle();

  waiter.requestKill();
  settle();
  d.errback(std::runtime_error("torn"));
  waiter.join();

  CHECK(seen == "torn");
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a second kill while the cancel takes long asks again [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d = slow(cancels);
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  settle();

  waiter.requestKill();
  settle();
  waiter.requestKill();
  settle();
  CHECK_FALSE(waiter.isReady());
  CHECK(cancels >= 1);
  d.errback(CancelledError("at last"));
  waiter.join();

  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a kill with an error of its own comes out as that [BRIDGE-10]") {
  const Deferred<int> d;
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  settle();

  waiter.kill(std::make_exception_ptr(std::logic_error("mine")));

  CHECK_THROWS_AS(waiter.get(), std::logic_error);
  CHECK(d.isCalled());
}

FIBER_TEST_ON("sim", "fire and kill in one turn have one outcome [BRIDGE-9]") {
  for (const bool firesFirst : {false, true}) {
    CAPTURE(firesFirst);
    const Deferred<int> d;
    int value = 0;
    bool wentOn = false;
    const auto waiter = spawn([&] {
      value = waitForDeferred(d);
      yield();
      wentOn = true;
    });
    settle();

    if (firesFirst) d.callback(3);
    waiter.requestKill();
    if (!firesFirst) d.callback(3);
    waiter.join();

    CHECK(value == 3);
    CHECK_FALSE(wentOn);
    CHECK(waiter.isKilled());
  }
}

FIBER_TEST_ON("sim", "a failure and a kill in one turn: the failure is not lost [BRIDGE-9]") {
  const Deferred<int> d;
  std::string seen;
  const auto waiter = spawn([&] {
    seen = outcomeOf(d);
    yield();
  });
  settle();

  d.errback(std::runtime_error("torn"));
  waiter.requestKill();
  waiter.join();

  CHECK(seen == "torn");
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a fiber killed before it began touches no Deferred [BRIDGE-18]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const auto waiter = spawn([&d] { waitForDeferred(d); });

  waiter.kill();
  settle();

  CHECK(cancels == 0);
  CHECK_FALSE(d.isCalled());
  d.callback(1);
  CHECK(waitForDeferred(d) == 1);
}

FIBER_TEST_ON("sim", "inside a CancelShield a kill neither cancels nor wakes [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  int value = 0;
  const auto waiter = spawn([&] {
    {
      const CancelShield shield;
      value = waitForDeferred(d);
    }
    yield();
  });
  settle();

  waiter.requestKill();
  settle();
  CHECK(cancels == 0);
  d.callback(4);
  waiter.join();

  CHECK(value == 4);
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("sim", "a Deferred may use the frame of a killed waiter [BRIDGE-10]") {
  const auto waiter = spawn([] {
    std::string buffer = "frame";
    const Deferred<int> d([](const Deferred<int>&) { return CancelAnswer::later; });
    d.addBoth([&buffer](Result<int> result) {
      buffer += " used";
      return result;
    });
    callLater(2s, [d] { d.callback(1); });
    waitForDeferred(d);
    CHECK(buffer == "frame used");
    yield();
  });
  settle();

  waiter.kill();

  CHECK(waiter.isKilled());
}
