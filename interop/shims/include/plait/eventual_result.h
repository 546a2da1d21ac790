// crochet's EventualResult: what comes of a function that runs on the loop, for threads that may
// block. Handles may be copied and used on any number of threads; the value is one object for all.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "plait/deferred.h"
#include "plait/detail/eventual_core.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/time.h"
#include "plait/wait_for_greenlet.h"

namespace plait {
namespace detail {

template <class T>
class EventualState final : public EventualCore {
 public:
  using EventualCore::EventualCore;

  // On the loop. Keeps the Deferred for a cancel until it has ended.
  void follow(Deferred<T> deferred) {
    deferred_.emplace(deferred);
    deferred.addBoth([self = shared()](Result<T> result) {
      auto& state = static_cast<EventualState&>(*self);
      state.deferred_.reset();
      state.end(std::move(result));
    });
    if (isCancelAsked()) cancelHere();
  }

  void end(Result<T> result) {
    if (!beginEnd()) return;
    result_.emplace(std::move(result));
    finishEnd(result_->isValue() ? std::exception_ptr() : result_->failure().exception());
  }
  void fail(Failure failure) override { end(std::move(failure)); }

  Result<T>& result() noexcept { return *result_; }

 private:
  void cancelHere() override {
    if (const auto deferred = deferred_) deferred->cancel();
  }

  std::optional<Deferred<T>> deferred_;  // the loop's thread only
  std::optional<Result<T>> result_;      // set once, before isEnded()
};

}  // namespace detail

template <class T>
class EventualResult final {
 public:
  explicit EventualResult(std::shared_ptr<detail::EventualState<T>> state)
      : handle_(std::make_shared<detail::EventualHandle>(state)), state_(std::move(state)) {}

  // Blocks this thread until the function has ended, `timeout` at most; returns its value, good as
  // long as a handle, or throws its exception. Any number of times; signal handlers run meanwhile.
  // Throws also: TimeoutError, and the result may be waited for again; ReactorStopped if the loop
  // ends first; std::logic_error on a loop's thread, which would wait for itself.
  std::add_lvalue_reference_t<T> wait(Duration timeout = kForever) const {
    state_->waitForEnd(timeout);
    return state_->result().value();
  }

  // Cancels the function's Deferred, or kills its greenlet; one that has not begun never runs. The
  // result is there when it has ended. Never blocks. Any thread.
  void cancel() const { state_->requestCancel(); }

  // The failure, if it has ended with one; counts as handled. Never blocks. Any thread.
  std::optional<Failure> originalFailure() const {
    if (!state_->isEnded() || state_->result().isValue()) return std::nullopt;
    state_->markRead();
    return state_->result().failure();
  }
  bool isReady() const noexcept { return state_->isEnded(); }

  // Keeps it under a number, for another request of the same program, until retrieveResult().
  // Any thread.
  std::uint64_t stash() const { return detail::stashResult(typeid(T), handle_, state_); }

 private:
  template <class U>
  friend EventualResult<U> retrieveResult(std::uint64_t number);
  EventualResult(std::shared_ptr<detail::EventualHandle> handle,
                 std::shared_ptr<detail::EventualState<T>> state) noexcept
      : handle_(std::move(handle)), state_(std::move(state)) {}

  std::shared_ptr<detail::EventualHandle> handle_;   // the last one reports a failure nobody read
  std::shared_ptr<detail::EventualState<T>> state_;  // shared with the loop
};

// What stash() has put there; once. Any thread.
// Throws: std::out_of_range for an unknown number; std::logic_error if it holds another type.
template <class T>
EventualResult<T> retrieveResult(std::uint64_t number) {
  auto stashed = detail::unstashResult(typeid(T), number);
  return EventualResult<T>(
      std::move(stashed.handle),
      std::static_pointer_cast<detail::EventualState<T>>(std::move(stashed.state)));
}

// Runs f on a greenlet of that loop: it may block there, and may return a Deferred.
// Any thread. Throws: ReactorStopped.
template <class F>
auto runInReactor(const LoopHandle& loop, F&& f,
                  std::source_location at = std::source_location::current()) {
  using U = detail::UnwrappedOf<std::invoke_result_t<std::decay_t<F>&>>;
  auto state = std::make_shared<detail::EventualState<U>>(loop, at);
  loop.callFromThread(
      [begun = detail::EventualStart(state), state, f = std::decay_t<F>(std::forward<F>(f)),
       at]() mutable {
        if (!begun.begin()) return;
        state->follow(waitForGreenlet(spawn(std::move(f), at), at));
      },
      at);
  return EventualResult<U>(std::move(state));
}

}  // namespace plait
