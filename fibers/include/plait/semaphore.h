// Permits, handed to waiters in the order in which they came: nobody overtakes. A killed waiter
// never holds one; one who was handed a permit before the kill keeps it, and the kill strikes
// later.
#pragma once

#include <cstddef>

#include "plait/detail/signal_node.h"
#include "plait/time.h"

namespace plait {

class Semaphore {
 public:
  explicit Semaphore(std::size_t permits = 1) noexcept : permits_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void acquire() { acquire(kForever); }          // May switch.
  bool acquire(Duration timeout);                // False if the time was up. May switch.
  bool tryAcquire() noexcept;                    // Never switches.
  void release(std::size_t count = 1) noexcept;  // Never switches.

  std::size_t available() const noexcept { return permits_; }

  detail::SignalQueue& waiters() noexcept { return waiters_; }  // for select()

 private:
  std::size_t permits_;
  detail::SignalQueue waiters_;
};

// Refuses to hold more permits than it began with: catches a release too many.
class BoundedSemaphore final : private Semaphore {
 public:
  explicit BoundedSemaphore(std::size_t permits = 1) noexcept
      : Semaphore(permits), bound_(permits) {}

  using Semaphore::acquire;
  using Semaphore::available;
  using Semaphore::tryAcquire;
  // Never switches. Throws: std::logic_error beyond the bound; nothing is released then.
  void release();

 private:
  std::size_t bound_;
};

}  // namespace plait
