// Mutual exclusion between fibers of one loop, fair: the longest waiter gets it. The names lock,
// unlock and try_lock are std's, so std::lock_guard and std::unique_lock work.
#pragma once

#include <cstddef>

#include "plait/detail/signal_node.h"
#include "plait/time.h"

namespace plait {

namespace detail {
class Fiber;
}

class Mutex final {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // May switch. Throws: std::logic_error if the caller holds it already.
  void lock() { lock(kForever); }
  bool lock(Duration timeout);  // False if the time was up. May switch.
  bool tryLock();               // Never switches.
  bool try_lock() { return tryLock(); }
  // Hands it to the longest waiter. Never switches. Throws: std::logic_error if another fiber holds
  // it.
  void unlock();

  bool isLocked() const noexcept { return owner_ != nullptr; }
  bool isMine() const noexcept;

 private:
  friend class Condition;
  struct Grant;
  bool acquire(Duration timeout);

  detail::Fiber* owner_ = nullptr;
  detail::SignalQueue waiters_;
};

// May be locked again by the fiber that holds it, and is free after as many unlocks.
class RecursiveMutex final {
 public:
  void lock() { lock(kForever); }  // May switch.
  bool lock(Duration timeout);     // May switch.
  bool tryLock();                  // Never switches.
  bool try_lock() { return tryLock(); }
  void unlock();  // Never switches. Throws: std::logic_error if another fiber holds it.

 private:
  Mutex mutex_;
  std::size_t depth_ = 0;
};

// Waits for a condition that a Mutex protects.
class Condition final {
 public:
  // Unlocks, waits for a notification, and locks again; also when a kill ends the wait, so the
  // caller always holds the mutex afterwards. The caller must hold it. May switch.
  void wait(Mutex& mutex) { wait(mutex, kForever); }
  // False if the time was up before the notification. May switch.
  bool wait(Mutex& mutex, Duration timeout);
  template <class Predicate>
  void waitUntil(Mutex& mutex, Predicate&& isTrue) {
    while (!isTrue()) wait(mutex);
  }

  void notifyOne() noexcept;  // Never switches.
  void notifyAll() noexcept;  // Never switches.

 private:
  detail::SignalQueue waiters_;
};

}  // namespace plait
