#include "plait/time_source.h"

#include <stdexcept>

#include "plait/detail/loop.h"

namespace plait {
namespace {

// Without a state: it asks which loop runs, so one serves all threads.
class LoopTime final : public TimeSource {
 public:
  TimePoint now() const noexcept override { return plait::now(); }
  void arm(detail::Timer& timer, TimePoint deadline) override {
    detail::Loop::require("a timer").arm(timer, deadline);
  }
  void disarm(detail::Timer& timer) noexcept override { detail::Loop::current()->disarm(timer); }
  void call(detail::UniqueFunction<void()>& function, const std::source_location& at) override {
    detail::runCallback(*detail::Loop::current(), function, at);
  }
};

}  // namespace

TimeSource& loopTime() noexcept {
  static LoopTime time;
  return time;
}

Clock::~Clock() {
  while (detail::Timer* timer = wheel_.popAny()) timer->drop();
}

void Clock::advance(Duration amount) {
  if (amount < Duration::zero()) throw std::invalid_argument("Clock::advance() by less than zero");
  now_ = after(now_, amount);
  // One deadline at a time: a call may ask for another one that is due before the rest.
  for (;;) {
    if (!wheel_.hasDue()) {
      const TimePoint next = wheel_.next();
      if (next > now_ || next == kNever) return;
      wheel_.expire(next);
    }
    while (detail::Timer* timer = wheel_.popDue()) {
      --pending_;
      timer->fire();
    }
  }
}

void Clock::pump(std::span<const Duration> amounts) {
  for (const Duration amount : amounts) advance(amount);
}

void Clock::arm(detail::Timer& timer, TimePoint deadline) {
  ++pending_;
  wheel_.arm(timer, deadline);
}

void Clock::disarm(detail::Timer& timer) noexcept {
  --pending_;
  wheel_.disarm(timer);
}

void Clock::call(detail::UniqueFunction<void()>& function, const std::source_location&) {
  function();
}

}  // namespace plait
