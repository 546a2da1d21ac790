// Greenlets as Deferreds.
#include "plait/wait_for_greenlet.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/run.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// "4", or the failure with its type.
template <class T>
void note(const Deferred<T>& d, std::string& into) {
  d.addBoth([&into](Result<T> result) {
    if (!result.isValue()) {
      into += result.failure().message() + ";";
    } else if constexpr (std::is_void_v<T>) {
      into += "void;";
    } else {
      into += std::to_string(result.value()) + ";";
    }
  });
}

}  // namespace

FIBER_TEST_ON("sim", "a greenlet's end fires once, with value, void or exception [BRIDGE-26]") {
  std::string log;
  const auto value = spawn([] { return 4; });
  const auto nothing = spawn([] {});
  const auto failing = spawn([]() -> int { throw std::range_error("no"); });
  note(waitForGreenlet(value), log);
  note(waitForGreenlet(nothing), log);
  note(waitForGreenlet(failing), log);
  CHECK(log.empty());

  settle();

  CHECK(log == "4;void;std::range_error: no;");
}

FIBER_TEST_ON("sim", "of a greenlet that has ended it has fired already [BRIDGE-27]") {
  std::string log;
  const auto value = spawn([] { return 4; });
  const auto failing = spawn([]() -> int { throw std::range_error("no"); });
  const auto killed = spawn([] { return 1; });
  killed.kill();
  joinAll({value, failing});

  note(waitForGreenlet(value), log);
  note(waitForGreenlet(failing), log);
  const auto gone = waitForGreenlet(killed);
  CHECK(gone.isCalled());
  CHECK_THROWS_AS(waitForDeferred(gone), GreenletKilled);

  CHECK(log == "4;std::range_error: no;");
}

FIBER_TEST_ON("sim", "a killed greenlet is a failure, and no success with the kill [BRIDGE-28]") {
  const auto victim = spawn([] {
    Event().wait();
    return 1;
  });
  const Deferred<int> ended = waitForGreenlet(victim);
  bool isKilled = false;
  bool isCancelled = false;
  ended.addErrback([&](const Failure& failure) {
    isKilled = failure.check<GreenletKilled>() != nullptr;
    isCancelled = failure.check<CancelledError>() != nullptr;
    return 0;
  });
  settle();

  victim.kill();
  settle();

  CHECK(isKilled);
  CHECK(isCancelled);
}

FIBER_TEST_ON("sim", "cancel() kills, and fires when the greenlet has ended [BRIDGE-29]") {
  std::string log;
  const auto victim = spawn([&log] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      const CancelShield shield;
      sleep(1s);
      log += "cleaned;";
      throw;
    }
  });
  const Deferred<void> ended = waitForGreenlet(victim);
  ended.addErrback<GreenletKilled>([&log](const GreenletKilled&) { log += "killed;"; });
  settle();

  ended.cancel();
  settle();
  CHECK(log.empty());
  CHECK_FALSE(ended.isCalled());
  sleep(2s);

  CHECK(log == "cleaned;killed;");
}

FIBER_TEST_ON("sim", "a greenlet may make a value of its kill [BRIDGE-29]") {
  std::string log;
  const auto victim = spawn([] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
    }
    return 7;
  });
  const Deferred<int> ended = waitForGreenlet(victim);
  note(ended, log);
  settle();

  ended.cancel();
  settle();

  CHECK(log == "7;");
}

FIBER_TEST_ON("sim", "cancel() of one that has not begun keeps it from running [BRIDGE-29]") {
  bool ran = false;
  const auto ended = waitForGreenlet(spawn([&ran] { ran = true; }));

  ended.cancel();

  CHECK_THROWS_AS(waitForDeferred(ended), GreenletKilled);
  CHECK_FALSE(ran);
}

FIBER_TEST_ON("sim", "an error that the Deferred's owner takes is not reported [BRIDGE-30]") {
  bool handled = false;
  {
    waitForGreenlet(spawn([] {
      throw std::runtime_error("taken");
    })).addErrback([&handled](const Failure&) { handled = true; });
  }

  settle();

  CHECK(handled);
}

FIBER_TEST_ON("sim", "an error that nobody takes is reported once, not twice [BRIDGE-30]") {
  ExpectedErrors errors;
  {
    const auto greenlet = spawn([] { throw std::runtime_error("nobody's"); });
    waitForGreenlet(greenlet);
    greenlet.join();
  }

  settle();

  const std::vector<std::string> texts = errors.take();
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("nobody's") != std::string::npos);
}

FIBER_TEST_ON("sim", "a greenlet that returns a Deferred gives what comes of it [BRIDGE-31]") {
  const Deferred<int> inner;
  const auto ended = waitForGreenlet(spawn([&inner] { return inner; }));
  static_assert(std::is_same_v<decltype(ended), const Deferred<int>>);
  std::string log;
  note(ended, log);
  settle();
  CHECK(log.empty());

  inner.callback(5);

  CHECK(log == "5;");
}

FIBER_TEST_ON("sim", "a cancel after the greenlet's end goes to its Deferred [BRIDGE-31]") {
  int cancels = 0;
  const Deferred<int> inner([&cancels](const Deferred<int>&) { ++cancels; });
  const auto ended = waitForGreenlet(spawn([&inner] { return inner; }));
  ended.addErrback([](const Failure&) { return 0; });
  settle();

  ended.cancel();

  CHECK(cancels == 1);
}

FIBER_TEST_ON("sim", "dropping the Deferred lets the greenlet run on [BRIDGE-32]") {
  bool ran = false;
  waitForGreenlet(spawn([&ran] {
    sleep(1s);
    ran = true;
  }));

  sleep(2s);

  CHECK(ran);
}

FIBER_TEST_ON("sim", "every Deferred of one greenlet fires [BRIDGE-33]") {
  std::string log;
  const auto greenlet = spawn([] { return 3; });
  for (int i = 0; i < 3; ++i) note(waitForGreenlet(greenlet), log);

  settle();
  note(waitForGreenlet(greenlet), log);

  CHECK(log == "3;3;3;3;");
  CHECK(greenlet.get() == 3);
}

FIBER_TEST_ON("sim", "a result that can only be moved has one Deferred [BRIDGE-33]") {
  const auto greenlet = spawn([] { return std::make_unique<int>(6); });
  const auto ended = waitForGreenlet(greenlet);

  CHECK_THROWS_AS(waitForGreenlet(greenlet), AlreadyChainedError);

  CHECK(*waitForDeferred(ended) == 6);
}

FIBER_TEST_ON("sim", "killing the fiber that waits kills the greenlet [BRIDGE-10] [BRIDGE-29]") {
  const auto target = spawn([] { Event().wait(); });
  const auto waiter = spawn([&target] { waitForDeferred(waitForGreenlet(target)); });
  settle();

  waiter.kill();

  CHECK(waiter.isKilled());
  CHECK(target.isKilled());
}

TEST_CASE("a greenlet that its run's end leaves unrun fails its Deferred [BRIDGE-34]") {
  std::string log;
  std::optional<Deferred<int>> ended;
  run([&] {
    ended = waitForGreenlet(spawnLater(1h, [] { return 1; }));
    ended->addErrback([&log](const Failure& failure) {
      log = failure.check<CancelledError>() != nullptr ? "cancelled" : failure.message();
      return 0;
    });
  });

  CHECK_FALSE(log.empty());
}
