// Twisted's LoopingCall: a function called again and again, never twice at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/deferred.h"
#include "plait/detail/unique_function.h"
#include "plait/maybe_deferred.h"
#include "plait/time_source.h"

namespace plait {

namespace detail {

class LoopingState final : public std::enable_shared_from_this<LoopingState> {
 public:
  using Function = UniqueFunction<Deferred<void>(int missed)>;
  LoopingState(Function function, TimeSource& time) : function_(std::move(function)), time_(time) {}

  Deferred<void> start(Duration interval, bool now, const std::source_location& at);
  void stop();
  void reset();
  bool isRunning() const noexcept { return running_; }
  Duration interval() const noexcept { return interval_; }

 private:
  void call();
  void called(Result<void> result);
  void schedule();
  int countTicks() noexcept;

  Function function_;
  TimeSource& time_;
  bool running_ = false;
  bool calling_ = false;
  std::optional<Deferred<void>> done_;
  DelayedCall next_;
  Duration interval_{};
  TimePoint start_{};
  TimePoint lastCall_{};
  bool first_ = true;
  std::source_location at_;
};

}  // namespace detail

// A handle: copies mean the same loop, which lives while it runs, whoever drops them. Belongs to
// one thread.
class LoopingCall final {
 public:
  // f may return a Deferred: the next call comes at the first tick after it has fired. An f that
  // takes an int gets how many ticks have passed since its last call (Twisted's withCount).
  template <class F>
  explicit LoopingCall(F f, TimeSource& time = loopTime())
      : state_(std::make_shared<detail::LoopingState>(function(std::move(f)), time)) {}

  // Calls f now, if so wanted, and at every multiple of `interval` from now; ticks that pass while
  // f is at work are skipped. With an interval of zero, in every turn. The Deferred fires when
  // stop() was called, with f's failure as soon as there is one; cancelling it stops. May switch
  // where f does. Throws: std::logic_error if it runs or f is still at work, std::invalid_argument
  // for a negative interval.
  Deferred<void> start(Duration interval, bool now = true,
                       std::source_location at = std::source_location::current()) {
    return state_->start(interval, now, at);
  }
  // After it f is not called any more. Fires the Deferred, when f is not at work any more.
  // Throws: std::logic_error if it does not run.
  void stop() { state_->stop(); }
  // Counts the interval anew from now. Throws: std::logic_error if it does not run.
  void reset() { state_->reset(); }

  bool isRunning() const noexcept { return state_->isRunning(); }
  Duration interval() const noexcept { return state_->interval(); }

 private:
  template <class F>
  static detail::LoopingState::Function function(F f) {
    return [f = std::move(f)](int ticks) mutable -> Deferred<void> {
      const auto call = [&f, ticks] {
        if constexpr (std::is_invocable_v<F&, int>) {
          return f(ticks);
        } else {
          static_cast<void>(ticks);
          return f();
        }
      };
      auto outcome = maybeDeferred(call);
      if constexpr (std::is_same_v<decltype(outcome), Deferred<void>>) {
        return outcome;
      } else {
        return std::move(outcome).addCallback([](auto&&) {});
      }
    };
  }

  std::shared_ptr<detail::LoopingState> state_;  // shared with the timer and with f's Deferred
};

}  // namespace plait
