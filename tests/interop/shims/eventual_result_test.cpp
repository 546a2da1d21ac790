// EventualResult: threads that wait for a function on the loop.
#include "plait/eventual_result.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fiber_test.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/run.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// Runs f on a thread of its own, and this fiber's loop meanwhile.
template <class F>
void onThread(F f) {
  Event done;
  std::thread thread([&done, &f, loop = LoopHandle()] {
    f(loop);
    loop.callFromThread([&done] { done.set(); });
  });
  done.wait();
  thread.join();
}

}  // namespace

FIBER_TEST("a thread gets what a greenlet of the loop returns [BRIDGE-37]") {
  const std::thread::id here = std::this_thread::get_id();
  std::string log;

  onThread([&](const LoopHandle& loop) {
    const auto value = runInReactor(loop, [here] {
      yield();
      return std::this_thread::get_id() == here ? 5 : 0;
    });
    log += std::to_string(value.wait());
    runInReactor(loop, [] { yield(); }).wait();
    const auto failing = runInReactor(loop, []() -> int { throw std::range_error("no"); });
    try {
      failing.wait();
    } catch (const std::range_error& error) {
      log += error.what();
    }
  });

  CHECK(log == "5no");
}

FIBER_TEST("a function may return a Deferred [BRIDGE-37]") {
  const Deferred<std::unique_ptr<int>> d;
  int seen = 0;

  onThread([&](const LoopHandle& loop) {
    const auto result = runInReactor(loop, [&d] { return d; });
    loop.callFromThread([&d] { d.callback(std::make_unique<int>(3)); });
    seen = *result.wait();
  });

  CHECK(seen == 3);
}

FIBER_TEST("many threads wait again and again for one object [BRIDGE-37]") {
  Event gate;
  std::vector<const std::string*> seen(4);

  onThread([&](const LoopHandle& loop) {
    const auto result = runInReactor(loop, [&gate] {
      gate.wait();
      return std::string("one");
    });
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 3; ++i) {
      threads.emplace_back([&seen, i, result] { seen[i] = &result.wait(); });
    }
    loop.callFromThread([&gate] { gate.set(); });
    for (std::thread& each : threads) each.join();
    seen[3] = &result.wait();
    for (const std::string* each : seen) CHECK(each == seen[0]);
    CHECK(*seen[0] == "one");
  });
}

FIBER_TEST("a TimeoutError takes nothing [BRIDGE-37]") {
  Event gate;
  int seen = 0;

  onThread([&](const LoopHandle& loop) {
    const auto result = runInReactor(loop, [&gate] {
      gate.wait();
      return 4;
    });
    CHECK_THROWS_AS(result.wait(0s), TimeoutError);
    CHECK_FALSE(result.isReady());
    CHECK_FALSE(result.originalFailure().has_value());
    loop.callFromThread([&gate] { gate.set(); });
    seen = result.wait();
    CHECK(result.isReady());
  });

  CHECK(seen == 4);
}

FIBER_TEST("a failure that nobody read is reported, whoever goes first [BRIDGE-37]") {
  ExpectedErrors errors;
  Event gate;
  onThread([&](const LoopHandle& loop) {
    // The handle goes first.
    runInReactor(loop, [&gate] {
      gate.wait();
      throw std::runtime_error("late");
    });
    loop.callFromThread([&gate] { gate.set(); });
    runInReactor(loop, [] { settle(); }).wait();
  });
  const std::vector<std::string> late = errors.take();
  onThread([&](const LoopHandle& loop) {
    // The failure comes first.
    const auto result = runInReactor(loop, [] { throw std::runtime_error("early"); });
    runInReactor(loop, [] { settle(); }).wait();
    CHECK(result.isReady());
  });
  const std::vector<std::string> early = errors.take();

  REQUIRE(late.size() == 1);
  CHECK(late[0].find("runtime_error: late") != std::string::npos);
  REQUIRE(early.size() == 1);
  CHECK(early[0].find("runtime_error: early") != std::string::npos);
}

FIBER_TEST("a failure that was read, by any handle, is not reported [BRIDGE-37]") {
  onThread([&](const LoopHandle& loop) {
    const auto waited = runInReactor(loop, [] { throw std::runtime_error("read"); });
    const auto asked = runInReactor(loop, [] { throw std::range_error("asked"); });
    const auto copy = waited;
    CHECK_THROWS_AS(copy.wait(), std::runtime_error);
    while (!asked.isReady()) std::this_thread::yield();
    const std::optional<Failure> failure = asked.originalFailure();
    CHECK(failure.has_value());
    if (failure) CHECK(failure->check<std::range_error>() != nullptr);
  });
}

FIBER_TEST("a wait on a loop's thread is refused [BRIDGE-22]") {
  const auto result = runInReactor(LoopHandle(), [] { return 2; });
  CHECK_THROWS_AS(result.wait(), std::logic_error);

  settle();

  CHECK(result.wait() == 2);
}

TEST_CASE("submitting to a loop that has stopped fails at once [BRIDGE-36]") {
  std::optional<LoopHandle> loop;
  run([&loop] { loop.emplace(); });

  CHECK_THROWS_AS(runInReactor(*loop, [] { return 1; }), ReactorStopped);
}

namespace {

std::atomic<int> signalsHandled = 0;

}  // namespace

FIBER_TEST("a waiting thread runs signal handlers [BRIDGE-39]") {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) { ++signalsHandled; };
  REQUIRE(::sigaction(SIGUSR2, &action, &before) == 0);
  signalsHandled = 0;
  Event gate;
  Event done;
  std::atomic<int> id = 0;
  int seen = 0;
  std::thread thread([&, loop = LoopHandle()] {
    const auto result = runInReactor(loop, [&gate] {
      gate.wait();
      return 1;
    });
    id = threadId();
    id.notify_all();
    seen = result.wait();
    loop.callFromThread([&done] { done.set(); });
  });
  id.wait(0);
  waitUntilAsleep(id);

  ::pthread_kill(thread.native_handle(), SIGUSR2);
  while (signalsHandled == 0) std::this_thread::yield();
  gate.set();
  done.wait();
  thread.join();
  ::sigaction(SIGUSR2, &before, nullptr);

  CHECK(signalsHandled == 1);
  CHECK(seen == 1);
}

FIBER_TEST("a stashed result is taken once, by its type [BRIDGE-47]") {
  onThread([&](const LoopHandle& loop) {
    const auto number = runInReactor(loop, [] { return 6; }).stash();
    const auto other = runInReactor(loop, [] { return 7; }).stash();
    CHECK(number != other);

    CHECK_THROWS_AS(retrieveResult<std::string>(number), std::logic_error);
    CHECK(retrieveResult<int>(number).wait() == 6);
    CHECK(retrieveResult<int>(other).wait() == 7);
    CHECK_THROWS_AS(retrieveResult<int>(number), std::out_of_range);
  });
}

FIBER_TEST("a stashed failure is nobody's yet, and reported if dropped then [BRIDGE-47]") {
  ExpectedErrors errors;
  onThread([&](const LoopHandle& loop) {
    const auto number = runInReactor(loop, [] { throw std::runtime_error("stashed"); }).stash();
    runInReactor(loop, [] { settle(); }).wait();
    CHECK(errors.takeReports(0).empty());
    retrieveResult<void>(number);
  });

  CHECK(errors.take().size() == 1);
}
