// Callbacks on the loop, at once or later. They run on the dispatcher and may block like any fiber.
#pragma once

#include <memory>
#include <source_location>
#include <utility>

#include "plait/detail/unique_function.h"
#include "plait/time.h"

namespace plait {

namespace detail {
class DelayedCallState;
}

// A call that was asked for. Dropping the handle changes nothing. Belongs to the loop's thread;
// after the loop has ended it is inactive.
class DelayedCall final {
 public:
  DelayedCall() noexcept = default;
  explicit DelayedCall(std::shared_ptr<detail::DelayedCallState> state) noexcept
      : state_(std::move(state)) {}

  // False if it was called or cancelled before. Never switches.
  bool cancel() noexcept;
  // Calls at `wait` from now instead. False, without effect, if it is not active. Never switches.
  bool reset(Duration wait) noexcept;
  // Calls later than planned by `more`. False, without effect, if it is not active. Never switches.
  bool delay(Duration more) noexcept;

  bool isActive() const noexcept;
  TimePoint time() const noexcept;  // when it will be called

 private:
  std::shared_ptr<detail::DelayedCallState> state_;  // shared with the loop until it is called
};

namespace detail {
DelayedCall callAfter(Duration wait, UniqueFunction<void()> f, std::source_location at);
void callSoonOnLoop(UniqueFunction<void()> f, std::source_location at);
}  // namespace detail

// Calls f once, `wait` from now, as a callback. What it throws is reported; dropped unrun when the
// run ends. Never switches. Throws: std::logic_error off a loop.
template <class F>
DelayedCall callLater(Duration wait, F&& f,
                      std::source_location at = std::source_location::current()) {
  return detail::callAfter(wait, detail::UniqueFunction<void()>(std::forward<F>(f)), at);
}

// Calls f as a callback in the next turn, behind what is ready. Never switches.
// Throws: std::logic_error off a loop.
template <class F>
void callSoon(F&& f, std::source_location at = std::source_location::current()) {
  detail::callSoonOnLoop(detail::UniqueFunction<void()>(std::forward<F>(f)), at);
}

}  // namespace plait
