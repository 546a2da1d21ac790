// Jobs and loops for the tests of the thread pool.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "plait/detail/loop.h"
#include "plait/detail/pool_job.h"
#include "plait/thread_pool.h"

// A job made of two functions; it may be submitted again when it is back.
class FunctionJob final : public plait::detail::PoolJob {
 public:
  explicit FunctionJob(std::function<void()> work)
      : PoolJob(&FunctionJob::onWorker, &FunctionJob::onLoop), work_(std::move(work)) {}

  bool isDone = false;
  std::function<void()> whenDone = [] {};

 private:
  static void onWorker(PoolJob& job) noexcept { static_cast<FunctionJob&>(job).work_(); }
  static void onLoop(PoolJob& job) {
    FunctionJob& self = static_cast<FunctionJob&>(job);
    self.isDone = true;
    self.whenDone();
  }

  std::function<void()> work_;
};

// Opened once; whoever waits blocks its thread until then.
class Gate final {
 public:
  void open() {
    isOpen_ = true;
    isOpen_.notify_all();
  }
  void wait() const { isOpen_.wait(false); }

 private:
  std::atomic<bool> isOpen_{false};
};

template <class Condition>
void waitUntil(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

template <class Condition>
void stepUntil(plait::detail::Loop& loop, Condition condition) {
  while (!condition()) loop.step();
}

// What waits in a pool until so many are there.
struct Meeting {
  explicit Meeting(int many) : wanted(many) {}
  void join() {
    if (++arrived == wanted) gate.open();
    gate.wait();
    ++left;
  }
  // Nobody touches it any more when this returns.
  void wait() const {
    waitUntil([this] { return left == wanted; });
  }
  const int wanted;
  std::atomic<int> arrived{0};
  std::atomic<int> left{0};
  Gate gate;
};
