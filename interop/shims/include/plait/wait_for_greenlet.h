// waitForGreenlet(g): a greenlet's end as a Deferred; and greenlets for code that lives on
// callbacks.
#pragma once

#include <functional>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/fiber.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/wait_for_deferred.h"

namespace plait {
namespace detail {

// Fires when the greenlet has ended; of itself it says nothing about how. A cancel kills.
Deferred<AnyGreenlet> whenEnded(const AnyGreenlet& greenlet, const std::source_location& at);

// A result that can only be moved belongs to the first who asks.
void claimResult(const AnyGreenlet& greenlet);

}  // namespace detail

// Fires when `greenlet` has ended, with its value or its exception; at once if it has. One that was
// killed fails with GreenletKilled. A greenlet that returns a Deferred<U> gives what comes of that.
// cancel() kills it: the Deferred fires when it has really ended, with what it made of the kill.
// Dropping the Deferred lets it run on. Its error is the Deferred's from now on, and reported once
// if nobody takes it there. Any number of Deferreds for one greenlet, unless its result can only be
// moved. Never switches.
// Throws: std::logic_error off a loop; AlreadyChainedError for a second one of a result that can
// only be moved.
template <class T>
auto waitForGreenlet(const Greenlet<T>& greenlet,
                     std::source_location at = std::source_location::current()) {
  constexpr bool kCopies = std::is_void_v<T> || std::is_copy_constructible_v<T>;
  if constexpr (!kCopies) detail::claimResult(greenlet);
  return detail::whenEnded(greenlet, at)
      .addCallback(
          [greenlet](const AnyGreenlet&) -> T {
            if constexpr (kCopies) {
              return greenlet.get();
            } else {
              return Greenlet<T>(greenlet).result();
            }
          },
          at);
}

// For coroutines: co_await greenlet.
template <class T>
auto toDeferred(const Greenlet<T>& greenlet) {
  return waitForGreenlet(greenlet);
}

// spawn(f) as a Deferred. Never switches.
template <class F>
auto deferToGreenlet(F&& f, std::source_location at = std::source_location::current()) {
  return waitForGreenlet(spawn(std::forward<F>(f), at), at);
}

// The same in a pool: f begins when the pool has room. cancel() takes it out of the line, or kills
// it. The pool must live until then. Never switches.
template <class F>
auto deferToGreenletPool(Pool& pool, F&& f,
                         std::source_location at = std::source_location::current()) {
  return deferToGreenlet(
      [&pool, f = std::decay_t<F>(std::forward<F>(f)), at]() mutable {
        const auto greenlet = pool.spawn(std::move(f), at);
        // Whoever waits here is killed in its stead.
        return waitForDeferred(waitForGreenlet(greenlet, at));
      },
      at);
}

// Calls the functions one after the other on one greenlet; the first that throws is reported and
// ends it. Never switches.
AnyGreenlet callMultipleInGreenlet(std::vector<detail::UniqueFunction<void()>> functions,
                                   std::source_location at = std::source_location::current());

}  // namespace plait
