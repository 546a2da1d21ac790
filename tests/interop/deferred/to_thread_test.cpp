// deferToThread and blockingCallFromThread, without fibers.
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "deferred_support.h"
#include "plait/defer_to_thread.h"
#include "plait/deferred.h"
#include "plait/loop_handle.h"
#include "plait/thread_pool.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// A job that holds a thread until it is let go.
class Gate final {
 public:
  void wait() {
    begun_ = true;
    begun_.notify_all();
    open_.wait(false);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  void waitUntilBegun() { begun_.wait(false); }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> open_{false};
};

}  // namespace

TEST_CASE("what a thread returns or throws comes back to the loop [BRIDGE-49]") {
  const ReportedErrors errors;
  LoopScope loop("uring");
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id there;
  std::thread::id back;
  std::string failure;
  bool done = false;

  deferToThread([&there] {
    there = std::this_thread::get_id();
    return std::make_unique<int>(4);
  }).addCallback([&](const std::unique_ptr<int>& value) {
    back = std::this_thread::get_id();
    CHECK(*value == 4);
  });
  deferToThread([]() -> int {
    throw std::runtime_error("no");
  }).addErrback([&failure](const Failure& error) {
    failure = error.message();
    return 0;
  });
  loop.runUntil([&] { return back == here && !failure.empty(); });
  deferToThread([] {}).addCallback([&done] { done = true; });
  loop.runUntil([&done] { return done; });

  CHECK(there != here);
  CHECK(failure == "std::runtime_error: no");
}

TEST_CASE("a call that was cancelled in the line is never made [BRIDGE-49]") {
  const ReportedErrors errors;
  LoopScope loop("uring");
  ThreadPoolOptions options;
  options.threadsMax = 1;
  ThreadPool pool(options);
  Gate gate;
  const Deferred<void> first = deferToThreadPool(pool, [&gate] { gate.wait(); });
  gate.waitUntilBegun();
  std::atomic<bool> called = false;
  const auto captured = std::make_shared<int>(0);
  const Deferred<void> second = deferToThreadPool(pool, [&called, captured] { called = true; });
  bool cancelled = false;
  second.addErrback<CancelledError>([&cancelled](const CancelledError&) { cancelled = true; });

  second.cancel();
  CHECK(cancelled);
  CHECK(captured.use_count() == 1);
  gate.open();
  loop.runUntil([&first] { return first.isCalled(); });
  pool.stop();

  CHECK_FALSE(called);
}

TEST_CASE("a call at work cannot be cancelled, and its result still comes [BRIDGE-49]") {
  const ReportedErrors errors;
  LoopScope loop("uring");
  Gate gate;
  int seen = 0;
  const Deferred<int> call = deferToThread([&gate] {
    gate.wait();
    return 6;
  });
  call.addCallback([&seen](int value) { return seen = value; });
  gate.waitUntilBegun();

  call.cancel();
  call.cancel();
  CHECK_FALSE(call.isCalled());
  gate.open();
  loop.runUntil([&call] { return call.isCalled(); });

  CHECK(seen == 6);
}

TEST_CASE("a pool that refuses is a failure [BRIDGE-49]") {
  const ReportedErrors errors;
  LoopScope loop("uring");
  ThreadPool pool;
  pool.stop();
  bool stopped = false;

  deferToThreadPool(pool, [] {}).addErrback<ReactorStopped>([&stopped](const ReactorStopped&) {
    stopped = true;
  });

  CHECK(stopped);
}

TEST_CASE("there is no deferToThread off a loop [BRIDGE-49]") {
  CHECK_THROWS_AS(deferToThread([] {}), std::logic_error);
}

TEST_CASE("a Deferred whose handle was dropped lets the call run to its end [BRIDGE-49]") {
  ReportedErrors errors;
  LoopScope loop("uring");
  std::vector<std::string> texts;

  deferToThread([]() -> int { throw std::runtime_error("nobody's"); });
  loop.runUntil([&] {
    texts = errors.take();
    return !texts.empty();
  });

  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("nobody's") != std::string::npos);
}

TEST_CASE("a loop may end while a call is at work [BRIDGE-35] [BRIDGE-49]") {
  const ReportedErrors errors;
  ThreadPool pool;
  Gate gate;
  const auto captured = std::make_shared<int>(0);
  std::optional<Deferred<int>> call;
  {
    LoopScope loop("uring");
    call = deferToThreadPool(pool, [&gate, captured] {
      gate.wait();
      return 1;
    });
    call->addErrback([](const Failure&) { return 0; });
    gate.waitUntilBegun();
  }

  gate.open();
  pool.stop();

  CHECK_FALSE(call->isCalled());
  CHECK(captured.use_count() == 1);
}

TEST_CASE("functions for one thread run in order until one throws [BRIDGE-49]") {
  std::string log;
  std::atomic<int> left = 0;
  struct AtEnd {
    std::atomic<int>* left;
    explicit AtEnd(std::atomic<int>& l) : left(&l) {}
    AtEnd(AtEnd&& other) noexcept : left(std::exchange(other.left, nullptr)) {}
    ~AtEnd() {
      if (left == nullptr) return;
      *left = 1;
      left->notify_all();
    }
  };
  std::vector<detail::UniqueFunction<void()>> functions;
  functions.emplace_back([&log] { log += "a"; });
  functions.emplace_back([&log, end = AtEnd(left)] { log += "b"; });

  callMultipleInThread(std::move(functions));
  left.wait(0);

  CHECK(log == "ab");
}

TEST_CASE("a thread gets what the loop makes of its call [BRIDGE-50]") {
  const ReportedErrors errors;
  LoopScope loop("uring");
  const std::thread::id here = std::this_thread::get_id();
  const Deferred<int> later;
  std::atomic<int> stage = 0;
  std::string log;
  std::thread thread([&, handle = LoopHandle()] {
    const bool onLoop =
        blockingCallFromThread(handle, [here] { return std::this_thread::get_id() == here; });
    log += onLoop ? "loop " : "elsewhere ";
    log += std::to_string(blockingCallFromThread(handle, [&] {
      stage = 1;
      return later;
    }));
    try {
      blockingCallFromThread(handle, [] { throw std::runtime_error("no"); });
    } catch (const std::runtime_error& error) {
      log += std::string(" ") + error.what();
    }
    stage = 2;
    handle.callFromThread([] {});
  });

  loop.runUntil([&stage] { return stage == 1; });
  later.callback(5);
  loop.runUntil([&stage] { return stage == 2; });
  thread.join();

  CHECK(log == "loop 5 no");
}

TEST_CASE("a blocking call on the loop's thread is refused [BRIDGE-22]") {
  LoopScope loop("uring");

  CHECK_THROWS_AS(blockingCallFromThread(LoopHandle(), [] { return 1; }), std::logic_error);
}

TEST_CASE("a blocking call to a loop that has ended fails at once [BRIDGE-36]") {
  std::optional<LoopHandle> handle;
  {
    LoopScope loop("uring");
    handle.emplace();
  }

  CHECK_THROWS_AS(blockingCallFromThread(*handle, [] { return 1; }), ReactorStopped);
}

TEST_CASE("the loop's end releases a thread whose call has not been made [BRIDGE-35]") {
  std::string seen;
  std::thread thread;
  {
    LoopScope loop("uring");
    thread = std::thread([&seen, handle = LoopHandle()] {
      try {
        blockingCallFromThread(handle, [] { return 1; });
      } catch (const ReactorStopped&) {
        seen = "stopped";
      }
    });
    // Whether it is posted before the loop's end or after, it is refused or dropped.
  }
  thread.join();

  CHECK(seen == "stopped");
}
