// Callbacks that block, and places where a wait is refused.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/defer_later.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/no_switch_scope.h"
#include "plait/run.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "a timer that blocks stops no other timer [BRIDGE-20]") {
  std::string log;
  const Deferred<int> d;
  callLater(1s, [&] { log += "(" + std::to_string(waitForDeferred(d)) + ")"; });
  callLater(1s, [&log] { log += "b"; });
  callLater(2s, [&log] { log += "c"; });
  callLater(3s, [&d] { d.callback(7); });

  sleep(4s);

  CHECK(log == "bc(7)");
}

FIBER_TEST_ON("sim", "a wait in a callback that was called soon stops nobody [BRIDGE-20]") {
  std::string log;
  const Deferred<void> d;
  callSoon([&] {
    waitForDeferred(d);
    log += 'a';
  });
  callSoon([&log] { log += 'b'; });
  settle();

  d.callback();
  settle();

  CHECK(log == "ba");
}

FIBER_TEST_ON("sim", "in a NoSwitchScope only what has fired can be waited for [BRIDGE-20]") {
  const Deferred<int> d;
  {
    const NoSwitchScope scope;
    CHECK(waitForDeferred(succeed(1)) == 1);
    CHECK_THROWS_AS(waitForDeferred(d), std::logic_error);
  }

  callSoon([&d] { d.callback(2); });
  CHECK(waitForDeferred(d) == 2);
}

FIBER_TEST_ON("sim", "a Deferred's callback that blocks parks who fires [BRIDGE-21]") {
  const Deferred<int> d;
  const Deferred<int> inner;
  std::string log;
  d.addCallback([&](int value) {
    log += "in ";
    return value + waitForDeferred(inner);
  });
  d.addCallback([&log](int value) { log += std::to_string(value) + " "; });
  const auto firing = spawn([&] {
    d.callback(1);
    log += "fired ";
  });
  settle();
  CHECK(log == "in ");
  CHECK_FALSE(firing.isReady());

  inner.callback(2);
  firing.join();

  CHECK(log == "in 3 fired ");
}

FIBER_TEST_ON("sim", "others may add to a chain whose callback is parked [BRIDGE-21]") {
  const Deferred<int> d;
  Event gate;
  std::string log;
  d.addCallback([&](int value) {
    gate.wait();
    return value + 1;
  });
  const auto firing = spawn([&d] { d.callback(1); });
  settle();

  d.addCallback([&log](int value) {
    log += std::to_string(value);
    return value;
  });
  const auto waiter = spawn([&d] { return waitForDeferred(d); });
  settle();
  CHECK(log.empty());
  gate.set();

  CHECK(waiter.get() == 2);
  CHECK(log == "2");
  firing.join();
}

FIBER_TEST_ON("sim",
              "a kill in a blocking callback unwinds who fires, the chain goes on "
              "[DEFERRED-6] [BRIDGE-21]") {
  std::string seen;
  bool fired = false;
  const Deferred<int> watched;
  watched.addCallback([](int value) {
    sleep(1h);
    return value;
  });
  watched.addErrback<CancelledError>([&seen](const CancelledError&) {
    seen += "cancelled";
    return 0;
  });
  const auto firing = spawn([&] {
    watched.callback(1);
    fired = true;
  });
  settle();

  firing.kill();
  settle();

  CHECK(firing.isKilled());
  CHECK_FALSE(fired);
  CHECK(seen == "cancelled");
}

FIBER_TEST_ON("sim",
              "the waiter of a chain whose firing fiber was killed gets CancelledError, "
              "and lives [BRIDGE-14] [BRIDGE-21]") {
  const Deferred<int> d;
  d.addCallback([](int value) {
    sleep(1h);
    return value;
  });
  const auto firing = spawn([&d] { d.callback(1); });
  settle();
  const auto waiter = spawn([&d] { return waitForDeferred(d); });
  settle();

  firing.kill();
  waiter.join();

  CHECK_FALSE(waiter.isKilled());
  CHECK_THROWS_AS(waiter.get(), CancelledError);
}

FIBER_TEST_ON("sim",
              "a cancel while a callback is parked is for the Deferred that it returns "
              "[DEFERRED-6] [BRIDGE-21]") {
  const Deferred<int> d;
  Event gate;
  int cancels = 0;
  const Deferred<int> inner([&cancels](const Deferred<int>&) { ++cancels; });
  std::string seen;
  d.addCallback([&](int) {
    gate.wait();
    return inner;
  });
  d.addErrback<CancelledError>([&seen](const CancelledError&) {
    seen = "cancelled";
    return 0;
  });
  const auto firing = spawn([&d] { d.callback(1); });
  settle();

  d.cancel();
  CHECK(cancels == 0);
  gate.set();
  firing.join();

  CHECK(cancels == 1);
  CHECK(seen == "cancelled");
}

FIBER_TEST_ON("sim",
              "a kill of the waiter while a callback is parked is passed on "
              "[BRIDGE-10] [BRIDGE-21]") {
  const Deferred<int> d;
  Event gate;
  int cancels = 0;
  const Deferred<int> inner([&cancels](const Deferred<int>&) { ++cancels; });
  d.addCallback([&](int) {
    gate.wait();
    return inner;
  });
  const auto firing = spawn([&d] { d.callback(1); });
  settle();
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  settle();

  waiter.requestKill();
  settle();
  CHECK_FALSE(waiter.isReady());
  gate.set();
  waiter.join();

  CHECK(waiter.isKilled());
  CHECK(cancels == 1);
  firing.join();
}

FIBER_TEST_ON("sim", "a remembered cancel does not hit a later Deferred [DEFERRED-6] [BRIDGE-21]") {
  const Deferred<int> d;
  Event gate;
  int cancels = 0;
  const Deferred<int> inner([&cancels](const Deferred<int>&) { ++cancels; });
  int seen = 0;
  d.addCallback([&](int value) {
    gate.wait();
    return value;
  });
  d.addCallback([&inner](int) { return inner; });
  d.addCallback([&seen](int value) { return seen = value; });
  const auto firing = spawn([&d] { d.callback(1); });
  settle();

  d.cancel();
  gate.set();
  firing.join();
  inner.callback(5);

  CHECK(cancels == 0);
  CHECK(seen == 5);
}

TEST_CASE("off a loop nothing can be waited for [BRIDGE-22]") {
  const Deferred<int> d;

  CHECK_THROWS_AS(waitForDeferred(d), std::logic_error);

  int seen = 0;
  d.addCallback([&seen](int value) { seen = value; });
  d.callback(1);
  CHECK(seen == 1);
}

FIBER_TEST("another thread than the Deferred's cannot wait for it [BRIDGE-22]") {
  const Deferred<int> d;
  int refused = 0;
  std::thread([&] {
    try {
      waitForDeferred(d);
    } catch (const std::logic_error&) {
      ++refused;
    }
    run([&] {
      try {
        waitForDeferred(d);
      } catch (const std::logic_error&) {
        ++refused;
      }
    });
  }).join();

  CHECK(refused == 2);
  d.callback(1);
  CHECK(waitForDeferred(d) == 1);
}

FIBER_TEST_ON("sim", "a fiber that waits for its own end is refused at once [BRIDGE-23]") {
  std::optional<Greenlet<int>> self;
  std::string log;
  self = spawn([&] {
    try {
      waitForDeferred(waitForGreenlet(*self));
    } catch (const std::logic_error&) {
      log += "direct ";
    }
    const Deferred<int> own = waitForGreenlet(*self);
    const Deferred<int> through = succeed(0).addCallback([own](int) { return own; });
    try {
      waitForDeferred(through);
    } catch (const std::logic_error&) {
      log += "through ";
    }
    through.addErrback([](const Failure&) { return 0; });
    return 1;
  });

  CHECK(self->get() == 1);
  CHECK(log == "direct through ");
}
