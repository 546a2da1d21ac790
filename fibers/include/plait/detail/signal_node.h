// Somebody who waits for a signal without a value: an event that is set, a permit that is handed
// over. The signaller unlinks the node and fires it, once.
#pragma once

#include "plait/detail/wait_queue.h"
#include "plait/detail/waiter.h"
#include "plait/time.h"

namespace plait::detail {

class SignalNode : public WaitNode {
 public:
  using Fire = void (*)(SignalNode&) noexcept;
  explicit SignalNode(Fire onFire) noexcept : fire_(onFire) {}
  void fire() noexcept { fire_(*this); }

 private:
  Fire fire_;
};

using SignalQueue = WaitQueue<SignalNode>;

// Parks in the queue until fired; false if the time was up before. Nothing is lost with a signal,
// so a kill of the same turn wins. May switch.
bool waitForSignal(SignalQueue& queue, const WaitReason& reason, Duration timeout);
// The same for a permit: one that was handed over is kept, and the kill strikes later. May switch.
bool waitForPermit(SignalQueue& queue, const WaitReason& reason, Duration timeout);

}  // namespace plait::detail
