// waitForDeferred: what it returns, throws and takes.
#include "plait/wait_for_deferred.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/defer_later.h"
#include "plait/deferred.h"
#include "plait/greenlet.h"
#include "plait/maybe_deferred.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

struct OddError final : std::runtime_error {
  OddError(const std::string& text, int c) : std::runtime_error(text), code(c) {}
  int code;
};

// A nest of `depth` Deferreds, each returned by a callback of the next; fires when `innermost`
// does.
Deferred<int> nest(int depth, const Deferred<int>& innermost) {
  Deferred<int> outermost = innermost;
  for (int i = 0; i < depth; ++i) {
    outermost = succeed(0).addCallback([inner = std::move(outermost)](int) { return inner; });
  }
  return outermost;
}

}  // namespace

FIBER_TEST_ON("sim", "what has fired is returned without a switch [BRIDGE-1]") {
  bool switched = false;
  callSoon([&switched] { switched = true; });

  const int value = waitForDeferred(succeed(4));
  waitForDeferred(succeed());
  const auto moved = waitForDeferred(succeed(std::make_unique<int>(5)));
  CHECK_THROWS_AS(waitForDeferred(fail<int>(OddError("no", 1))), OddError);

  CHECK(value == 4);
  CHECK(*moved == 5);
  CHECK_FALSE(switched);
  settle();  // the callback writes into this frame
}

FIBER_TEST_ON("sim", "an unfired one parks this fiber alone until it is fired [BRIDGE-2]") {
  const Deferred<int> d;
  std::string log;
  const auto waiter = spawn([&] { log += std::to_string(waitForDeferred(d)); });
  const auto other = spawn([&] {
    for (int i = 0; i < 3; ++i) {
      log += 'o';
      yield();
    }
  });
  other.join();
  CHECK_FALSE(waiter.isReady());

  d.callback(7);
  log += '!';
  waiter.join();

  CHECK(log == "ooo!7");
}

FIBER_TEST_ON("sim", "the callbacks from before the wait have made the result [BRIDGE-2]") {
  const Deferred<int> d;
  const auto text = d.addCallback([](int value) { return value + 1; }).addCallback([](int value) {
    return std::to_string(value);
  });
  callSoon([&d] { d.callback(1); });

  CHECK(waitForDeferred(text) == "2");
}

FIBER_TEST_ON("sim", "an errback from before the wait may make a value [BRIDGE-2]") {
  const Deferred<int> d;
  d.addErrback([](const Failure&) { return 8; });
  callSoon([&d] { d.errback(std::runtime_error("no")); });

  CHECK(waitForDeferred(d) == 8);
}

FIBER_TEST_ON("sim", "a nest of three keeps the fiber until the innermost fires [BRIDGE-3]") {
  const Deferred<int> innermost;
  const auto waiter = spawn([&innermost] { return waitForDeferred(nest(3, innermost)); });
  const auto asynchronous = spawn([] {
    const auto step = [](int value) { return deferLater(1s, [value] { return value + 1; }); };
    return waitForDeferred(step(0).addCallback(step).addCallback(step));
  });
  settle();
  CHECK_FALSE(waiter.isReady());

  innermost.callback(3);

  CHECK(waiter.get() == 3);
  CHECK(asynchronous.get() == 3);
}

FIBER_TEST_ON("sim", "a nest of a hundred thousand costs no stack [BRIDGE-3]") {
  constexpr int kDepth = 100'000;
  const Deferred<int> innermost;
  const Deferred<int> killed;
  const auto waiter = spawn([&] { return waitForDeferred(nest(kDepth, innermost)); });
  const auto victim = spawn([&] { return waitForDeferred(nest(kDepth, killed)); });
  settle();

  innermost.callback(9);
  victim.kill();

  CHECK(waiter.get() == 9);
  CHECK(killed.isCalled());
  CHECK(waitForDeferred(nest(kDepth, succeed(2))) == 2);
}

FIBER_TEST_ON("sim", "a failure is thrown as the very object, wherever it goes [BRIDGE-4]") {
  const auto error = std::make_exception_ptr(OddError("odd", 42));
  const Deferred<int> later;
  callSoon([&] { later.errback(error); });
  const OddError* first = nullptr;
  const OddError* second = nullptr;

  try {
    waitForDeferred(later);
  } catch (const OddError& thrown) {
    first = &thrown;
    CHECK(thrown.code == 42);
  }
  try {
    waitForDeferred(fail<int>(error));
  } catch (const OddError& thrown) {
    second = &thrown;
  }

  CHECK(first != nullptr);
  CHECK(first == second);
}

FIBER_TEST_ON("sim", "exceptions that are no std::exception come through [BRIDGE-4]") {
  const Deferred<void> later;
  callSoon([&later] { later.errback(std::make_exception_ptr(5)); });

  CHECK_THROWS_AS(waitForDeferred(later), int);
}

FIBER_TEST_ON("sim", "the result is the waiter's, whoever comes second is told [BRIDGE-5]") {
  const Deferred<int> fired = succeed(1);
  const Deferred<int> parked;
  const auto first = spawn([&parked] { return waitForDeferred(parked); });
  yield();

  CHECK(waitForDeferred(fired) == 1);
  CHECK_THROWS_AS(waitForDeferred(fired), AlreadyChainedError);
  CHECK_THROWS_AS(fired.addCallback([](int) {}), AlreadyChainedError);
  // The second fiber got nothing in geventreactor, and nobody knew.
  const auto second = spawn([&parked] { return waitForDeferred(parked); });
  second.join();
  CHECK_THROWS_AS(second.get(), AlreadyChainedError);
  CHECK_THROWS_AS(parked.addBoth([](Result<int>) {}), AlreadyChainedError);

  parked.callback(2);
  CHECK(first.get() == 2);
}

FIBER_TEST_ON("sim", "an error that was waited for is not reported [BRIDGE-5]") {
  Deferred<int> d;
  callSoon([d] { d.errback(std::runtime_error("taken")); });

  CHECK_THROWS_AS(waitForDeferred(std::move(d)), std::runtime_error);
  CHECK_THROWS_AS(waitForDeferred(fail<int>(std::runtime_error("taken"))), std::runtime_error);
}

FIBER_TEST_ON("sim", "a fire from the waiter's own stack is not missed [BRIDGE-8]") {
  const Deferred<int> inner;
  const Deferred<int> outer;
  outer.addCallback([&inner](int) { return inner; });
  const auto fireBoth = [&] {
    outer.callback(0);
    inner.callback(6);
    return outer;
  };

  CHECK(waitForDeferred(fireBoth()) == 6);
}

FIBER_TEST_ON("sim", "a fire between the wake and the return changes nothing [BRIDGE-8]") {
  const Deferred<int> d;
  const auto waiter = spawn([&d] { return waitForDeferred(d); });
  yield();

  d.callback(1);
  d.cancel();
  CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);

  CHECK(waiter.get() == 1);
}

FIBER_TEST_ON("sim", "a paused Deferred holds the waiter until unpause() [BRIDGE-2]") {
  const Deferred<int> d;
  d.pause();
  const auto waiter = spawn([&d] { return waitForDeferred(d); });
  yield();

  d.callback(1);
  settle();
  CHECK_FALSE(waiter.isReady());
  d.unpause();

  CHECK(waiter.get() == 1);
}

FIBER_TEST_ON("sim", "the last handle that goes wakes the waiter [BRIDGE-19]") {
  std::optional<Deferred<int>> producer(std::in_place);
  const auto waiter = spawn([d = *producer]() mutable { return waitForDeferred(std::move(d)); });
  settle();
  CHECK_FALSE(waiter.isReady());

  producer.reset();
  CHECK_FALSE(waiter.isReady());
  waiter.join();

  CHECK_THROWS_AS(waiter.get(), BrokenDeferredError);
}

FIBER_TEST_ON("sim", "a waiter whose own handle was the last is woken [BRIDGE-19]") {
  CHECK_THROWS_AS(waitForDeferred(Deferred<int>()), BrokenDeferredError);
  CHECK_THROWS_AS(waitForDeferred(Deferred<int>(), 1s), BrokenDeferredError);
}

FIBER_TEST_ON("sim", "a nest without a producer wakes its waiter [BRIDGE-19]") {
  std::optional<Deferred<int>> innermost(std::in_place);
  const auto waiter =
      spawn([outer = nest(3, *innermost)]() mutable { return waitForDeferred(std::move(outer)); });
  settle();
  CHECK_FALSE(waiter.isReady());

  innermost.reset();
  waiter.join();

  CHECK_THROWS_AS(waiter.get(), BrokenDeferredError);
}

FIBER_TEST_ON("sim", "a callback may drop the last handle of what is waited for [BRIDGE-19]") {
  auto handle = std::make_shared<std::optional<Deferred<int>>>(std::in_place);
  (*handle)->addCallback([handle](int value) {
    handle->reset();
    return value + 1;
  });
  const auto waiter = spawn([d = **handle]() mutable { return waitForDeferred(std::move(d)); });
  settle();

  (*handle)->callback(1);

  CHECK(waiter.get() == 2);
}
