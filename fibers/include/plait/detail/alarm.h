// A timer of a scope: calls a function when it rings, on the dispatcher; disarmed when the scope
// ends.
#pragma once

#include <utility>

#include "plait/detail/timer_wheel.h"
#include "plait/time.h"

namespace plait::detail {

void armOnCurrentLoop(Timer& timer, Duration wait);
void disarmOnCurrentLoop(Timer& timer) noexcept;

template <class F>
class Alarm final : private Timer {
 public:
  // kForever: never rings, and costs nothing.
  Alarm(Duration wait, F ring) : Timer(&fireAlarm), ring_(std::move(ring)) {
    if (wait != kForever) armOnCurrentLoop(*this, wait);
  }
  ~Alarm() {
    if (isArmed()) disarmOnCurrentLoop(*this);
  }

 private:
  static void fireAlarm(Timer& timer) { static_cast<Alarm&>(timer).ring_(); }
  F ring_;
};

}  // namespace plait::detail
