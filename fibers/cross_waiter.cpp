#include "plait/detail/cross_waiter.h"

#include "plait/detail/alarm.h"
#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"

namespace plait::detail {

CrossWaiter::CrossWaiter(const char* verb) noexcept
    : Task(&resume), waiter_({verb, nullptr, nullptr}) {
  if (Loop* const loop = Loop::current()) inbox_ = loop->inbox();
}

void CrossWaiter::begin() {
  if (Loop::current() != nullptr) checkpoint();
}

void CrossWaiter::wake() noexcept {
  if (inbox_) {
    // A loop that has ended has no fiber left that waits; one that was abandoned stays where it is.
    static_cast<void>(inbox_->post(*this));
    return;
  }
  // The thread may be gone before the second call, which only names the address.
  word_.store(1, std::memory_order_release);
  raw::futexWake(word_, 1);
}

void CrossWaiter::resume(Task& task) { static_cast<CrossWaiter&>(task).waiter_.wake(true); }

bool CrossWaiter::withdraw(raw::Lock& lock) noexcept {
  const raw::Locked locked(lock);
  if (!isLinked()) return false;
  unlink();
  return true;
}

bool CrossWaiter::wait(raw::Lock& lock, Duration timeout) {
  return inbox_ ? waitAsFiber(lock, timeout) : waitAsThread(lock, timeout);
}

bool CrossWaiter::waitAsThread(raw::Lock& lock, Duration timeout) noexcept {
  TimePoint until = timeout == kForever ? kNever : after(raw::monotonicNow(), timeout);
  while (word_.load(std::memory_order_acquire) == 0) {
    if (until != kNever && raw::monotonicNow() >= until) {
      if (withdraw(lock)) return false;
      until = kNever;  // the wake is on its way
    }
    raw::futexWait(word_, 0, until);
  }
  return true;
}

bool CrossWaiter::waitAsFiber(raw::Lock& lock, Duration timeout) {
  // Another thread may always come: a run whose fibers wait here is no deadlock.
  struct Reachable {
    Reachable() noexcept { Loop::current()->addExternal(1); }
    ~Reachable() { Loop::current()->addExternal(-1); }
  };
  const Reachable reachable;
  const Alarm alarm(timeout, [this, &lock] {
    if (withdraw(lock)) waiter_.wake(false);
  });
  return waiter_.park([this, &lock] {
    // In a forked child nobody else is left.
    return withdraw(lock) ? OnCancel::leave : OnCancel::stay;
  });
}

}  // namespace plait::detail
