// Where time comes from: the current loop's clock, or a Clock that a test moves by hand. What takes
// a TimeSource can be tested without waiting.
#pragma once

#include <memory>
#include <source_location>
#include <span>
#include <utility>

#include "plait/call_later.h"
#include "plait/detail/timer_wheel.h"
#include "plait/detail/unique_function.h"
#include "plait/time.h"

namespace plait {

// Lives as long as calls are asked of it. Belongs to one thread.
class TimeSource {
 public:
  virtual TimePoint now() const noexcept = 0;

  // For DelayedCall. Never switches.
  virtual void arm(detail::Timer& timer, TimePoint deadline) = 0;
  virtual void disarm(detail::Timer& timer) noexcept = 0;
  // Calls what a timer that rang was armed for.
  virtual void call(detail::UniqueFunction<void()>& function, const std::source_location& at) = 0;

 protected:
  ~TimeSource() = default;
};

// The clock of whatever loop runs on the calling thread. Its verbs throw std::logic_error off one.
TimeSource& loopTime() noexcept;

namespace detail {
DelayedCall callAfter(TimeSource& time, Duration wait, UniqueFunction<void()> f,
                      std::source_location at);
}

// callLater() on another clock. Never switches.
template <class F>
DelayedCall callLater(TimeSource& time, Duration wait, F&& f,
                      std::source_location at = std::source_location::current()) {
  return detail::callAfter(time, wait, detail::UniqueFunction<void()>(std::forward<F>(f)), at);
}

// Twisted's Clock: time that passes when a test says so. Needs no loop. Calls that are left when it
// is destroyed are dropped unrun.
class Clock final : public TimeSource {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock();

  // Moves the time forward, then calls what is due by then in the order of the deadlines, also what
  // those calls ask for meanwhile. An exception leaves advance(); what is due still is called by
  // the next one. May switch where a call does. Throws: what a call throws; std::invalid_argument
  // for a negative amount.
  void advance(Duration amount);
  // advance() for each.
  void pump(std::span<const Duration> amounts);

  template <class F>
  DelayedCall callLater(Duration wait, F&& f,
                        std::source_location at = std::source_location::current()) {
    return plait::callLater(*this, wait, std::forward<F>(f), at);
  }

  std::size_t pending() const noexcept { return pending_; }  // calls that are due later

  TimePoint now() const noexcept override { return now_; }
  void arm(detail::Timer& timer, TimePoint deadline) override;
  void disarm(detail::Timer& timer) noexcept override;
  void call(detail::UniqueFunction<void()>& function, const std::source_location& at) override;

 private:
  TimePoint now_{};
  std::size_t pending_ = 0;
  detail::TimerWheel wheel_{TimePoint{}};
};

}  // namespace plait
