// Threads for what cannot be made to suspend: blocking calls and long computations. Jobs wait in
// one FIFO; threads are started as they are needed and leave when they are not. A pool belongs to
// no loop: it is used from any number of threads, and its threads run on when a loop ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <utility>

#include "plait/detail/unique_function.h"
#include "plait/time.h"

namespace plait {

namespace detail {
class PoolCore;
class PoolJob;
}  // namespace detail

inline constexpr std::size_t kPoolQueueMax = 65536;

struct ThreadPoolOptions {
  std::size_t threadsMax = 0;     // 0: the larger of 16 and 4 per core
  std::size_t threadsAtOnce = 0;  // up to so many are started without a wait; 0: one per core
  Duration growAfter = std::chrono::milliseconds(1);  // a job that waits longer calls for more
  Duration idleAfter = std::chrono::seconds(10);      // a thread without a job leaves after this
  std::size_t queueMax = kPoolQueueMax;               // jobs that callInThread() may let wait
  const char* name = "plait-pool";                    // of each thread; static, 15 characters
};

struct ThreadPoolStatistics {
  std::size_t threads = 0;
  std::size_t threadsIdle = 0;
  std::size_t queued = 0;       // jobs that wait now
  std::uint64_t begun = 0;      // jobs that a thread has taken so far
  std::uint64_t withdrawn = 0;  // jobs that were taken back before they began
  std::uint64_t refused = 0;    // jobs that found the queue full
};

class ThreadPool final {
 public:
  explicit ThreadPool(ThreadPoolOptions options = ThreadPoolOptions());
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  // Stops it.
  ~ThreadPool();

  // Runs `f` on a thread of the pool, some time. What it throws goes to the error sink of loops to
  // come; `f` is destroyed when it has run.
  // Never switches. Any thread. Throws: LimitError if the queue is full, ReactorStopped once the
  // pool was stopped, Error if the system refuses even one thread.
  template <class F>
  void callInThread(F&& f, std::source_location at = std::source_location::current()) {
    post(detail::UniqueFunction<void()>(std::forward<F>(f)), at);
  }

  // Takes effect at once: surplus threads leave when their job is over. 0 is the default.
  // Never switches. Any thread.
  void setThreadsMax(std::size_t threadsMax);

  // Takes no more jobs, lets those that run or wait come to their end, and returns when all threads
  // are gone. Not from a job of this pool.
  // Blocks the thread. Any thread.
  void stop();

  // Never switches. Any thread.
  ThreadPoolStatistics statistics() const;

  // For what stands on the loop. Queues `job`, also beyond queueMax: it is its owner's memory, and
  // the owner waits. Until `onLoop` or tryWithdraw() the loop counts it as work elsewhere.
  // Never switches. A loop's thread. Throws: ReactorStopped, Error, as callInThread.
  void submit(detail::PoolJob& job);
  // The same, but false if the queue is full.
  bool trySubmit(detail::PoolJob& job);
  // True if `job` has not begun: it never will, `onLoop` is not called, and it is its owner's
  // again.
  // Never switches. The thread that submitted it.
  bool tryWithdraw(detail::PoolJob& job) noexcept;

 private:
  friend ThreadPool& defaultPool();

  void post(detail::UniqueFunction<void()> f, const std::source_location& at);
  detail::PoolCore& core() const;

  // Replaced in a forked child, which has none of its parent's threads.
  mutable std::atomic<detail::PoolCore*> core_;
};

// The pool of the process, made by the first call. It is never destroyed; when the process exits,
// jobs that have not begun are forgotten and nobody waits for those that run.
// Never switches. Any thread.
ThreadPool& defaultPool();

// ThreadPool::callInThread on the default pool.
template <class F>
void callInThread(F&& f, std::source_location at = std::source_location::current()) {
  defaultPool().callInThread(std::forward<F>(f), at);
}

}  // namespace plait
