// waitForDeferred with a time limit of its own, and within others'.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/defer_later.h"
#include "plait/deferred.h"
#include "plait/greenlet.h"
#include "plait/timeout.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "a wait whose time is up cancels and throws TimeoutError [BRIDGE-15]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const TimePoint start = now();

  CHECK_THROWS_AS(waitForDeferred(d, 2s), TimeoutError);

  CHECK(cancels == 1);
  CHECK(now() - start >= 2s);
  CHECK(now() - start < 3s);
}

FIBER_TEST_ON("sim", "a late fire after a timeout is dropped once [BRIDGE-15]") {
  const Deferred<int> d;
  CHECK_THROWS_AS(waitForDeferred(d, 2s), TimeoutError);

  CHECK_NOTHROW(d.callback(1));
  CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);
}

FIBER_TEST_ON("sim", "a result in time leaves no timer behind [BRIDGE-15]") {
  const TimePoint start = now();

  CHECK(waitForDeferred(deferLater(1s, [] { return 3; }), 2s) == 3);
  sleep(5s);

  CHECK(now() - start < 7s);
}

FIBER_TEST_ON("sim", "no time at all still takes what is there [BRIDGE-15]") {
  CHECK(waitForDeferred(succeed(1), 0s) == 1);
  CHECK_THROWS_AS(waitForDeferred(deferLater(1s), 0s), TimeoutError);
}

FIBER_TEST_ON("sim", "fire and timeout in one turn have one outcome [BRIDGE-9]") {
  for (const bool firesFirst : {false, true}) {
    CAPTURE(firesFirst);
    const Deferred<int> d;
    if (firesFirst) callLater(1s, [&d] { d.callback(5); });
    const auto waiter = spawn([&d] { return waitForDeferred(d, 1s); });
    yield();
    if (!firesFirst) callLater(1s, [&d] { d.callback(5); });

    waiter.join();
    if (waiter.isSuccessful()) {
      CHECK(waiter.get() == 5);
    } else {
      CHECK_THROWS_AS(waiter.get(), TimeoutError);
    }
    settle();
    CHECK(d.isCalled());
  }
}

FIBER_TEST_ON("sim", "the timeout lets a slow cancel end before it is told [BRIDGE-15]") {
  const Deferred<int> d([](const Deferred<int>&) { return CancelAnswer::later; });
  callLater(5s, [&d] { d.errback(CancelledError("broken off")); });
  const TimePoint start = now();

  CHECK_THROWS_AS(waitForDeferred(d, 2s), TimeoutError);

  CHECK(now() - start >= 5s);
}

FIBER_TEST_ON("sim", "a value that the canceller makes wins over the timeout [BRIDGE-17]") {
  const Deferred<int> d([](const Deferred<int>& self) { self.callback(7); });

  CHECK(waitForDeferred(d, 1s) == 7);
}

FIBER_TEST_ON("sim", "another failure of the canceller wins over the timeout [BRIDGE-17]") {
  const Deferred<int> d([](const Deferred<int>& self) { self.errback(std::range_error("torn")); });

  CHECK_THROWS_AS(waitForDeferred(d, 1s), std::range_error);
}

FIBER_TEST_ON("sim", "a timed wait that detaches may be repeated [BRIDGE-12] [BRIDGE-15]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });

  CHECK_THROWS_AS(waitForDeferred(d, 1s, OnWaitEnd::detach), TimeoutError);
  CHECK_THROWS_AS(waitForDeferred(d, 1s, OnWaitEnd::detach), TimeoutError);
  callLater(1s, [&d] { d.callback(2); });

  CHECK(waitForDeferred(d, 2s, OnWaitEnd::detach) == 2);
  CHECK(cancels == 0);
}

FIBER_TEST_ON("sim", "a timed wait that cancels leaves at once [BRIDGE-11] [BRIDGE-15]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) {
    ++cancels;
    return CancelAnswer::later;
  });

  CHECK_THROWS_AS(waitForDeferred(d, 1s, OnWaitEnd::cancel), TimeoutError);
  settle();

  CHECK(cancels == 1);
  CHECK_FALSE(d.isCalled());
  d.callback(1);
}

FIBER_TEST_ON("sim", "an outer Timeout keeps its identity [BRIDGE-16]") {
  const Deferred<int> d;
  const Timeout outer(1s);
  bool isOuter = false;

  try {
    waitForDeferred(d, 2s);
  } catch (const TimeoutExpired& expired) {
    isOuter = outer.isCause(expired);
  }

  CHECK(isOuter);
  CHECK(d.isCalled());
}

FIBER_TEST_ON("sim", "of nested limits the inner's own is a TimeoutError [BRIDGE-16]") {
  const Deferred<int> d;
  bool isInner = false;

  CHECK_THROWS_AS(withTimeout(1s,
                              [&] {
                                try {
                                  waitForDeferred(d, 2s);
                                } catch (const TimeoutError&) {
                                  isInner = true;
                                  throw;
                                }
                              }),
                  TimeoutError);

  CHECK_FALSE(isInner);
}

FIBER_TEST_ON("sim", "outer and inner limit at the same moment: the outer says why [BRIDGE-16]") {
  const Deferred<int> d([](const Deferred<int>&) { return CancelAnswer::later; });
  callLater(5s, [&d] { d.errback(CancelledError("broken off")); });
  const Timeout outer(2s);
  bool isOuter = false;

  try {
    waitForDeferred(d, 2s);
  } catch (const TimeoutExpired& expired) {
    isOuter = outer.isCause(expired);
  } catch (const TimeoutError&) {
    isOuter = false;
  }

  CHECK(isOuter);
}

FIBER_TEST_ON("sim", "a Timeout and a kill in one wait: the kill is not lost [BRIDGE-9]") {
  for (const bool killsFirst : {false, true}) {
    CAPTURE(killsFirst);
    const Deferred<int> d([](const Deferred<int>&) { return CancelAnswer::later; });
    bool wentOn = false;
    const auto waiter = spawn([&] {
      const Timeout timeout(2s);
      try {
        waitForDeferred(d);
      } catch (const TimeoutExpired&) {
        // Whichever comes first: the kill is not lost on it.
      }
      yield();
      wentOn = true;
    });
    settle();

    sleep(killsFirst ? 1s : 3s);
    waiter.requestKill();
    sleep(5s);
    CHECK_FALSE(waiter.isReady());
    d.errback(CancelledError("broken off"));
    waiter.join();

    CHECK(waiter.isKilled());
    CHECK_FALSE(wentOn);
  }
}

FIBER_TEST_ON("sim", "the wait's own limit works inside a CancelShield [BRIDGE-15]") {
  const Deferred<int> d;
  const CancelShield shield;

  CHECK_THROWS_AS(waitForDeferred(d, 1s), TimeoutError);
}

FIBER_TEST_ON("sim", "a TimeoutError of the Deferred itself is passed on as it is [BRIDGE-15]") {
  const Deferred<int> d;
  d.addTimeout(1s);
  const TimePoint start = now();

  CHECK_THROWS_AS(waitForDeferred(d, 5s), TimeoutError);

  CHECK(now() - start < 2s);
}
