// How a callback of a Deferred<T> that returns R becomes a link of its chain.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "plait/cancellation.h"
#include "plait/detail/chain.h"
#include "plait/detail/throw_record.h"
#include "plait/failure.h"

namespace plait {

template <class T>
class Deferred;

namespace detail {

// The chain goes on with the result of `inner`, now or later; deferred.h. Throws:
// AlreadyChainedError; std::logic_error for a chain that would wait for itself.
template <class T>
void continueWith(Chain& chain, const Deferred<T>& inner);

// What stands where a pair has only one of the two.
struct PassThrough {};

// The T that a callback which returns R leaves in the chain: R itself, or what it wraps.
template <class R>
struct Unwrapped {
  using Type = R;
};
template <class T>
struct Unwrapped<Deferred<T>> {
  using Type = T;
};
template <class T>
struct Unwrapped<Result<T>> {
  using Type = T;
};
template <class R>
using UnwrappedOf = typename Unwrapped<std::remove_cvref_t<R>>::Type;

template <class R>
inline constexpr bool kIsDeferred = false;
template <class T>
inline constexpr bool kIsDeferred<Deferred<T>> = true;

template <class F, class T>
struct ValueCall {
  using Type = std::invoke_result_t<F&, T>;
};
template <class F>
struct ValueCall<F, void> {
  using Type = std::invoke_result_t<F&>;
};
template <class F, class T>
using ValueCallOf = typename ValueCall<F, T>::Type;

template <class F, class T>
concept TakesValue = (std::is_void_v<T> && std::is_invocable_v<F&>) || std::is_invocable_v<F&, T>;
template <class F>
concept TakesFailure = std::is_invocable_v<F&, Failure>;

// Whether an errback of a Deferred<T> may return R.
template <class R, class T>
inline constexpr bool kMayFollow =
    (std::is_void_v<R> && std::is_void_v<T>) || std::is_same_v<std::remove_cvref_t<R>, Failure> ||
    std::is_same_v<std::remove_cvref_t<R>, Deferred<T>> ||
    std::is_same_v<std::remove_cvref_t<R>, Result<T>> ||
    (!std::is_void_v<T> && std::is_convertible_v<R, T>);

// Puts what a callback has returned into the chain, whose slot is empty.
template <class U, class R>
void settleWith(Chain& chain, R&& outcome) {
  using Outcome = std::remove_cvref_t<R>;
  if constexpr (std::is_same_v<Outcome, Failure>) {
    chain.setFailure(outcome.exception());
  } else if constexpr (kIsResult<Outcome>) {
    if (!outcome.isValue()) return chain.setFailure(outcome.failure().exception());
    if constexpr (std::is_void_v<U>) {
      chain.slot().template setValue<void>();
    } else {
      chain.slot().template setValue<U>(std::move(outcome.value()));
    }
  } else if constexpr (kIsDeferred<Outcome>) {
    continueWith(chain, outcome);
  } else {
    chain.slot().template setValue<U>(std::forward<R>(outcome));
  }
}

// Calls f and puts what comes out into the chain. `consumed` empties the slot once f has returned
// or thrown. Throws: a Cancellation only.
template <class U, class F, class Clear, class... Args>
void callInto(Chain& chain, F& f, Clear clear, Args&&... args) {
  auto run = [&] {
    using R = std::invoke_result_t<F&, Args...>;
    if constexpr (std::is_void_v<R>) {
      std::invoke(f, std::forward<Args>(args)...);
      clear();
      chain.slot().template setValue<void>();
    } else {
      // A copy: what it refers to may lie in the slot.
      std::decay_t<R> outcome = std::invoke(f, std::forward<Args>(args)...);
      clear();
      settleWith<U>(chain, std::move(outcome));
    }
  };
  ThrowRecord record;
  try {
    if (Chain::isDebugging()) [[unlikely]] {
      record.call(run);
    } else {
      run();
    }
  } catch (const Cancellation& cancellation) {
    clear();
    chain.setCancelled(cancellation.reason());
    throw;
  } catch (...) {
    clear();
    chain.setFailure(std::current_exception());
    record.keepFor(chain.slot().failure());
  }
}

// An errback for exceptions of the type E alone.
template <class E, class G>
struct ErrorFilter {
  using Error = E;
  G function;
};
template <class G>
inline constexpr bool kIsErrorFilter = false;
template <class E, class G>
inline constexpr bool kIsErrorFilter<ErrorFilter<E, G>> = true;

template <class G>
struct ErrorCall {
  using Type = std::invoke_result_t<G&, Failure>;
};
template <class E, class G>
struct ErrorCall<ErrorFilter<E, G>> {
  using Type = std::invoke_result_t<G&, const E&>;
};

// A link that lives in its chain's memory.
template <class Derived>
class OwnedLink : public Link {
 public:
  // In the chain's memory, for chain.append().
  template <class... Args>
  static Link& make(Chain& chain, Args&&... args) {
    void* const room = chain.allocate(sizeof(Derived), alignof(Derived));
    return *::new (room) Derived(std::forward<Args>(args)...);
  }

 protected:
  OwnedLink() noexcept : Link(&run) {}

 private:
  static Chain* run(Link& link, Chain* chain) {
    struct Gone {
      Derived& link;
      ~Gone() { link.~Derived(); }
    };
    const Gone gone{static_cast<Derived&>(link)};
    if (chain != nullptr) gone.link.take(*chain);
    return nullptr;
  }
};

// A pair of callbacks, from Deferred<T> to Deferred<U>. Either may be PassThrough.
template <class T, class U, class F, class G>
class CallbackLink final : public OwnedLink<CallbackLink<T, U, F, G>> {
 public:
  CallbackLink(F&& f, G&& g) : onValue_(std::move(f)), onFailure_(std::move(g)) {}

  void take(Chain& chain) {
    if (chain.slot().state() == ResultSlot::State::value) {
      if constexpr (!std::is_same_v<F, PassThrough>) takeValue(chain);
    } else {
      if constexpr (!std::is_same_v<G, PassThrough>) takeFailure(chain);
    }
  }

 private:
  // The value stays in its slot while the callback has it by reference.
  void takeValue(Chain& chain) {
    ResultSlot& slot = chain.slot();
    const auto clear = [&slot] {
      if (slot.state() == ResultSlot::State::value) slot.template clearValue<T>();
    };
    if constexpr (std::is_void_v<T>) {
      callInto<U>(chain, onValue_, clear);
    } else {
      callInto<U>(chain, onValue_, clear, std::move(slot.template value<T>()));
    }
  }

  void takeFailure(Chain& chain) {
    if constexpr (kIsErrorFilter<G>) {
      using E = typename G::Error;
      if (caughtBy(typeid(E), chain.slot().failure()) == nullptr) return;
      const Failure failure(chain.slot().takeFailure());
      callInto<U>(chain, onFailure_.function, [] {}, *failure.check<E>());
    } else {
      callInto<U>(chain, onFailure_, [] {}, Failure(chain.slot().takeFailure()));
    }
  }

  [[no_unique_address]] F onValue_;
  [[no_unique_address]] G onFailure_;
};

template <class T>
Result<T> takeResult(ResultSlot& slot) {
  if (slot.state() == ResultSlot::State::failure) return Failure(slot.takeFailure());
  if constexpr (std::is_void_v<T>) {
    slot.clearValue<void>();
    return {};
  } else {
    return slot.takeValue<T>();
  }
}

// One function for either outcome.
template <class T, class U, class F>
class BothLink final : public OwnedLink<BothLink<T, U, F>> {
 public:
  explicit BothLink(F&& f) : function_(std::move(f)) {}

  void take(Chain& chain) {
    // What moving the value throws is the chain's as well.
    const auto call = [this, &chain]() -> decltype(auto) {
      return std::invoke(function_, takeResult<T>(chain.slot()));
    };
    callInto<U>(chain, call, [] {});
  }

 private:
  [[no_unique_address]] F function_;
};

}  // namespace detail
}  // namespace plait
