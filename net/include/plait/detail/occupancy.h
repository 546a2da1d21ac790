// How many calls are inside an object right now, so that its close() can wait until all have left.
#pragma once

#include <cstddef>

#include "plait/detail/assert.h"
#include "plait/detail/signal_node.h"
#include "plait/time.h"

namespace plait::net::detail {

class Occupancy final {
 public:
  // A call, from its first line to its last.
  class Visit final {
   public:
    explicit Visit(Occupancy& occupancy) noexcept : occupancy_(occupancy) { ++occupancy_.count_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
      if (--occupancy_.count_ > 0) return;
      while (plait::detail::SignalNode* waiter = occupancy_.waiters_.pop()) waiter->fire();
    }

   private:
    Occupancy& occupancy_;
  };

  Occupancy() = default;
  Occupancy(const Occupancy&) = delete;
  Occupancy& operator=(const Occupancy&) = delete;
  ~Occupancy() { PLAIT_ASSERT(count_ == 0); }

  bool isEmpty() const noexcept { return count_ == 0; }
  // May switch. Throws what strikes the fiber: open a CancelShield where that must not be.
  void waitUntilEmpty() {
    while (count_ > 0) plait::detail::waitForSignal(waiters_, {"close", this, nullptr}, kForever);
  }

 private:
  std::size_t count_ = 0;
  plait::detail::SignalQueue waiters_;
};

}  // namespace plait::net::detail
