// crochet's: a program of blocking threads that has a runtime in the background.
#pragma once

#include <chrono>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/eventual_result.h"
#include "plait/reactor.h"
#include "plait/run.h"

namespace plait {

// Starts the reactor on a thread of its own, if it does not run; returns when it does. It ends with
// shutdown(), at the latest when the process exits. Signals are left to the program. Any thread.
// Throws: what keeps the runtime from starting; std::logic_error after noSetup().
void setup(const RunOptions& options = RunOptions());
// Stops it: waits in other threads end with ReactorStopped, shutdown triggers are called, and the
// thread is joined. setup() may start another one. No effect if none runs. Not on the loop.
void shutdown();
// Says that the program runs the reactor itself: from then on setup() is refused.
// Throws: std::logic_error if setup() has started one.
void noSetup();

// Runs f on a greenlet of the reactor (started by setup(), or run by the program): it may block
// there, and may return a Deferred. Any thread. Throws: ReactorStopped if none runs.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto runInReactor(F&& f, std::source_location at = std::source_location::current()) {
  return runInReactor(reactor().loop(), std::forward<F>(f), at);
}

// runInReactor(f).wait(timeout); what is late is cancelled.
// Blocks the thread. Throws: as EventualResult::wait().
template <class F>
auto waitFor(Duration timeout, F&& f, std::source_location at = std::source_location::current()) {
  const auto result = runInReactor(std::forward<F>(f), at);
  using T = std::remove_reference_t<decltype(result.wait(timeout))>;
  try {
    if constexpr (std::is_void_v<T>) {
      result.wait(timeout);
    } else {
      return T(std::move(result.wait(timeout)));
    }
  } catch (const TimeoutError&) {
    if (!result.isReady()) result.cancel();
    throw;
  }
}

}  // namespace plait
