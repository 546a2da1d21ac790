// Events, semaphores, mutexes and conditions: all are a queue of SignalNodes and a rule for when
// one is fired. Who fires unlinks first, so a node is fired at most once; who leaves unlinks too. A
// kill and a signal in the same turn: whichever came first has unlinked the node, and the other
// finds nothing.

#include <stdexcept>

#include "plait/cancel_shield.h"
#include "plait/detail/alarm.h"
#include "plait/detail/fiber.h"
#include "plait/event.h"
#include "plait/mutex.h"
#include "plait/semaphore.h"

namespace plait {
namespace detail {
namespace {

template <class Waited>
struct Waiting final : SignalNode {
  explicit Waiting(const WaitReason& reason) : SignalNode(&fired), waiter(reason) {}
  static void fired(SignalNode& node) noexcept { static_cast<Waiting&>(node).wake(true); }

  void wake(bool signalled) noexcept {
    if constexpr (std::is_void_v<Waited>) {
      wasSignalled = signalled;
      waiter.wake();
    } else {
      waiter.wake(std::move(signalled));
    }
  }

  Waiter<Waited> waiter;
  bool wasSignalled = false;
};

template <class Waited>
bool waitIn(SignalQueue& queue, const WaitReason& reason, Duration timeout) {
  Waiting<Waited> node(reason);
  queue.append(node);
  const Alarm alarm(timeout, [&node] {
    if (!node.isLinked()) return;
    node.unlink();
    node.wake(false);
  });
  const auto leave = [&node] {
    node.unlink();
    return OnCancel::leave;
  };
  if constexpr (std::is_void_v<Waited>) {
    node.waiter.park(leave);
    return node.wasSignalled;
  } else {
    return node.waiter.park(leave);
  }
}

}  // namespace

bool waitForSignal(SignalQueue& queue, const WaitReason& reason, Duration timeout) {
  return waitIn<void>(queue, reason, timeout);
}

bool waitForPermit(SignalQueue& queue, const WaitReason& reason, Duration timeout) {
  return waitIn<bool>(queue, reason, timeout);
}

}  // namespace detail

// --- Event ---

void Event::set() noexcept {
  set_ = true;
  // Only those who wait now: a fired select may lead to new waiters.
  detail::SignalQueue now;
  now.takeAll(waiters_);
  while (detail::SignalNode* node = now.pop()) node->fire();
}

bool Event::wait(Duration timeout) {
  detail::checkpoint();
  if (set_) return true;
  return detail::waitForSignal(waiters_, {"Event::wait", this, nullptr}, timeout);
}

// --- Semaphore ---

bool Semaphore::acquire(Duration timeout) {
  detail::checkpoint();
  if (tryAcquire()) return true;
  return detail::waitForPermit(waiters_, {"Semaphore::acquire", this, nullptr}, timeout);
}

bool Semaphore::tryAcquire() noexcept {
  // Permits are only left over while nobody waits, so there is nobody to overtake.
  if (permits_ == 0) return false;
  --permits_;
  return true;
}

void Semaphore::release(std::size_t count) noexcept {
  for (; count > 0; --count) {
    detail::SignalNode* const next = waiters_.pop();
    if (next == nullptr) break;
    next->fire();
  }
  permits_ += count;
}

void BoundedSemaphore::release() {
  if (available() == bound_) {
    throw std::logic_error("BoundedSemaphore: released more often than acquired");
  }
  Semaphore::release();
}

// --- Mutex ---

// A waiter for the mutex: the unlocking fiber writes it down as the owner before it wakes.
struct Mutex::Grant final : detail::SignalNode {
  Grant(Mutex& m, detail::Fiber& f) : SignalNode(&fired), mutex(m), fiber(f) {}
  static void fired(SignalNode& node) noexcept {
    auto& self = static_cast<Grant&>(node);
    self.mutex.owner_ = &self.fiber;
    self.waiter.wake(true);
  }
  Mutex& mutex;
  detail::Fiber& fiber;
  static std::string holder(const void* fiber) {
    return "held by " + static_cast<const detail::Fiber*>(fiber)->describe();
  }
  // Who holds it may change while this waits; who held it last is told as long as it lives.
  detail::Waiter<bool> waiter{{"Mutex::lock", &mutex, [](const void* m) {
                                 const auto* owner = static_cast<const Mutex*>(m)->owner_;
                                 return owner == nullptr ? std::string("free") : holder(owner);
                               }}};
};

bool Mutex::lock(Duration timeout) {
  detail::checkpoint();
  if (tryLock()) return true;
  if (isMine()) {
    throw std::logic_error("this Mutex is held by the same fiber already; use RecursiveMutex");
  }
  return acquire(timeout);
}

bool Mutex::acquire(Duration timeout) {
  Grant grant(*this, detail::Fiber::current("Mutex"));
  waiters_.append(grant);
  const detail::Alarm alarm(timeout, [&grant] {
    if (!grant.isLinked()) return;
    grant.unlink();
    grant.waiter.wake(false);
  });
  return grant.waiter.park([&grant] {
    grant.unlink();
    return detail::OnCancel::leave;
  });
}

bool Mutex::tryLock() {
  if (owner_ != nullptr) return false;
  owner_ = &detail::Fiber::current("Mutex");
  return true;
}

bool Mutex::isMine() const noexcept {
  return owner_ != nullptr && owner_ == detail::Fiber::currentOrNull();
}

void Mutex::unlock() {
  if (!isMine()) throw std::logic_error("Mutex: unlocked by a fiber that does not hold it");
  owner_ = nullptr;
  if (detail::SignalNode* const next = waiters_.pop()) next->fire();
}

// --- RecursiveMutex ---

bool RecursiveMutex::lock(Duration timeout) {
  if (mutex_.isMine()) {
    detail::checkpoint();
  } else if (!mutex_.lock(timeout)) {
    return false;
  }
  ++depth_;
  return true;
}

bool RecursiveMutex::tryLock() {
  if (!mutex_.isMine() && !mutex_.tryLock()) return false;
  ++depth_;
  return true;
}

void RecursiveMutex::unlock() {
  if (!mutex_.isMine()) {
    throw std::logic_error("RecursiveMutex: unlocked by a fiber that does not hold it");
  }
  if (--depth_ == 0) mutex_.unlock();
}

// --- Condition ---

bool Condition::wait(Mutex& mutex, Duration timeout) {
  detail::checkpoint();
  if (!mutex.isMine()) throw std::logic_error("Condition::wait: the caller must hold the mutex");
  // Before the mutex is given up: to take it back may mean to park too.
  detail::Fiber::currentOrNull()->requireMayPark("Condition::wait");
  struct Relock {
    Mutex& mutex;
    ~Relock() {
      // Also while a kill unwinds: whoever wrote lock_guard around us will unlock.
      const CancelShield shield;
      if (!mutex.tryLock()) mutex.acquire(kForever);
    }
  };
  const Relock relock{mutex};
  mutex.unlock();
  // A notification is as good as a permit: one that came before a kill is not lost with the waiter.
  return detail::waitForPermit(waiters_, {"Condition::wait", this, nullptr}, timeout);
}

void Condition::notifyOne() noexcept {
  if (detail::SignalNode* const node = waiters_.pop()) node->fire();
}

void Condition::notifyAll() noexcept {
  detail::SignalQueue now;
  now.takeAll(waiters_);
  while (detail::SignalNode* node = now.pop()) node->fire();
}

}  // namespace plait
