// A flag that fibers wait for. Belongs to its loop's thread; nobody may wait when it is destroyed.
#pragma once

#include "plait/detail/signal_node.h"
#include "plait/time.h"

namespace plait {

class Event final {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Wakes all who wait, in the order in which they came, also if clear() follows at once.
  // Never switches.
  void set() noexcept;
  void clear() noexcept { set_ = false; }
  bool isSet() const noexcept { return set_; }

  // Returns at once while set. May switch.
  void wait() { wait(kForever); }
  // False if the time was up before the event was set. May switch.
  bool wait(Duration timeout);

  detail::SignalQueue& waiters() noexcept { return waiters_; }  // for select()

 private:
  bool set_ = false;
  detail::SignalQueue waiters_;
};

}  // namespace plait
