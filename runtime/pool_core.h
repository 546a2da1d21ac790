// What a ThreadPool is in one process: the queue, its lock and its threads. A forked child gets
// another one.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "plait/detail/pool_job.h"
#include "plait/detail/raw.h"
#include "plait/thread_pool.h"

namespace plait::detail {

class PoolCore final {
 public:
  explicit PoolCore(const ThreadPoolOptions& options);

  // False if the queue is full. Throws: ReactorStopped, Error if there is no thread at all.
  bool enqueue(PoolJob& job, std::shared_ptr<Inbox> inbox, bool evenIfFull);
  bool withdraw(PoolJob& job) noexcept;
  void setThreadsMax(std::size_t threadsMax) noexcept;
  void stop() noexcept;
  // At the process's exit: from here on no job begins. Does not wait for those that run.
  void freeze() noexcept;
  // In a forked child: takes the place of the parent's core, of which nothing is undone.
  void replaceParents(std::unique_ptr<PoolCore> parents) noexcept;

  ThreadPoolStatistics statistics() noexcept;
  unsigned generation() const noexcept { return generation_; }
  const ThreadPoolOptions& options() const noexcept { return options_; }

 private:
  using Word = std::atomic<std::uint32_t>;

  // A thread of the pool as it waits; on that thread's stack.
  struct Worker {
    Word awake{0};
    bool isIdle = false;         // in idle_
    bool isWatching = false;     // the reserve, and it will look when the oldest job has aged
    TimePoint leaveAt = kNever;  // the reserve, while the queue is empty
    Worker* previous = nullptr;
    Worker* next = nullptr;
  };

  // All below under the lock.
  Word* callHand() noexcept;
  bool hasReserve() const noexcept { return reserve_ != nullptr || reserveExpected_; }
  bool startThread() noexcept;
  bool startNext() noexcept;
  Word* wakeLater(Worker& worker) noexcept;
  void wakeNow(Worker& worker) noexcept;
  void pushIdle(Worker& worker) noexcept;
  void removeIdle(Worker& worker) noexcept;
  void pushJob(PoolJob& job) noexcept;
  void removeJob(PoolJob& job) noexcept;

  static void* threadMain(void* core) noexcept;
  void work() noexcept;
  void runFirst() noexcept;
  bool sleepIdle(Worker& self) noexcept;
  bool watch(Worker& self) noexcept;
  void grow() noexcept;
  void sleep(Worker& self, TimePoint deadline) noexcept;
  void leave() noexcept;     // gives the lock back
  void joinLast() noexcept;  // without the lock

  raw::Lock lock_;
  ThreadPoolOptions options_;
  const unsigned generation_;

  PoolJob* first_ = nullptr;
  PoolJob* last_ = nullptr;
  Worker* idle_ = nullptr;  // last in, first out, so that those not needed grow old
  Worker* reserve_ = nullptr;
  bool reserveExpected_ = false;  // the next thread to arrive is the reserve
  std::size_t toStart_ = 0;       // each thread that arrives starts the next
  bool stopping_ = false;
  bool frozen_ = false;

  Word threads_{0};  // stop() waits on it
  bool hasLeft_ = false;
  pthread_t lastLeft_{};  // valid if hasLeft_: to be joined by the next to leave, or by stop()
  ThreadPoolStatistics counts_;
  std::unique_ptr<PoolCore> parents_;
};

}  // namespace plait::detail
