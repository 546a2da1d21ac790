#include "plait/detail/waiter.h"

#include "plait/error.h"
#include "scheduler.h"

namespace plait::detail {

bool WaiterCore::wakeCore() noexcept {
  if (state_ == State::idle) {
    state_ = State::woken;
    return true;
  }
  if (state_ != State::parked) return false;
  PLAIT_ASSERT(fiber_->scheduler_ ==
               Scheduler::current());  // wakes come from the loop's own thread
  state_ = State::woken;
  fiber_->scheduler_->makeReady(*fiber_);
  return true;
}

void WaiterCore::parkCore(bool carriesValue, void* context, OnCancel (*onCancel)(void*)) {
  if (state_ == State::woken) return;
  Scheduler::current()->prepareToPark();
  Fiber& self = *currentFiber;
  if (self.noSwitchDepth > 0 && onCancel(context) == OnCancel::leave)
    self.requireMayPark(reason_.verb);
  if (self.hasPending() && self.somethingMayStrike()) {
    cancelAsked_ = true;
    if (onCancel(context) == OnCancel::leave) {
      state_ = State::left;
      self.throwPending();
    }
    // The cancel may have woken this very waiter.
    if (state_ == State::woken) return;
  }
  fiber_ = &self;
  context_ = context;
  onCancel_ = onCancel;
  state_ = State::parked;
  self.state_ = Fiber::State::parked;
  self.waiter_ = this;
  self.scheduler_->switchAway();
  self.waiter_ = nullptr;
  // A strike taken back meanwhile (its Timeout cancelled by another fiber) ends the wait all the
  // same.
  if (state_ == State::left) {
    self.throwPending();
    throw CancelledError("the wait was cancelled");
  }
  if (!carriesValue) self.throwPending();
}

void checkpoint() {
  Fiber* const self = currentFiber;
  if (self == nullptr) Fiber::current("a call that may switch");
  Scheduler& scheduler = *Scheduler::current();
  // A callback is a fiber from here on: one that the closing of the run has killed, perhaps.
  scheduler.prepareToPark();
  self->throwPending();
  if (scheduler.spendBudget() || self->noSwitchDepth > 0) return;
  scheduler.yield();
  self->throwPending();
}

}  // namespace plait::detail
