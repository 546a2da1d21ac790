// std::future and Deferred, both ways.
#include <future>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "fiber_test.h"
#include "plait/deferred.h"
#include "plait/future.h"
#include "plait/greenlet.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("a future has the value or the exception of its Deferred [DEFERRED-93]") {
  const Deferred<int> value;
  const Deferred<void> nothing;
  const Deferred<std::unique_ptr<int>> failing;
  std::future<int> a = asFuture(value);
  std::future<void> b = asFuture(nothing);
  std::future<std::unique_ptr<int>> c = asFuture(failing);
  CHECK(a.wait_for(0s) == std::future_status::timeout);

  value.callback(4);
  nothing.callback();
  failing.errback(std::range_error("no"));

  CHECK(a.get() == 4);
  CHECK_NOTHROW(b.get());
  CHECK_THROWS_AS(c.get(), std::range_error);
}

FIBER_TEST("a future takes the result of its Deferred [DEFERRED-93]") {
  const Deferred<int> value = succeed(1);
  const Deferred<void> nothing = succeed();
  std::future<int> a = asFuture(value);
  std::future<void> b = asFuture(nothing);

  CHECK_THROWS_AS(value.addCallback([](int) {}), AlreadyChainedError);
  CHECK_THROWS_AS(asFuture(nothing), AlreadyChainedError);

  CHECK(a.get() == 1);
}

FIBER_TEST("a thread waits for a Deferred by its future [DEFERRED-93]") {
  const Deferred<int> d;
  const Deferred<void> received;
  int seen = 0;
  std::thread thread([&seen, &received, future = asFuture(d), loop = LoopHandle()]() mutable {
    seen = future.get();
    loop.callFromThread([&received] { received.callback(); });
  });

  d.callback(5);
  waitForDeferred(received);
  thread.join();

  CHECK(seen == 5);
}

FIBER_TEST("a cancelled or broken Deferred is its future's failure [DEFERRED-93]") {
  const Deferred<int> cancelled;
  std::future<int> a = asFuture(cancelled);
  std::future<int> b = asFuture(Deferred<int>());

  cancelled.cancel();
  settle();

  CHECK_THROWS_AS(a.get(), CancelledError);
  CHECK_THROWS_AS(b.get(), BrokenDeferredError);
}

FIBER_TEST("a Deferred fires when its future is done [DEFERRED-95]") {
  std::promise<int> value;
  std::promise<void> failing;
  std::optional<std::promise<int>> broken(std::in_place);
  const Deferred<int> a = fromFuture(value.get_future());
  const Deferred<void> b = fromFuture(failing.get_future());
  const Deferred<int> c = fromFuture(broken->get_future());

  std::thread([&] {
    value.set_value(3);
    failing.set_exception(std::make_exception_ptr(std::range_error("no")));
    broken.reset();
  }).join();

  CHECK(waitForDeferred(a) == 3);
  CHECK_THROWS_AS(waitForDeferred(b), std::range_error);
  CHECK_THROWS_AS(waitForDeferred(c), std::future_error);
}

FIBER_TEST("a future that is ready fires in a later turn all the same [DEFERRED-97]") {
  std::promise<int> promise;
  promise.set_value(3);

  const Deferred<int> d = fromFuture(promise.get_future());

  CHECK_FALSE(d.isCalled());
  CHECK(waitForDeferred(d) == 3);
}

FIBER_TEST("a cancel does not end a future that a thread waits for [DEFERRED-96]") {
  std::promise<int> promise;
  std::atomic<bool> asked = false;
  // std::async is lazy here, so that get() itself tells that a thread waits.
  const Deferred<int> d = fromFuture(std::async(std::launch::deferred, [&] {
    asked = true;
    asked.notify_all();
    return promise.get_future().get();
  }));
  asked.wait(false);

  d.cancel();
  CHECK_FALSE(d.isCalled());
  promise.set_value(6);

  CHECK(waitForDeferred(d) == 6);
}

FIBER_TEST("a killed waiter stays until its future is done [DEFERRED-96] [BRIDGE-10]") {
  std::promise<int> promise;
  std::atomic<bool> asked = false;
  int seen = 0;
  auto future = std::async(std::launch::deferred, [&] {
    asked = true;
    asked.notify_all();
    return promise.get_future().get();
  });
  const auto waiter = spawn([&] {
    seen = waitForDeferred(fromFuture(std::move(future)));
    yield();
  });
  yield();
  asked.wait(false);

  waiter.requestKill();
  settle();
  CHECK_FALSE(waiter.isReady());
  promise.set_value(2);
  waiter.join();

  CHECK(seen == 2);
  CHECK(waiter.isKilled());
}

FIBER_TEST("a future without a state is refused [DEFERRED-95]") {
  CHECK_THROWS_AS(fromFuture(std::future<int>()), std::future_error);
}

TEST_CASE("the bridges belong to the loop's thread [DEFERRED-98]") {
  std::promise<int> promise;
  promise.set_value(1);
  const Deferred<int> d;
  bool refused = false;

  CHECK_THROWS_AS(fromFuture(promise.get_future()), std::logic_error);
  std::thread([&] {
    try {
      asFuture(d);
    } catch (const std::logic_error&) {
      refused = true;
    }
  }).join();

  CHECK(refused);
}
