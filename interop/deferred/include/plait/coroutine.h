// Twisted's inlineCallbacks: a C++20 coroutine that returns a Deferred<T> may co_await Deferreds,
// durations and whatever has a toDeferred(). With this header,
//
//   Deferred<std::size_t> total(std::string url) {
//     const std::string page = co_await fetch(url);
//     co_await 100ms;
//     co_return page.size();
//   }
//
// It begins to run at the call, and is resumed on the stack of whoever fires what it awaits; one
// that has fired is not waited for. Cancelling its Deferred cancels the one that it awaits, and it
// goes on with what comes of that: it may clean up, await more, or return a value. Its Deferred
// fires only when it has ended. A blocking call in it parks the fiber that runs it.
//
// A parameter that is a Deferred is a handle on it for as long as the coroutine lives: await
// std::move(parameter), so that the end of its producer can be seen.
//
// Parameters are copied into the coroutine by value only; what a lambda captured is gone at the
// first co_await unless the lambda lives longer: pass arguments instead.
#pragma once

#include <chrono>
#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/defer_later.h"
#include "plait/deferred.h"

namespace plait {
namespace detail {

// Told by the coroutine how its run has ended; lives on the stack of who resumes it.
struct CoroutineRun {
  bool finished = false;
  std::exception_ptr cancellation;  // on its way through whoever resumed it
};

class CoroutinePromise {
 public:
  explicit CoroutinePromise(const std::type_info& type, const std::source_location& at);
  CoroutinePromise(const CoroutinePromise&) = delete;
  CoroutinePromise& operator=(const CoroutinePromise&) = delete;
  ~CoroutinePromise();

  std::suspend_never initial_suspend() const noexcept { return {}; }

  // The first run ends here by itself; later ones are cleaned up by whoever has resumed.
  struct FinalAwaiter {
    bool endsItself;
    bool await_ready() const noexcept { return endsItself; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() noexcept {
    if (run_ == nullptr) return {true};
    run_->finished = true;
    return {false};
  }

  void unhandled_exception();

  Chain& chain() noexcept { return *chain_; }

  // Of the awaiters: `inner` has the coroutine's link; a cancel goes there.
  void suspendFor(Chain& inner) noexcept { chain_->setWaitingFor(&inner); }
  bool takeCancelAsked() noexcept { return std::exchange(cancelAsked_, false); }
  // Goes on with the coroutine. Returns its chain, with a reference, if it has ended.
  static Chain* resume(std::coroutine_handle<> handle, CoroutinePromise& promise);

 protected:
  // Puts the end into the chain, unless somebody else has fired it. Its callbacks run when the
  // coroutine is gone.
  template <class T, class... V>
  void finish(V&&... value) {
    // What making the value throws is the coroutine's failure.
    ResultSlot made;
    made.setValue<T>(std::forward<V>(value)...);
    if (!beginFinish()) return;
    made.moveTo(chain_->slot());
    chain_->dropCancellerIfAny();
  }

 private:
  bool beginFinish() noexcept;

  ChainPointer chain_;
  CoroutineRun* run_ = nullptr;
  bool cancelAsked_ = false;  // while it ran
};

// In the coroutine's frame, and a link of the chain that is awaited.
template <class U>
class DeferredAwaiter final : private Link {
 public:
  DeferredAwaiter(Deferred<U> deferred, CoroutinePromise& promise, const std::source_location& at)
      : Link(&run), deferred_(std::move(deferred)), promise_(promise), at_(at) {}

  bool await_ready() {
    Chain& chain = DeferredAccess::home(deferred_);
    chain.requireGeneration(DeferredAccess::generation(deferred_));
    chain.spend(at_);
    if (!chain.isResolved()) return false;
    chain.slot().moveTo(slot_);
    return true;
  }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    // The last handle may be this one: then the chain ends when it goes, and resumes the coroutine,
    // whose frame is not touched any more after that.
    const ChainPointer chain = DeferredAccess::release(deferred_);
    const bool cancels = promise_.takeCancelAsked();
    promise_.suspendFor(*chain);
    chain->append(*this);
    if (cancels) chain->cancel();
  }
  U await_resume() { return takeResult<U>(slot_).value(); }

 private:
  static Chain* run(Link& link, Chain* chain) {
    auto& self = static_cast<DeferredAwaiter&>(link);
    self.promise_.chain().setWaitingFor(nullptr);
    if (chain == nullptr) {
      self.handle_.destroy();
      return nullptr;
    }
    chain->slot().moveTo(self.slot_);
    return CoroutinePromise::resume(self.handle_, self.promise_);
  }

  Deferred<U> deferred_;
  CoroutinePromise& promise_;
  std::source_location at_;
  std::coroutine_handle<> handle_;
  ResultSlot slot_;
};

template <class A>
concept HasDeferred = requires(A&& awaited) { toDeferred(std::forward<A>(awaited)); };

template <class T>
class PromiseAwaits : public CoroutinePromise {
 public:
  using At = std::source_location;
  explicit PromiseAwaits(const At& at) : CoroutinePromise(typeid(T), at) {}

  template <class U>
  DeferredAwaiter<U> await_transform(Deferred<U> deferred, At at = At::current()) {
    return DeferredAwaiter<U>(std::move(deferred), *this, at);
  }
  template <class Rep, class Period>
  DeferredAwaiter<void> await_transform(std::chrono::duration<Rep, Period> wait,
                                        At at = At::current()) {
    return DeferredAwaiter<void>(deferLater(wait, at), *this, at);
  }
  template <HasDeferred A>
  auto await_transform(A&& awaited, At at = At::current()) {
    return await_transform(toDeferred(std::forward<A>(awaited)), at);
  }

  Deferred<T> get_return_object() noexcept {
    return DeferredAccess::make<T>(ChainPointer(chain()), 0);
  }
};

template <class T>
class PromiseOf final : public PromiseAwaits<T> {
 public:
  explicit PromiseOf(std::source_location at = std::source_location::current())
      : PromiseAwaits<T>(at) {}
  template <class V>
    requires std::is_constructible_v<T, V>
  void return_value(V&& value) {
    this->template finish<T>(std::forward<V>(value));
  }
};

template <>
class PromiseOf<void> final : public PromiseAwaits<void> {
 public:
  explicit PromiseOf(std::source_location at = std::source_location::current())
      : PromiseAwaits<void>(at) {}
  void return_void() { finish<void>(); }
};

}  // namespace detail
}  // namespace plait

template <class T, class... Args>
struct std::coroutine_traits<plait::Deferred<T>, Args...> {
  using promise_type = plait::detail::PromiseOf<T>;
};
