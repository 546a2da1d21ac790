#include "plait/thread_pool.h"

#include <memory>
#include <string>

#include "plait/detail/loop.h"
#include "plait/detail/pool_job.h"
#include "plait/detail/process.h"
#include "plait/error.h"
#include "plait/report.h"
#include "pool_core.h"

namespace plait {
namespace {

// A function that belongs to nobody but the pool.
class CallJob final : public detail::PoolJob {
 public:
  CallJob(detail::UniqueFunction<void()> function, const std::source_location& at)
      : PoolJob(&CallJob::run, nullptr), function_(std::move(function)), at_(at) {}

 private:
  static void run(PoolJob& job) noexcept {
    const std::unique_ptr<CallJob> self(static_cast<CallJob*>(&job));
    try {
      self->function_();
    } catch (...) {
      reportError(std::string("callInThread at ") + self->at_.file_name() + ":" +
                      std::to_string(self->at_.line()),
                  std::current_exception());
    }
  }

  detail::UniqueFunction<void()> function_;
  std::source_location at_;
};

}  // namespace

ThreadPool::ThreadPool(ThreadPoolOptions options) : core_(new detail::PoolCore(options)) {}

ThreadPool::~ThreadPool() {
  stop();
  delete core_.load(std::memory_order_relaxed);
}

void ThreadPool::setThreadsMax(std::size_t threadsMax) { core().setThreadsMax(threadsMax); }
void ThreadPool::stop() { core().stop(); }
ThreadPoolStatistics ThreadPool::statistics() const { return core().statistics(); }

void ThreadPool::submit(detail::PoolJob& job) {
  detail::Loop& loop = detail::Loop::require("ThreadPool::submit()");
  core().enqueue(job, loop.inbox(), true);
  loop.addExternal(1);
}

bool ThreadPool::trySubmit(detail::PoolJob& job) {
  detail::Loop& loop = detail::Loop::require("ThreadPool::trySubmit()");
  if (!core().enqueue(job, loop.inbox(), false)) return false;
  loop.addExternal(1);
  return true;
}

bool ThreadPool::tryWithdraw(detail::PoolJob& job) noexcept {
  if (!core().withdraw(job)) return false;
  detail::Loop::current()->addExternal(-1);
  return true;
}

void ThreadPool::post(detail::UniqueFunction<void()> f, const std::source_location& at) {
  auto job = std::make_unique<CallJob>(std::move(f), at);
  if (!core().enqueue(*job, nullptr, false)) {
    throw LimitError("callInThread: the thread pool's queue is full, " +
                     std::to_string(statistics().queued) +
                     " jobs wait; raise queueMax or threadsMax, or call less");
  }
  static_cast<void>(job.release());  // the worker's now
}

detail::PoolCore& ThreadPool::core() const {
  detail::PoolCore* core = core_.load(std::memory_order_acquire);
  if (core->generation() == detail::process::forkGeneration()) return *core;
  // The parent's threads are not here, one may have held the lock, and its jobs are not ours.
  auto fresh = std::make_unique<detail::PoolCore>(core->options());
  if (!core_.compare_exchange_strong(core, fresh.get(), std::memory_order_acq_rel)) return *core;
  fresh->replaceParents(std::unique_ptr<detail::PoolCore>(core));
  return *fresh.release();
}

ThreadPool& defaultPool() {
  static ThreadPool* const pool = [] {
    auto* made = new ThreadPool;
    std::atexit([] { defaultPool().core().freeze(); });
    return made;
  }();
  return *pool;
}

}  // namespace plait
