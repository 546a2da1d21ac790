#include "pool_core.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "loop_registry.h"
#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "plait/error.h"

// Who takes a job: a thread that is awake looks at the queue before it sleeps, and a job that finds
// one asleep wakes it. Up to threadsAtOnce threads are started without more ado. Then one more, the
// reserve, which does not take a job until the oldest has waited for growAfter: then it takes it,
// doubles the number of threads as far as the queue wants them, and the first of these is the new
// reserve. So growth needs neither a timer of some loop nor a thread that only watches.
// Invariant: while a job waits there is a thread; and if there may be one more, then somebody is on
// the way to the queue or the reserve watches it.
//
// Who joins whom: a thread that leaves joins the one that left before it, and stop() joins the
// last.

namespace plait::detail {
namespace {

std::size_t cores() noexcept { return std::max(1u, std::thread::hardware_concurrency()); }

std::size_t orDefault(std::size_t wanted, std::size_t otherwise) noexcept {
  return wanted != 0 ? wanted : otherwise;
}

std::size_t threadsMaxOf(std::size_t wanted) noexcept {
  return orDefault(wanted, std::max<std::size_t>(16, 4 * cores()));
}

}  // namespace

void PoolJob::finish(Task& task) {
  PoolJob& job = static_cast<PoolJob&>(task);
  job.state_ = State::idle;
  Loop::current()->addExternal(-1);
  job.done_(job);
}

PoolCore::PoolCore(const ThreadPoolOptions& options)
    : options_(options), generation_(process::forkGeneration()) {
  options_.threadsMax = threadsMaxOf(options.threadsMax);
  options_.threadsAtOnce = orDefault(options.threadsAtOnce, cores());
}

bool PoolCore::enqueue(PoolJob& job, std::shared_ptr<Inbox> inbox, bool evenIfFull) {
  Word* sleeper = nullptr;
  {
    const raw::Locked locked(lock_);
    if (stopping_ || frozen_) throw ReactorStopped("the thread pool has been stopped");
    if (!evenIfFull && counts_.queued >= options_.queueMax) {
      ++counts_.refused;
      return false;
    }
    pushJob(job);
    sleeper = callHand();
    if (threads_.load(std::memory_order_relaxed) == 0) {
      removeJob(job);
      throw Error(std::errc::resource_unavailable_try_again,
                  "the system refuses a thread for the thread pool: raise the limit of processes "
                  "(ulimit -u, or pids.max of the control group) or of memory");
    }
    job.inbox_ = std::move(inbox);
  }
  if (sleeper != nullptr) raw::futexWake(*sleeper, 1);
  return true;
}

bool PoolCore::withdraw(PoolJob& job) noexcept {
  const raw::Locked locked(lock_);
  // Another core is a forked child's parent's: what became of the job there is not known here.
  if (job.core_ != this || job.state_ != PoolJob::State::queued) return false;
  removeJob(job);
  job.inbox_.reset();
  ++counts_.withdrawn;
  return true;
}

void PoolCore::setThreadsMax(std::size_t threadsMax) noexcept {
  const raw::Locked locked(lock_);
  options_.threadsMax = threadsMaxOf(threadsMax);
  const std::size_t threads = threads_.load(std::memory_order_relaxed);
  // Jobs that came while there was no room have nobody who watches over them.
  if (first_ != nullptr && threads < options_.threadsMax && !hasReserve()) {
    reserveExpected_ = startThread();
  }
  std::size_t surplus = threads - std::min(threads, options_.threadsMax);
  for (; surplus > 0 && idle_ != nullptr; --surplus) wakeNow(*idle_);
  if (surplus > 0 && reserve_ != nullptr) wakeNow(*reserve_);
}

void PoolCore::stop() noexcept {
  {
    const raw::Locked locked(lock_);
    if (frozen_) return;
    stopping_ = true;
    while (idle_ != nullptr) wakeNow(*idle_);
    if (reserve_ != nullptr) wakeNow(*reserve_);
  }
  while (const std::uint32_t left = threads_.load(std::memory_order_acquire)) {
    raw::futexWait(threads_, left);
  }
  joinLast();
}

void PoolCore::freeze() noexcept {
  {
    const raw::Locked locked(lock_);
    frozen_ = true;
  }
  joinLast();
}

void PoolCore::replaceParents(std::unique_ptr<PoolCore> parents) noexcept {
  parents_ = std::move(parents);
}

ThreadPoolStatistics PoolCore::statistics() noexcept {
  const raw::Locked locked(lock_);
  ThreadPoolStatistics result = counts_;
  result.threads = threads_.load(std::memory_order_relaxed);
  if (reserve_ != nullptr) ++result.threadsIdle;
  return result;
}

// ---- the callers' side: somebody has to look at the queue

// Returns the word of a sleeper to be woken once the lock is free.
PoolCore::Word* PoolCore::callHand() noexcept {
  if (idle_ != nullptr) return wakeLater(*idle_);
  const std::size_t threads = threads_.load(std::memory_order_relaxed);
  if (reserve_ != nullptr) {
    // With few others it need not wait; but not if it watches over older jobs than this one.
    const bool isOrdinary = threads <= options_.threadsAtOnce && counts_.queued == 1;
    if (isOrdinary) return wakeLater(*std::exchange(reserve_, nullptr));
    if (reserve_->isWatching) return nullptr;
    reserve_->isWatching = true;
    return wakeLater(*reserve_);
  }
  if (reserveExpected_ || threads >= options_.threadsMax) return nullptr;
  reserveExpected_ = threads >= options_.threadsAtOnce;
  if (!startThread()) reserveExpected_ = false;
  return nullptr;
}

PoolCore::Word* PoolCore::wakeLater(Worker& worker) noexcept {
  if (worker.isIdle) removeIdle(worker);
  worker.awake.store(1, std::memory_order_relaxed);
  return &worker.awake;
}

void PoolCore::wakeNow(Worker& worker) noexcept { raw::futexWake(*wakeLater(worker), 1); }

// ---- lists

void PoolCore::pushIdle(Worker& worker) noexcept {
  worker.isIdle = true;
  worker.previous = nullptr;
  worker.next = idle_;
  if (idle_ != nullptr) idle_->previous = &worker;
  idle_ = &worker;
  ++counts_.threadsIdle;
}

void PoolCore::removeIdle(Worker& worker) noexcept {
  worker.isIdle = false;
  (worker.previous != nullptr ? worker.previous->next : idle_) = worker.next;
  if (worker.next != nullptr) worker.next->previous = worker.previous;
  --counts_.threadsIdle;
}

void PoolCore::pushJob(PoolJob& job) noexcept {
  PLAIT_ASSERT(job.state_ == PoolJob::State::idle);
  job.state_ = PoolJob::State::queued;
  job.core_ = this;
  job.queuedAt_ = raw::monotonicNow();
  job.previous_ = last_;
  job.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &job;
  last_ = &job;
  ++counts_.queued;
}

void PoolCore::removeJob(PoolJob& job) noexcept {
  (job.previous_ != nullptr ? job.previous_->next_ : first_) = job.next_;
  (job.next_ != nullptr ? job.next_->previous_ : last_) = job.previous_;
  --counts_.queued;
  job.state_ = PoolJob::State::idle;
}

}  // namespace plait::detail
