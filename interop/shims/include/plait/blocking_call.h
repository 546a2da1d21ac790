// A fiber calls code that lives on Deferreds, on its own loop or on another thread's, as if it
// blocked.
#pragma once

#include <functional>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/deferred.h"
#include "plait/detail/arrival.h"
#include "plait/detail/owed_answer.h"
#include "plait/error.h"
#include "plait/loop_handle.h"
#include "plait/maybe_deferred.h"
#include "plait/thread_safe.h"
#include "plait/wait_for_deferred.h"

namespace plait {

// Calls f and waits for what it returns, a Deferred included. May switch.
// Throws: what f throws or its Deferred fails with.
template <class F>
auto blockingCallFromGreenlet(F&& f, std::source_location at = std::source_location::current()) {
  return waitForDeferred(maybeDeferred(std::forward<F>(f)), kForever, OnWaitEnd::cancelAndWait, at);
}

namespace detail {

// A call on its way to another loop and back.
template <class T>
class RemoteCall final : public OwedAnswer, public Members {
 public:
  RemoteCall() : Members(1) {}

  // The other loop.
  template <class F>
  void begin(F& f, const std::source_location& at) {
    oweHere();
    if (isGiven()) return;
    const auto self = std::static_pointer_cast<RemoteCall>(this->shared_from_this());
    Arrival<RemoteCall, T>::expect(self, 0, maybeDeferred(f), at);
  }
  void cancel() { cancelAll(); }
  Result<void> arrived(std::size_t, Result<T> result) {
    give(std::move(result));
    return {};
  }
  void refuse() noexcept override {
    give(Failure(ReactorStopped("the loop ended before the call was done")));
  }
  bool isGiven() const noexcept override { return answer_.isReady(); }

  // The caller's fiber. Throws: what strikes it.
  Result<T>& wait() { return answer_.get(); }

 private:
  void give(Result<T> result) {
    if (!isGiven()) answer_.set(std::move(result));
  }

  ThreadSafeAsyncResult<Result<T>> answer_;
};

// In the closure that begins the call: one that is dropped unrun refuses it.
template <class T>
class RemoteStart final {
 public:
  explicit RemoteStart(std::shared_ptr<RemoteCall<T>> call) noexcept : call_(std::move(call)) {}
  RemoteStart(RemoteStart&&) noexcept = default;
  RemoteStart& operator=(RemoteStart&&) = delete;
  ~RemoteStart() {
    if (call_) call_->refuse();
  }
  template <class F>
  void begin(F& f, const std::source_location& at) {
    std::exchange(call_, nullptr)->begin(f, at);
  }

 private:
  std::shared_ptr<RemoteCall<T>> call_;
};

}  // namespace detail

// The same on another thread's loop: f runs there as a callback, and its Deferred belongs there. A
// caller that is killed cancels it there and waits for its end; a value is returned all the same,
// and the kill strikes at the next blocking call.
// May switch. Throws also: ReactorStopped if that loop has ended or ends first.
template <class F>
auto blockingCallFromGreenlet(const LoopHandle& loop, F&& f,
                              std::source_location at = std::source_location::current()) {
  using T = detail::UnwrappedOf<std::invoke_result_t<std::decay_t<F>&>>;
  const auto call = std::make_shared<detail::RemoteCall<T>>();
  loop.callFromThread(
      [start = detail::RemoteStart<T>(call), f = std::decay_t<F>(std::forward<F>(f)),
       at]() mutable { start.begin(f, at); },
      at);
  try {
    return call->wait().value();
  } catch (const Cancellation&) {
    const CancelShield shield;
    try {
      loop.callFromThread([call] { call->cancel(); }, at);
    } catch (const ReactorStopped&) {
      // Then it has been refused.
    }
    Result<T>& result = call->wait();
    if (!result.isValue()) throw;
    return std::move(result).value();
  }
}

}  // namespace plait
