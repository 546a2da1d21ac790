// waitForDeferred(d): a fiber waits for a Deferred as for any blocking call.
#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/deferred.h"
#include "plait/shared_deferred.h"
#include "plait/time.h"

namespace plait {

// What becomes of the Deferred when its waiter is killed or out of time.
enum class OnWaitEnd : unsigned char {
  cancelAndWait,  // cancelled, and waited for until it has ended: it may use the waiter's frame
  cancel,         // cancelled and left at once: it must own all that it uses
  detach,         // left alone, and the handle stays good: nothing was taken
};

namespace detail {

struct DeferredWaitOptions {
  Duration timeout;
  OnWaitEnd onEnd;
  std::source_location at;
};

// Parks until the chain has its result at this place, and moves it into `into`; the reference is
// dropped before.
void waitForChain(ChainPointer chain, std::uint32_t generation, ResultSlot& into,
                  const DeferredWaitOptions& options);

// Throws: std::logic_error if the calling fiber would wait for its own end.
void requireOtherThanSelf(const Chain& chain);

}  // namespace detail

// Parks only this fiber until `d` has come to the end of its chain as it stands now; returns the
// value or throws the exception, with its own type. The result is taken: to wait for `d` again, or
// to add to it, is AlreadyChainedError; share() it for several.
//
// A waiter that is killed, or whose Timeout expires, cancels `d` and waits on for what comes of
// that. A value is returned all the same, and the kill strikes at the next blocking call; so `d`
// may use this frame. `onEnd` can say otherwise: after OnWaitEnd::cancel a late CancelledError is
// nobody's, another late failure is reported, and a late value is destroyed.
//
// The handle is dropped before the fiber parks: when no other is left that could fire `d`,
// BrokenDeferredError is thrown. A caller that keeps a copy does without that.
// May switch. Throws: what `d` failed with; CancelledError if somebody else cancelled it;
// AlreadyChainedError; std::logic_error if it is another thread's, or this fiber's own end.
template <class T>
T waitForDeferred(Deferred<T> d, Duration timeout, OnWaitEnd onEnd = OnWaitEnd::cancelAndWait,
                  std::source_location at = std::source_location::current()) {
  static_cast<void>(detail::DeferredAccess::home(d));
  detail::ResultSlot slot;
  const std::uint32_t generation = detail::DeferredAccess::generation(d);
  detail::waitForChain(detail::DeferredAccess::release(d), generation, slot, {timeout, onEnd, at});
  if (slot.state() == detail::ResultSlot::State::failure) {
    std::rethrow_exception(slot.takeFailure());
  }
  return slot.takeValue<T>();
}
// The first for ever. With a `timeout`, throws also: TimeoutError, when the cancelled `d` has
// ended.
template <class T>
T waitForDeferred(Deferred<T> d, OnWaitEnd onEnd = OnWaitEnd::cancelAndWait,
                  std::source_location at = std::source_location::current()) {
  return waitForDeferred(std::move(d), kForever, onEnd, at);
}

// The value is good while `d` lives. A waiter that is killed leaves; the work is cancelled when
// nobody waits any more.
template <class T>
std::add_lvalue_reference_t<const T> waitForDeferred(
    const SharedDeferred<T>& d, Duration timeout = kForever,
    std::source_location at = std::source_location::current()) {
  const Result<T>& result =
      waitForDeferred(d.whenReady(at), timeout, OnWaitEnd::cancelAndWait, at)->result();
  return result.value();
}

// A handler of the kind that blocks (a server's, an HTTP route's) from one that returns a Deferred.
template <class F>
auto deferredHandler(F handler, std::source_location at = std::source_location::current()) {
  return [handler = std::move(handler), at](auto&&... args) mutable {
    return waitForDeferred(std::invoke(handler, std::forward<decltype(args)>(args)...), kForever,
                           OnWaitEnd::cancelAndWait, at);
  };
}

}  // namespace plait
