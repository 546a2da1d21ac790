#include "plait/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "plait/error.h"
#include "plait/report.h"
#include "pool_support.h"

using namespace plait;
using detail::Loop;
using detail::makeUringKernel;

TEST_CASE("a job runs on a thread of the pool and its end is a Task of the loop [THREAD-1]") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool;
  std::thread::id worker;
  std::thread::id finisher;
  FunctionJob job([&] { worker = std::this_thread::get_id(); });
  job.whenDone = [&] {
    finisher = std::this_thread::get_id();
    loop.stop();
  };

  pool.submit(job);
  while (loop.step()) {
  }

  CHECK(worker != std::thread::id());
  CHECK(worker != std::this_thread::get_id());
  CHECK(finisher == std::this_thread::get_id());
}

TEST_CASE("a job that has not begun can be withdrawn and never runs [THREAD-2]") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool({.threadsMax = 1});
  Gate gate;
  bool hasRun = false;
  FunctionJob blocker([&] { gate.wait(); });
  FunctionJob before([] {});
  FunctionJob withdrawn([&] { hasRun = true; });
  FunctionJob behind([] {});
  for (FunctionJob* job : {&blocker, &before, &withdrawn, &behind}) pool.submit(*job);
  waitUntil([&] { return pool.statistics().begun == 1; });

  CHECK(pool.tryWithdraw(withdrawn));
  CHECK_FALSE(pool.tryWithdraw(withdrawn));
  CHECK(pool.statistics().queued == 2);
  gate.open();
  stepUntil(loop, [&] { return blocker.isDone && before.isDone && behind.isDone; });
  pool.stop();

  CHECK_FALSE(hasRun);
  CHECK_FALSE(withdrawn.isDone);
  CHECK(pool.statistics().withdrawn == 1);
}

TEST_CASE("a job withdrawn from either end of the queue leaves the others in order") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool({.threadsMax = 1});
  Gate gate;
  std::string order;
  FunctionJob blocker([&] { gate.wait(); });
  FunctionJob a([&] { order += 'a'; });
  FunctionJob b([&] { order += 'b'; });
  FunctionJob c([&] { order += 'c'; });
  FunctionJob d([&] { order += 'd'; });
  for (FunctionJob* job : {&blocker, &a, &b, &c, &d}) pool.submit(*job);
  waitUntil([&] { return pool.statistics().begun == 1; });

  CHECK(pool.tryWithdraw(a));
  CHECK(pool.tryWithdraw(d));
  pool.submit(a);
  gate.open();
  stepUntil(loop, [&] { return blocker.isDone && a.isDone && b.isDone && c.isDone; });

  CHECK(order == "bca");
}

TEST_CASE("a job that has begun cannot be withdrawn and its end still comes [THREAD-2]") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool;
  Gate begun;
  Gate gate;
  FunctionJob job([&] {
    begun.open();
    gate.wait();
  });
  pool.submit(job);
  begun.wait();

  CHECK_FALSE(pool.tryWithdraw(job));
  gate.open();
  stepUntil(loop, [&] { return job.isDone; });

  CHECK_FALSE(pool.tryWithdraw(job));
}

TEST_CASE("a job elsewhere keeps its loop from believing that nothing is left") {
  struct Owner final : detail::LoopOwner {
    bool onNothingLeft() override {
      isAsked = true;
      Loop::current()->callSoon([] {});
      return true;
    }
    void onCallbackEnd() noexcept override {}
    void onIdle() noexcept override { idle.open(); }
    const void* runningStack() const noexcept override { return this; }
    void addTo(LoopStatistics&) const noexcept override {}
    bool isAsked = false;
    Gate idle;
  } owner;
  Loop loop(makeUringKernel(64));
  loop.setOwner(&owner);
  ThreadPool pool({.threadsMax = 1});
  FunctionJob job([&] { owner.idle.wait(); });
  FunctionJob withdrawn([] {});

  pool.submit(job);
  pool.submit(withdrawn);
  stepUntil(loop, [&] { return job.isDone || pool.tryWithdraw(withdrawn); });
  stepUntil(loop, [&] { return job.isDone; });
  CHECK_FALSE(owner.isAsked);
  stepUntil(loop, [&] { return owner.isAsked; });

  CHECK(owner.isAsked);
}

TEST_CASE("callInThread beyond queueMax throws, and a job of its owner's memory still waits") {
  Loop loop(makeUringKernel(64));
  ThreadPool pool({.threadsMax = 1, .queueMax = 2});
  Gate gate;
  std::atomic<int> run = 0;
  pool.callInThread([&] { gate.wait(); });
  waitUntil([&] { return pool.statistics().begun == 1; });
  pool.callInThread([&] { ++run; });
  pool.callInThread([&] { ++run; });
  FunctionJob job([&] { ++run; });

  CHECK_THROWS_AS(pool.callInThread([&] { ++run; }), LimitError);
  CHECK_FALSE(pool.trySubmit(job));
  CHECK(pool.statistics().refused == 2);
  pool.submit(job);
  CHECK(pool.statistics().queued == 3);
  gate.open();
  stepUntil(loop, [&] { return job.isDone; });

  CHECK(run == 3);
}

TEST_CASE("what a function given to callInThread throws is reported with its place") {
  std::mutex lock;
  std::vector<std::string> reports;
  const ErrorSink before = setErrorSink([&](const ErrorReport& report) {
    const std::scoped_lock locked(lock);
    reports.push_back(report.context + ": " + describe(report.error));
  });
  ThreadPool pool;

  pool.callInThread([] { throw std::runtime_error("no such user"); });
  pool.callInThread([] { throw 7; });
  pool.stop();
  setErrorSink(before);

  REQUIRE(reports.size() == 2);
  for (const std::string& report : reports) {
    CHECK(report.find("callInThread at ") == 0);
    CHECK(report.find("thread_pool_test.cpp:") != std::string::npos);
  }
  CHECK((reports[0] + reports[1]).find("std::runtime_error: no such user") != std::string::npos);
}

TEST_CASE("a function given to callInThread is destroyed when it has run [THREAD-4]") {
  ThreadPool pool;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;

  pool.callInThread([held = std::move(held)] {});
  waitUntil([&] { return watch.expired(); });

  CHECK(pool.statistics().begun == 1);
}

TEST_CASE("stop() lets what runs and what waits come to its end, and refuses the rest") {
  ThreadPool pool({.threadsMax = 2});
  Gate gate;
  std::atomic<int> run = 0;
  for (int i = 0; i < 10; ++i) {
    pool.callInThread([&] {
      gate.wait();
      ++run;
    });
  }
  waitUntil([&] { return pool.statistics().begun == 2; });
  pool.callInThread([&] {
    CHECK_THROWS_AS(pool.callInThread([] {}), ReactorStopped);
    ++run;
  });

  std::thread opener([&] {
    waitUntil([&] {
      try {
        pool.callInThread([] {});
      } catch (const ReactorStopped&) {
        return true;
      } catch (const LimitError&) {
      }
      return false;
    });
    gate.open();
  });
  pool.stop();
  opener.join();
  pool.stop();

  CHECK(run == 11);
  CHECK(pool.statistics().threads == 0);
}

TEST_CASE("threads of the pool have a name and take no signals but those of faults") {
  ThreadPool pool({.name = "plait-test"});
  char name[16] = {};
  sigset_t blocked;
  sigemptyset(&blocked);

  pool.callInThread([&] {
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  });
  pool.stop();
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);

  CHECK(std::string(name) == "plait-test");
  CHECK(sigismember(&blocked, SIGTERM) == 1);
  CHECK(sigismember(&blocked, SIGUSR1) == 1);
  CHECK(sigismember(&blocked, SIGSEGV) == 0);
  CHECK(sigismember(&mine, SIGTERM) == 0);
}

TEST_CASE("the default pool is one for the process") {
  std::atomic<bool> hasRun = false;

  callInThread([&] {
    hasRun = true;
    hasRun.notify_all();
  });
  hasRun.wait(false);

  CHECK(&defaultPool() == &defaultPool());
  CHECK(defaultPool().statistics().begun >= 1);
}
