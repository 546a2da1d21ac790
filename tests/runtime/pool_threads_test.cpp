// How many threads a pool has, and when.

#include <algorithm>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "loop_registry.h"
#include "pool_support.h"

using namespace plait;
using namespace std::chrono_literals;
using detail::Loop;
using detail::makeUringKernel;

TEST_CASE("a pool reaches its limit and never exceeds it [THREAD-3]") {
  constexpr int kJobs = 200;
  constexpr int kThreads = 16;
  Loop loop(makeUringKernel(64));
  ThreadPool pool({.threadsMax = kThreads, .threadsAtOnce = 2});
  std::atomic<int> begun = 0;
  std::atomic<int> running = 0;
  std::atomic<int> runningMax = 0;
  int done = 0;
  std::vector<std::unique_ptr<FunctionJob>> jobs;
  for (int i = 0; i < kJobs; ++i) {
    // Each waits for the rest of its sixteen: they end only if sixteen run at once.
    jobs.push_back(std::make_unique<FunctionJob>([&] {
      const int now = ++running;
      int most = runningMax;
      while (most < now && !runningMax.compare_exchange_weak(most, now)) {
      }
      const int wanted = std::min(kJobs, (begun++ / kThreads + 1) * kThreads);
      waitUntil([&] { return begun >= wanted; });
      --running;
    }));
    jobs.back()->whenDone = [&] { ++done; };
  }

  for (auto& job : jobs) pool.submit(*job);
  stepUntil(loop, [&] { return done == kJobs; });

  CHECK(runningMax == kThreads);
  CHECK(pool.statistics().threads == kThreads);
  CHECK(pool.statistics().begun == kJobs);
}

TEST_CASE("when every thread is stuck, jobs that wait too long get more [THREAD-3]") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool({.threadsMax = 20, .threadsAtOnce = 1, .growAfter = 1ms});

  // Nobody submits anything after the last of these, and no loop turns.
  Meeting nine(9);
  for (int i = 0; i < 9; ++i) pool.callInThread([&] { nine.join(); });
  nine.wait();
  Meeting twenty(20);
  for (int i = 0; i < 20; ++i) pool.callInThread([&] { twenty.join(); });
  twenty.wait();

  CHECK(pool.statistics().threads == 20);
}

TEST_CASE("up to threadsAtOnce threads start without a wait, and then none before growAfter") {
  ThreadPool pool({.threadsMax = 8, .threadsAtOnce = 3, .growAfter = 1h});
  Meeting three(3);
  Gate gate;
  const auto stuck = [&] {
    three.join();
    gate.wait();
  };

  for (int i = 0; i < 3; ++i) pool.callInThread(stuck);
  three.wait();
  for (int i = 0; i < 5; ++i) pool.callInThread([] {});
  waitUntil([&] { return pool.statistics().threadsIdle == 1; });

  CHECK(pool.statistics().begun == 3);
  CHECK(pool.statistics().threads == 4);
  gate.open();
  pool.stop();
  CHECK(pool.statistics().begun == 8);
}

TEST_CASE("threads without a job leave, and come back for the next [THREAD-3]") {
  const int before = detail::registry::threads();
  ThreadPool pool({.threadsMax = 6, .threadsAtOnce = 2, .idleAfter = 2ms});

  for (int round = 0; round < 3; ++round) {
    Meeting six(6);
    for (int i = 0; i < 6; ++i) pool.callInThread([&] { six.join(); });
    six.wait();
    waitUntil([&] { return pool.statistics().threads == 0; });

    CHECK(detail::registry::threads() == before);
    CHECK(pool.statistics().threadsIdle == 0);
  }
}

TEST_CASE("a thread that was started but never needed leaves too [THREAD-3]") {
  ThreadPool pool({.threadsMax = 4, .threadsAtOnce = 1, .growAfter = 5ms, .idleAfter = 2ms});
  Gate gate;

  pool.callInThread([&] { gate.wait(); });
  pool.callInThread([] {});
  gate.open();
  waitUntil([&] { return pool.statistics().threads == 0; });

  CHECK(pool.statistics().begun == 2);
}

TEST_CASE("thread-locals of jobs are destroyed before stop() returns") {
  static std::atomic<int> begun = 0;
  static std::atomic<int> destroyed = 0;
  struct Slow {
    ~Slow() {
      const bool isFirst = begun++ == 0;
      for (int i = 0; isFirst && i < 5000; ++i) std::this_thread::yield();
      ++destroyed;
    }
    bool isUsed = false;
  };
  ThreadPool pool({.threadsAtOnce = 4});
  Meeting four(4);

  for (int i = 0; i < 4; ++i) {
    pool.callInThread([&] {
      static thread_local Slow slow;
      slow.isUsed = true;
      four.join();
    });
  }
  pool.stop();

  CHECK(destroyed == 4);
}

TEST_CASE("a thread of the pool counts as plait's own") {
  const int before = detail::registry::threads();
  ThreadPool pool({.threadsAtOnce = 3});
  Meeting three(3);

  for (int i = 0; i < 3; ++i) pool.callInThread([&] { three.join(); });
  three.wait();
  CHECK(detail::registry::threads() == before + 3);
  pool.stop();

  CHECK(detail::registry::threads() == before);
}

TEST_CASE("the limit of threads can be changed while the pool works [THREAD-3]") {
  ThreadPool pool({.threadsMax = 4, .threadsAtOnce = 4, .idleAfter = 1h});
  Meeting four(4);
  for (int i = 0; i < 4; ++i) pool.callInThread([&] { four.join(); });
  four.wait();

  SUBCASE("surplus threads that are idle leave at once") {
    waitUntil([&] { return pool.statistics().threadsIdle == 4; });
    pool.setThreadsMax(1);
    waitUntil([&] { return pool.statistics().threads == 1; });
  }

  SUBCASE("surplus threads that are busy leave when their job is over") {
    Gate gate;
    std::atomic<int> arrived = 0;
    std::atomic<int> left = 0;
    const auto stuck = [&] {
      ++arrived;
      gate.wait();
      ++left;
    };
    for (int i = 0; i < 30; ++i) pool.callInThread(stuck);
    waitUntil([&] { return arrived == 4; });
    pool.setThreadsMax(2);
    gate.open();
    waitUntil([&] { return pool.statistics().threads == 2; });
    waitUntil([&] { return left == 30; });
  }

  SUBCASE("a raise reaches jobs that wait already") {
    pool.setThreadsMax(1);
    waitUntil([&] { return pool.statistics().threads == 1; });
    Meeting eight(8);
    for (int i = 0; i < 8; ++i) pool.callInThread([&] { eight.join(); });
    waitUntil([&] { return eight.arrived == 1; });
    CHECK(pool.statistics().threads == 1);
    pool.setThreadsMax(8);
    eight.wait();
    CHECK(pool.statistics().threads == 8);
  }
}
