// A thread of the pool: how it finds work, waits for it and leaves. The idea is in pool_core.cpp.
#include <signal.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "loop_registry.h"
#include "pool_core.h"

namespace plait::detail {
namespace {

// `thread` has nothing more to do but to destroy the thread-locals of its jobs. Not by
// pthread_join, which blocks in libc.
void join(pthread_t thread) noexcept {
  constexpr Duration kNapMax = std::chrono::milliseconds(1);
  const std::atomic<std::uint32_t> nobodyWakes{0};
  for (Duration nap = std::chrono::microseconds(10); ::pthread_tryjoin_np(thread, nullptr) != 0;
       nap = std::min(2 * nap, kNapMax)) {
    raw::futexWait(nobodyWakes, 0, after(raw::monotonicNow(), nap));
  }
}

// Signals go to the threads of loops; those that a faulty instruction raises cannot be put off.
sigset_t signalsToBlock() noexcept {
  sigset_t set;
  ::sigfillset(&set);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    ::sigdelset(&set, fault);
  }
  return set;
}

}  // namespace

// Under the lock, so that a refusal can be told to the one who needs the thread.
bool PoolCore::startThread() noexcept {
  const sigset_t blocked = signalsToBlock();
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
  pthread_t thread;
  const bool started = ::pthread_create(&thread, nullptr, &PoolCore::threadMain, this) == 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return false;
  threads_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

// One of those that grow() wants: a thread at a time, so that nobody waits long for the lock.
bool PoolCore::startNext() noexcept {
  if (toStart_ == 0) return false;
  const bool hasRoom = threads_.load(std::memory_order_relaxed) < options_.threadsMax;
  const bool started = first_ != nullptr && hasRoom && startThread();
  toStart_ = started ? toStart_ - 1 : 0;
  return started;
}

void* PoolCore::threadMain(void* core) noexcept {
  auto* const self = static_cast<PoolCore*>(core);
  ::pthread_setname_np(::pthread_self(), self->options_.name);
  registry::addThisThread();
  self->work();
  return nullptr;
}

void PoolCore::work() noexcept {
  Worker self;
  lock_.lock();
  if (std::exchange(reserveExpected_, false)) reserve_ = &self;
  startNext();
  bool stays = true;
  while (stays && threads_.load(std::memory_order_relaxed) <= options_.threadsMax) {
    if (frozen_) {
      sleep(self, kNever);
    } else if (reserve_ == &self) {
      stays = watch(self);
    } else if (first_ != nullptr) {
      runFirst();
    } else {
      stays = !stopping_ && sleepIdle(self);
    }
  }
  if (reserve_ == &self) reserve_ = nullptr;
  leave();
}

void PoolCore::runFirst() noexcept {
  PoolJob& job = *first_;
  removeJob(job);
  ++counts_.begun;
  const std::shared_ptr<Inbox> inbox = std::move(job.inbox_);
  // Without an inbox it is gone when it has run; otherwise, when it has been posted.
  job.state_ = inbox ? PoolJob::State::running : PoolJob::State::idle;
  lock_.unlock();
  job.run_(job);
  // A loop that has ended takes it no more: then nobody waits for it either.
  if (inbox) static_cast<void>(inbox->post(job));
  lock_.lock();
}

// False if nobody needed this thread for idleAfter.
bool PoolCore::sleepIdle(Worker& self) noexcept {
  const TimePoint deadline = after(raw::monotonicNow(), options_.idleAfter);
  pushIdle(self);
  while (self.isIdle && raw::monotonicNow() < deadline) sleep(self, deadline);
  if (!self.isIdle) return true;
  removeIdle(self);
  return first_ != nullptr;
}

// A look of the reserve at the oldest job, and the sleep until the next. False if there was none
// for idleAfter.
bool PoolCore::watch(Worker& self) noexcept {
  const TimePoint now = raw::monotonicNow();
  self.isWatching = first_ != nullptr;
  if (stopping_) {
    reserve_ = nullptr;
    return true;
  }
  TimePoint deadline;
  if (first_ == nullptr) {
    if (self.leaveAt == kNever) self.leaveAt = after(now, options_.idleAfter);
    deadline = self.leaveAt;
    if (now >= deadline) return false;
  } else {
    self.leaveAt = kNever;
    deadline = after(first_->queuedAt_, options_.growAfter);
    if (now >= deadline) {
      grow();
      return true;
    }
  }
  sleep(self, deadline);
  return true;
}

void PoolCore::grow() noexcept {
  reserve_ = nullptr;  // this thread takes the oldest job
  const std::size_t threads = threads_.load(std::memory_order_relaxed);
  const std::size_t room = options_.threadsMax - threads;
  const std::size_t others = counts_.queued - 1;
  toStart_ = std::min({threads, others, room});
  reserveExpected_ = others > toStart_ && room > toStart_;
  if (reserveExpected_) ++toStart_;
  if (!startNext()) reserveExpected_ = false;
}

void PoolCore::sleep(Worker& self, TimePoint deadline) noexcept {
  self.awake.store(0, std::memory_order_relaxed);
  lock_.unlock();
  raw::futexWait(self.awake, 0, deadline);
  lock_.lock();
}

void PoolCore::leave() noexcept {
  // It may have been woken for a job and be surplus all the same.
  Word* const sleeper = first_ != nullptr ? callHand() : nullptr;
  const bool mustJoin = std::exchange(hasLeft_, true);
  const pthread_t previous = std::exchange(lastLeft_, ::pthread_self());
  registry::removeThisThread();
  threads_.fetch_sub(1, std::memory_order_release);
  lock_.unlock();
  // The core is there until this thread has been joined.
  if (sleeper != nullptr) raw::futexWake(*sleeper, 1);
  raw::futexWake(threads_, INT_MAX);
  if (mustJoin) join(previous);
}

void PoolCore::joinLast() noexcept {
  lock_.lock();
  const bool mustJoin = std::exchange(hasLeft_, false);
  const pthread_t last = lastLeft_;
  lock_.unlock();
  if (mustJoin) join(last);
}

}  // namespace plait::detail
