#include "plait/thread_safe.h"

namespace plait {

using detail::CrossBatch;
using detail::CrossWaiter;
using detail::raw::Locked;

// Who has been woken may destroy the object: nothing of it is touched after the last lock.

void ThreadSafeEvent::set() noexcept {
  CrossBatch woken;
  {
    const Locked locked(lock_);
    set_ = true;
    woken.take(waiters_);
  }
  woken.wakeAll();
}

void ThreadSafeEvent::clear() noexcept {
  const Locked locked(lock_);
  set_ = false;
}

bool ThreadSafeEvent::isSet() const noexcept {
  const Locked locked(lock_);
  return set_;
}

bool ThreadSafeEvent::wait(Duration timeout) {
  CrossWaiter::begin();
  CrossWaiter me("ThreadSafeEvent::wait");
  {
    const Locked locked(lock_);
    if (set_) return true;
    waiters_.append(me);
  }
  return me.wait(lock_, timeout);
}

bool ThreadSafeSemaphore::acquire(Duration timeout) {
  CrossWaiter::begin();
  CrossWaiter me("ThreadSafeSemaphore::acquire");
  {
    const Locked locked(lock_);
    if (permits_ > 0) {
      --permits_;
      return true;
    }
    waiters_.append(me);
  }
  return me.wait(lock_, timeout);
}

bool ThreadSafeSemaphore::tryAcquire() noexcept {
  const Locked locked(lock_);
  if (permits_ == 0) return false;
  --permits_;
  return true;
}

void ThreadSafeSemaphore::release(std::size_t count) noexcept {
  for (; count > 0; --count) {
    CrossWaiter* next = nullptr;
    {
      const Locked locked(lock_);
      next = waiters_.pop();
      if (next == nullptr) {
        permits_ += count;
        return;
      }
    }
    next->wake();
  }
}

std::size_t ThreadSafeSemaphore::available() const noexcept {
  const Locked locked(lock_);
  return permits_;
}

}  // namespace plait
