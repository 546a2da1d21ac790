// Twisted's Deferred: a result that is not there yet, and the chain of callbacks that it will go
// through. Producer and consumer hold the same object; a Deferred<T> is a handle, and copies of it
// refer to one chain.
//
// It belongs to the thread that made it: there it is fired, added to, cancelled and paused, and
// anything of that elsewhere throws std::logic_error. Handles may be copied, moved and dropped on
// any thread. It needs no loop.
//
// Callbacks run on the stack of who fires, or of who adds them to one that has fired; if one blocks
// its fiber, callback() parks that fiber. What a callback throws goes to the next errback; a kill
// or an expired Timeout goes on its way through whoever fired, and the chain ends with
// CancelledError.
//
// The result is taken by whoever adds a callback, waits, or returns the Deferred from a callback of
// another. As long as the type stays T the handle remains good for the next callback; when the
// type changes, or the result was taken, handles from before are spent: adding through one throws
// AlreadyChainedError. A failure that nobody took is reported when the last handle has gone. If
// that happens before it was fired, its callbacks see BrokenDeferredError, in a turn of their own.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "plait/detail/callback_link.h"
#include "plait/detail/chain.h"
#include "plait/detail/timeout_guard.h"
#include "plait/error.h"
#include "plait/failure.h"
#include "plait/time_source.h"

namespace plait {

template <class T>
class SharedDeferred;

namespace detail {
struct DeferredAccess;  // for what stands on this
[[noreturn]] void throwNotHome(const Chain* chain);
}  // namespace detail

// See CancelAnswer::later in detail/chain.h: what a canceller may return.
using detail::CancelAnswer;

// Records where each Deferred is created and fired first, with stacks; told in AlreadyCalledError
// and in reports of unhandled errors. Costs microseconds each. Any thread.
void setDebugging(bool on) noexcept;
bool isDebugging() noexcept;

template <class T>
class Deferred final {
  static_assert(!std::is_reference_v<T>, "use std::reference_wrapper, or a pointer");
  static_assert(!detail::kIsDeferred<T>, "a Deferred of a Deferred is a Deferred of its T");
  static_assert(!detail::kIsResult<T> && !std::is_same_v<T, Failure>, "errors have their own side");

 public:
  using Value = T;
  using At = std::source_location;

  // Unfired.
  explicit Deferred(At at = At::current())
      : chain_(new detail::Chain(typeid(T), at), detail::ChainPointer::Adopt()) {}

  // `canceller` is called once, by the first cancel() before it is fired, with this Deferred. It
  // may fire it; if it does not, CancelledError follows, unless it returns CancelAnswer::later:
  // then the work goes on to its end and fires, and a further cancel() calls it again. What it
  // throws is reported. It must not hold a handle on this Deferred. Dropped when the Deferred is
  // fired.
  template <class F>
    requires std::is_invocable_v<F&, const Deferred&>
  explicit Deferred(F canceller, At at = At::current()) : Deferred(at) {
    chain_->setCanceller([f = std::move(canceller)](detail::Chain& chain) mutable {
      const Deferred self{detail::ChainPointer(chain), 0};
      if constexpr (std::is_same_v<std::invoke_result_t<F&, const Deferred&>, CancelAnswer>) {
        return f(self);
      } else {
        f(self);
        return CancelAnswer::now;
      }
    });
  }

  Deferred(const Deferred& other) = default;
  Deferred(Deferred&& other) noexcept = default;
  // What was held goes last: its end may use this handle.
  Deferred& operator=(Deferred other) noexcept {
    std::swap(chain_, other.chain_);
    std::swap(generation_, other.generation_);
    return *this;
  }
  ~Deferred() = default;

  // --- firing

  // Runs the callbacks with this value. Through a handle from before any change of type.
  // May switch where a callback does. Throws: AlreadyCalledError if it was fired before, naming the
  // place; std::logic_error through a handle of another type. Nothing is changed then.
  template <class V = T>
    requires(!std::is_void_v<T> && std::is_constructible_v<T, V> &&
             !detail::kIsDeferred<std::remove_cvref_t<V>> &&
             !detail::kIsResult<std::remove_cvref_t<V>> &&
             !std::is_same_v<std::remove_cvref_t<V>, Failure>)
  void callback(V&& value, At at = At::current()) const {
    fire(at, std::forward<V>(value));
  }
  void callback(At at = At::current()) const
    requires std::is_void_v<T>
  {
    fire(at);
  }
  void callback(const Failure& failure, At at = At::current()) const { errback(failure, at); }

  // Runs the errbacks. May switch where a callback does. Throws: AlreadyCalledError.
  void errback(const Failure& failure, At at = At::current()) const {
    detail::Chain& chain = home();
    if (!chain.beginFire(at)) return;
    chain.setFailure(failure.exception());
    chain.endFire();
  }
  void errback(const std::exception_ptr& error, At at = At::current()) const {
    errback(Failure(error), at);
  }
  template <class E>
    requires std::is_base_of_v<std::exception, std::remove_cvref_t<E>>
  void errback(E&& error, At at = At::current()) const {
    errback(Failure(std::forward<E>(error)), at);
  }
  // With the exception being handled. Throws also: std::logic_error if there is none.
  void errback(At at = At::current()) const { errback(Failure(), at); }

  // --- callbacks: run in the order added, at once if it has fired. An f for a value gets a T and
  // returns a U, a Deferred<U> (the chain goes on when that has fired) or a Result<U>; an f for a
  // failure gets a Failure and returns a T, a Deferred<T>, a Result<T> or a Failure. Each returns
  // this Deferred as it is now: a Deferred<U>.
  // May switch where f does. Throws: AlreadyChainedError through a spent handle.

  template <class F>
    requires detail::TakesValue<F, T>
  decltype(auto) addCallback(F f, At at = At::current()) const& {
    using U = detail::UnwrappedOf<detail::ValueCallOf<F, T>>;
    return add<U>(std::move(f), detail::PassThrough(), at);
  }
  template <class F>
    requires detail::TakesValue<F, T>
  auto addCallback(F f, At at = At::current()) && {
    using U = detail::UnwrappedOf<detail::ValueCallOf<F, T>>;
    return std::move(*this).template addHere<U>(std::move(f), detail::PassThrough(), at);
  }

  // f takes the value, g the failure that came to this place, and not what f throws.
  template <class F, class G>
    requires detail::TakesValue<F, T> && detail::TakesFailure<G>
  decltype(auto) addCallbacks(F f, G g, At at = At::current()) const& {
    using U = detail::UnwrappedOf<detail::ValueCallOf<F, T>>;
    return add<U>(std::move(f), std::move(g), at);
  }
  template <class F, class G>
    requires detail::TakesValue<F, T> && detail::TakesFailure<G>
  auto addCallbacks(F f, G g, At at = At::current()) && {
    using U = detail::UnwrappedOf<detail::ValueCallOf<F, T>>;
    return std::move(*this).template addHere<U>(std::move(f), std::move(g), at);
  }

  template <class G>
    requires detail::TakesFailure<G>
  const Deferred& addErrback(G g, At at = At::current()) const& {
    return add<T>(detail::PassThrough(), std::move(g), at);
  }
  template <class G>
    requires detail::TakesFailure<G>
  Deferred addErrback(G g, At at = At::current()) && {
    return std::move(*this).template addHere<T>(detail::PassThrough(), std::move(g), at);
  }

  // g takes exceptions of the type E, by const reference; others pass.
  template <class E, class G>
    requires std::is_invocable_v<G&, const E&>
  const Deferred& addErrback(G g, At at = At::current()) const& {
    return add<T>(detail::PassThrough(), detail::ErrorFilter<E, G>{std::move(g)}, at);
  }
  template <class E, class G>
    requires std::is_invocable_v<G&, const E&>
  Deferred addErrback(G g, At at = At::current()) && {
    return std::move(*this).template addHere<T>(detail::PassThrough(),
                                                detail::ErrorFilter<E, G>{std::move(g)}, at);
  }

  // f gets either outcome as a Result<T>.
  template <class F>
    requires std::is_invocable_v<F&, Result<T>>
  decltype(auto) addBoth(F f, At at = At::current()) const& {
    using U = detail::UnwrappedOf<std::invoke_result_t<F&, Result<T>>>;
    return append<U, detail::BothLink<T, U, F>>(at, std::move(f));
  }
  template <class F>
    requires std::is_invocable_v<F&, Result<T>>
  auto addBoth(F f, At at = At::current()) && {
    using U = detail::UnwrappedOf<std::invoke_result_t<F&, Result<T>>>;
    return std::move(*this).template appendHere<U, detail::BothLink<T, U, F>>(at, std::move(f));
  }

  // Fires `other` with the result at this place; the result is gone from here. Unlike a Deferred
  // returned from a callback, `other` is not waited for, and cancelling it does not touch this one.
  // Throws: AlreadyChainedError.
  void chainDeferred(const Deferred& other, At at = At::current()) const {
    other.home().requireOriginal(other.generation_, typeid(T));
    home().requireOtherThan(*other.chain_);
    take(at).chainTo(other.chain_, at);
  }

  // --- time and cancellation

  // Cancels it if it has not come to this place of its chain by then: callbacks added before are
  // included, later ones are not. The CancelledError becomes TimeoutError; a result that the
  // canceller makes is passed on. With `onTimeout` that decides, as a Result<T> or a T.
  // Throws: AlreadyChainedError; std::logic_error on the loop's time off a loop.
  const Deferred& addTimeout(Duration timeout, TimeSource& time = loopTime(),
                             At at = At::current()) const& {
    return addTimeout(timeout, &detail::timedOut<T>, time, at);
  }
  template <class F>
    requires std::is_invocable_v<F&, Result<T>, Duration>
  const Deferred& addTimeout(Duration timeout, F onTimeout, TimeSource& time = loopTime(),
                             At at = At::current()) const& {
    detail::Chain& chain = home();
    auto guard = std::make_shared<detail::TimeoutGuard>(chain, timeout, time, at);
    return addBoth(
        [guard = std::move(guard), onTimeout = std::move(onTimeout),
         timeout](Result<T> result) mutable -> Result<T> {
          if (!guard->end()) return result;
          if constexpr (std::is_void_v<std::invoke_result_t<F&, Result<T>, Duration>>) {
            static_assert(std::is_void_v<T>, "onTimeout returns what the Deferred holds");
            onTimeout(std::move(result), timeout);
            return {};
          } else {
            return onTimeout(std::move(result), timeout);
          }
        },
        at);
  }
  Deferred addTimeout(Duration timeout, TimeSource& time = loopTime(), At at = At::current()) && {
    static_cast<const Deferred&>(*this).addTimeout(timeout, time, at);
    return std::move(*this);
  }
  template <class F>
    requires std::is_invocable_v<F&, Result<T>, Duration>
  Deferred addTimeout(Duration timeout, F onTimeout, TimeSource& time = loopTime(),
                      At at = At::current()) && {
    static_cast<const Deferred&>(*this).addTimeout(timeout, std::move(onTimeout), time, at);
    return std::move(*this);
  }

  // Asks for its end. Unfired: the canceller is called; without one CancelledError is the result,
  // and the producer's fire, should it come, is dropped once. Waiting for another Deferred: that
  // one is cancelled. Otherwise nothing. Through any handle. May switch where a callback does.
  // Never throws for a Deferred that is done.
  void cancel() const { home().cancel(); }

  // Holds back what is in the chain until as many unpause(). Through any handle.
  // Throws: std::logic_error for an unpause() too many.
  void pause() const { home().pause(); }
  void unpause() const { home().unpause(); }

  // --- what has become of it

  bool isCalled() const { return home().isCalled(); }  // fired; its callbacks may still wait
  // "Deferred<int> created at f.cpp:12, not fired"
  std::string toString() const;

  // For any number of callbacks and waiters: each gets the value by const reference. Takes it.
  // Throws: AlreadyChainedError.
  SharedDeferred<T> share(At at = At::current()) const;

  explicit operator bool() const noexcept { return static_cast<bool>(chain_); }  // not moved from
  bool operator==(const Deferred& other) const noexcept {
    return chain_.get() == other.chain_.get();
  }

 private:
  template <class U>
  friend class Deferred;
  friend struct detail::DeferredAccess;

  Deferred(detail::ChainPointer chain, std::uint32_t generation) noexcept
      : chain_(std::move(chain)), generation_(generation) {}

  template <class... V>
  void fire(const At& at, V&&... value) const {
    detail::Chain& chain = home();
    chain.requireOriginal(generation_, typeid(T));
    if constexpr (detail::ResultSlot::setsSafely<T, V...>()) {
      if (!chain.beginFire(at)) return;
      chain.slot().template setValue<T>(std::forward<V>(value)...);
    } else {
      // What making the value throws is the caller's, and then the Deferred is not fired.
      detail::ResultSlot made;
      made.setValue<T>(std::forward<V>(value)...);
      if (!chain.beginFire(at)) return;
      made.moveTo(chain.slot());
    }
    chain.endFire();
  }

  detail::Chain& home() const {
    if (!chain_ || !chain_->isHome()) [[unlikely]]
      detail::throwNotHome(chain_.get());
    return *chain_;
  }
  // The result will be the caller's.
  detail::Chain& take(const At& at) const {
    detail::Chain& chain = home();
    chain.requireGeneration(generation_);
    chain.spend(at);
    return chain;
  }

  template <class U, class F, class G>
  static constexpr void checkErrback() {
    if constexpr (!std::is_same_v<G, detail::PassThrough>) {
      static_assert(detail::kMayFollow<typename detail::ErrorCall<G>::Type, U>,
                    "an errback returns what its Deferred holds, or a Deferred, a Result or a "
                    "Failure; one that always throws says so: `-> T`");
    }
    if constexpr (!std::is_same_v<F, detail::PassThrough>) {
      static_assert(!std::is_same_v<detail::ValueCallOf<F, T>, Failure>,
                    "return a Result<U>: the type of the value would be unknown");
    }
  }

  template <class U, class F, class G>
  decltype(auto) add(F f, G g, const At& at) const {
    checkErrback<U, F, G>();
    return append<U, detail::CallbackLink<T, U, F, G>>(at, std::move(f), std::move(g));
  }
  template <class U, class F, class G>
  Deferred<U> addHere(F f, G g, const At& at) && {
    checkErrback<U, F, G>();
    return std::move(*this).template appendHere<U, detail::CallbackLink<T, U, F, G>>(
        at, std::move(f), std::move(g));
  }
  template <class U, class Link, class... Args>
  decltype(auto) append(const At& at, Args&&... args) const {
    detail::Chain& chain = home();
    chain.requireGeneration(generation_);
    // A link that cannot be made changes nothing.
    detail::Link& link = Link::make(chain, std::forward<Args>(args)...);
    if constexpr (std::is_same_v<T, U>) {
      chain.append(link);
      return static_cast<const Deferred&>(*this);
    } else {
      chain.spend(at);
      Deferred<U> after(chain_, chain.generation());
      chain.append(link);
      return after;
    }
  }
  template <class U, class Link, class... Args>
  Deferred<U> appendHere(const At& at, Args&&... args) && {
    detail::Chain& chain = home();
    chain.requireGeneration(generation_);
    detail::Link& link = Link::make(chain, std::forward<Args>(args)...);
    if constexpr (!std::is_same_v<T, U>) chain.spend(at);
    Deferred<U> after(std::move(chain_), chain.generation());
    chain.append(link);
    return after;
  }

  detail::ChainPointer chain_;
  std::uint32_t generation_ = 0;
};

namespace detail {

struct DeferredAccess {
  template <class T>
  static Chain& home(const Deferred<T>& deferred) {
    return deferred.home();
  }
  template <class T>
  static std::uint32_t generation(const Deferred<T>& deferred) noexcept {
    return deferred.generation_;
  }
  // A handle on a chain whose result is a T at that generation.
  template <class T>
  static Deferred<T> make(ChainPointer chain, std::uint32_t generation) noexcept {
    return Deferred<T>(std::move(chain), generation);
  }
  template <class T>
  static ChainPointer release(Deferred<T>& deferred) noexcept {
    return std::move(deferred.chain_);
  }
};

template <class T>
void continueWith(Chain& chain, const Deferred<T>& inner) {
  chain.takeFrom(DeferredAccess::home(inner), DeferredAccess::generation(inner));
}

}  // namespace detail

template <class T>
std::string Deferred<T>::toString() const {
  return home().describe(typeid(T));
}

}  // namespace plait

#include "plait/succeed.h"  // nobody has one without the other
