// A Deferred for a moment to come.
#pragma once

#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/deferred.h"
#include "plait/maybe_deferred.h"
#include "plait/time_source.h"

namespace plait {

// Fires `wait` from now. cancel() disarms the timer. Never switches.
// Throws: std::logic_error on the loop's time off a loop.
Deferred<void> deferLater(TimeSource& time, Duration wait,
                          std::source_location at = std::source_location::current());
inline Deferred<void> deferLater(Duration wait,
                                 std::source_location at = std::source_location::current()) {
  return deferLater(loopTime(), wait, at);
}

// Calls f then; the Deferred of what it returns.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto deferLater(TimeSource& time, Duration wait, F&& f,
                std::source_location at = std::source_location::current()) {
  return deferLater(time, wait, at).addCallback(std::decay_t<F>(std::forward<F>(f)), at);
}
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto deferLater(Duration wait, F&& f, std::source_location at = std::source_location::current()) {
  return deferLater(loopTime(), wait, std::forward<F>(f), at);
}

}  // namespace plait
