#include "plait/call_later.h"

#include "plait/detail/loop.h"

namespace plait {
namespace detail {

// Keeps itself alive while it is armed.
class DelayedCallState final : public Timer {
 public:
  DelayedCallState(UniqueFunction<void()> f, const std::source_location& place)
      : Timer(&ring, &drop), function(std::move(f)), at(place) {}

  static void ring(Timer& timer) {
    const std::shared_ptr<DelayedCallState> self =
        std::move(static_cast<DelayedCallState&>(timer).myself);
    UniqueFunction<void()> function = std::move(self->function);
    runCallback(*Loop::current(), function, self->at);
  }

  static void drop(Timer& timer) {
    const std::shared_ptr<DelayedCallState> self =
        std::move(static_cast<DelayedCallState&>(timer).myself);
    self->function.reset();
  }

  UniqueFunction<void()> function;
  std::source_location at;
  std::shared_ptr<DelayedCallState> myself;
};

DelayedCall callAfter(Duration wait, UniqueFunction<void()> f, std::source_location at) {
  Loop& loop = Loop::require("callLater()");
  auto state = std::make_shared<DelayedCallState>(std::move(f), at);
  state->myself = state;
  loop.arm(*state, wait);
  return DelayedCall(std::move(state));
}

void callSoonOnLoop(UniqueFunction<void()> f, std::source_location at) {
  Loop::require("callSoon()").callSoon(std::move(f), at);
}

}  // namespace detail

bool DelayedCall::isActive() const noexcept { return state_ && state_->isArmed(); }

bool DelayedCall::cancel() noexcept {
  if (!isActive()) return false;
  detail::Loop::current()->disarm(*state_);
  state_->function.reset();
  state_->myself.reset();
  return true;
}

bool DelayedCall::reset(Duration wait) noexcept {
  if (!isActive()) return false;
  detail::Loop& loop = *detail::Loop::current();
  loop.disarm(*state_);
  loop.arm(*state_, wait);
  return true;
}

bool DelayedCall::delay(Duration more) noexcept {
  if (!isActive()) return false;
  detail::Loop& loop = *detail::Loop::current();
  const TimePoint later = after(state_->deadline(), more);
  loop.disarm(*state_);
  loop.arm(*state_, later);
  return true;
}

TimePoint DelayedCall::time() const noexcept { return isActive() ? state_->deadline() : kNever; }

}  // namespace plait
