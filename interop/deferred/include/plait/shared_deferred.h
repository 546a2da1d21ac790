// One result for many: every callback and every waiter of a SharedDeferred gets the value by const
// reference, or the exception, in the order in which they came.
//
// It is a handle; the value lives as long as one of them, or a callback that has it. Cancelling
// what one of them waits for takes that one out; the last one out cancels the work itself.
// Belongs to the thread of the Deferred that was shared.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "plait/deferred.h"

namespace plait {

namespace detail {

[[noreturn]] void throwForeignShare(const std::source_location& at);
void reportUnwanted(const Failure& failure) noexcept;
// In a turn of its own; without a loop, now.
void afterThis(UniqueFunction<void()> f);

// The producer's chain owns the collector, and through it this; this points weakly back at it.
template <class T>
class SharedState final : public std::enable_shared_from_this<SharedState<T>> {
 public:
  using Branch = Deferred<std::shared_ptr<SharedState>>;

  // What the branch fires with keeps the value alive.
  Branch branch(const std::source_location& at) {
    if (!home_.isHere()) throwForeignShare(at);
    isWanted_ = true;
    if (result_) {
      Branch fired(at);
      fired.callback(this->shared_from_this(), at);
      return fired;
    }
    // The canceller may run when nobody else knows this any more.
    Branch waiting(
        [weak = this->weak_from_this()](const Branch& cancelled) {
          if (const auto self = weak.lock()) self->leave(cancelled);
        },
        at);
    waiting_.push_back(waiting);
    return waiting;
  }

  void setSource(Chain* source) noexcept { source_ = source; }
  void collect(Result<T> result) {
    result_.emplace(std::move(result));
    deliver();
  }
  ~SharedState() {
    if (!isWanted_ && result_ && !result_->isValue()) reportUnwanted(result_->failure());
  }

  const Result<T>& result() const { return *result_; }
  bool isReady() const noexcept { return result_.has_value(); }

 private:
  void deliver() {
    const auto self = this->shared_from_this();
    while (!waiting_.empty()) {
      const Branch next = std::move(waiting_.front());
      waiting_.pop_front();
      if (next.isCalled()) continue;  // its consumer has ended it
      try {
        next.callback(self);
      } catch (const Cancellation&) {
        // Whoever fires is killed; the others get theirs all the same.
        if (!waiting_.empty()) afterThis([self] { self->deliver(); });
        throw;
      }
    }
  }

  void leave(const Branch& cancelled) {
    std::erase(waiting_, cancelled);
    if (waiting_.empty() && source_ != nullptr) source_->cancel();
  }

  Home home_ = Home::here();
  Chain* source_ = nullptr;
  bool isWanted_ = false;  // somebody has asked for the result
  std::deque<Branch> waiting_;
  std::optional<Result<T>> result_;
};

// In the producer's chain, and so as long as the state may point there.
template <class T>
class SharedSource final {
 public:
  SharedSource(std::shared_ptr<SharedState<T>> state, Chain& chain)
      : state_(std::move(state)), chain_(&chain) {
    state_->setSource(&chain);
  }
  SharedSource(SharedSource&&) noexcept = default;
  ~SharedSource() {
    if (state_) state_->setSource(nullptr);
  }

  void operator()(Result<T> result) {
    // A consumer that is killed is no failure of the producer's.
    chain_->forgetFailure();
    state_->setSource(nullptr);
    state_->collect(std::move(result));
  }

 private:
  std::shared_ptr<SharedState<T>> state_;
  Chain* chain_;  // which runs this
};

template <class F, class T>
struct SharedCall {
  using Type = std::invoke_result_t<F&, const T&>;
};
template <class F>
struct SharedCall<F, void> {
  using Type = std::invoke_result_t<F&>;
};

}  // namespace detail

template <class T>
class SharedDeferred final {
 public:
  using At = std::source_location;

  explicit SharedDeferred(std::shared_ptr<detail::SharedState<T>> state) noexcept
      : state_(std::move(state)) {}

  // f gets a const T&. Each callback has a chain of its own: the Deferred of what f returns.
  // May switch where f does.
  template <class F>
  auto addCallback(F f, At at = At::current()) const {
    using U = detail::UnwrappedOf<typename detail::SharedCall<F, T>::Type>;
    return state_->branch(at).addCallback(
        [f = std::move(f)](const std::shared_ptr<detail::SharedState<T>>& state) mutable {
          return call<U>(f, state->result());
        },
        at);
  }

  // A Deferred of its own for one consumer: a copy of the value, or the failure.
  Deferred<T> branch(At at = At::current()) const
    requires(std::is_void_v<T> || std::is_copy_constructible_v<T>)
  {
    return state_->branch(at).addCallback(
        [](const std::shared_ptr<detail::SharedState<T>>& state) -> Result<T> {
          return state->result();
        },
        at);
  }

  // Fires with the state, which has the result.
  Deferred<std::shared_ptr<detail::SharedState<T>>> whenReady(At at = At::current()) const {
    return state_->branch(at);
  }

  bool isReady() const noexcept { return state_->isReady(); }
  const std::shared_ptr<detail::SharedState<T>>& state() const noexcept { return state_; }

 private:
  // Either outcome in one type: what f makes of a value, or the failure.
  template <class U, class F>
  static auto call(F& f, const Result<T>& result) {
    using R = typename detail::SharedCall<F, T>::Type;
    using Outcome = std::conditional_t<detail::kIsDeferred<R>, R, Result<U>>;
    if (!result.isValue()) result.failure().raise();
    if constexpr (std::is_void_v<T>) {
      return invokeFor<Outcome>(f);
    } else {
      return invokeFor<Outcome>(f, result.value());
    }
  }
  template <class Outcome, class F, class... Args>
  static Outcome invokeFor(F& f, const Args&... args) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, const Args&...>>) {
      std::invoke(f, args...);
      return Outcome();
    } else {
      return std::invoke(f, args...);
    }
  }

  std::shared_ptr<detail::SharedState<T>> state_;  // shared by the handles and the branches
};

template <class T>
SharedDeferred<T> Deferred<T>::share(At at) const {
  auto state = std::make_shared<detail::SharedState<T>>();
  home().requireGeneration(generation_);
  addBoth(detail::SharedSource<T>(state, home()), at);
  // The result is the state's now, whatever the type.
  if constexpr (std::is_void_v<T>) home().spend(at);
  return SharedDeferred<T>(std::move(state));
}

}  // namespace plait
