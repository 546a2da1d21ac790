#include "plait/call_later.h"

#include "plait/detail/loop.h"
#include "plait/time_source.h"

namespace plait {
namespace detail {

// Keeps itself alive while it is armed.
class DelayedCallState final : public Timer {
 public:
  DelayedCallState(TimeSource& source, UniqueFunction<void()> f, const std::source_location& place)
      : Timer(&ring, &drop), time(source), function(std::move(f)), at(place) {}

  static void ring(Timer& timer) {
    const std::shared_ptr<DelayedCallState> self =
        std::move(static_cast<DelayedCallState&>(timer).myself);
    UniqueFunction<void()> function = std::move(self->function);
    self->time.call(function, self->at);
  }

  static void drop(Timer& timer) {
    const std::shared_ptr<DelayedCallState> self =
        std::move(static_cast<DelayedCallState&>(timer).myself);
    self->function.reset();
  }

  TimeSource& time;
  UniqueFunction<void()> function;
  std::source_location at;
  std::shared_ptr<DelayedCallState> myself;
};

DelayedCall callAfter(TimeSource& time, Duration wait, UniqueFunction<void()> f,
                      std::source_location at) {
  auto state = std::make_shared<DelayedCallState>(time, std::move(f), at);
  time.arm(*state, after(time.now(), wait));
  state->myself = state;
  return DelayedCall(std::move(state));
}

DelayedCall callAfter(Duration wait, UniqueFunction<void()> f, std::source_location at) {
  Loop::require("callLater()");
  return callAfter(loopTime(), wait, std::move(f), at);
}

void callSoonOnLoop(UniqueFunction<void()> f, std::source_location at) {
  Loop::require("callSoon()").callSoon(std::move(f), at);
}

}  // namespace detail

bool DelayedCall::isActive() const noexcept { return state_ && state_->isArmed(); }

bool DelayedCall::cancel() noexcept {
  if (!isActive()) return false;
  state_->time.disarm(*state_);
  // What the function owns may ask for this very call.
  const detail::UniqueFunction<void()> function = std::move(state_->function);
  state_->myself.reset();
  return true;
}

bool DelayedCall::reset(Duration wait) noexcept {
  if (!isActive()) return false;
  state_->time.disarm(*state_);
  state_->time.arm(*state_, after(state_->time.now(), wait));
  return true;
}

bool DelayedCall::delay(Duration more) noexcept {
  if (!isActive()) return false;
  const TimePoint later = after(state_->deadline(), more);
  state_->time.disarm(*state_);
  state_->time.arm(*state_, later);
  return true;
}

TimePoint DelayedCall::time() const noexcept { return isActive() ? state_->deadline() : kNever; }

}  // namespace plait
