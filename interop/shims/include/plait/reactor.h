// The reactor's face, for who comes from Twisted: one per process, run once or many times, each on
// whatever thread calls run(). It is a plait::run() with a beginning and an end that others can
// hook into; everything of fibers works on it.
#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plait/call_later.h"
#include "plait/deferred.h"
#include "plait/loop_handle.h"
#include "plait/maybe_deferred.h"
#include "plait/run.h"
#include "plait/thread_pool.h"
#include "plait/wait_for_deferred.h"

namespace plait {

class Reactor final {
 public:
  using TriggerId = std::uint64_t;
  using Trigger = detail::UniqueFunction<Deferred<void>()>;

  // --- any thread

  // Runs f on the reactor's loop. Throws: ReactorStopped if it does not run.
  template <class F>
  void callFromThread(F&& f, std::source_location at = std::source_location::current()) {
    loop().callFromThread(std::forward<F>(f), at);
  }
  // On a thread of the default pool. Throws: as plait::callInThread().
  template <class F>
  void callInThread(F&& f, std::source_location at = std::source_location::current()) {
    plait::callInThread(std::forward<F>(f), at);
  }
  // On the loop: now, as a callback, if it runs, else when run() begins. In the order of the calls.
  template <class F>
  void callWhenRunning(F&& f, std::source_location at = std::source_location::current()) {
    whenRunning(detail::UniqueFunction<void()>(std::forward<F>(f)), at);
  }
  // A bound for the default pool's threads. Throws: std::invalid_argument for 0.
  void suggestThreadPoolSize(std::size_t threads);
  bool isRunning() const;
  // Of the loop, for other threads. Throws: ReactorStopped if it does not run.
  LoopHandle loop() const;

  // --- the loop's thread

  // As plait::callLater().
  template <class F>
  DelayedCall callLater(Duration wait, F&& f,
                        std::source_location at = std::source_location::current()) {
    return plait::callLater(wait, std::forward<F>(f), at);
  }

  // Calls f in this phase ("before", "during", "after") of this event ("startup", "shutdown"); it
  // may block, and in "before" it may return a Deferred: the event goes on when all of these have
  // fired. What it throws is reported. Any thread, while the reactor does not run; otherwise the
  // loop's. Throws: std::invalid_argument for another phase or event.
  template <class F>
  TriggerId addSystemEventTrigger(std::string_view phase, std::string_view event, F f) {
    return addTrigger(phase, event, [f = std::move(f)]() mutable -> Deferred<void> {
      auto outcome = maybeDeferred(f);
      if constexpr (std::is_same_v<decltype(outcome), Deferred<void>>) {
        return outcome;
      } else {
        return std::move(outcome).addCallback([](auto&&) {});
      }
    });
  }
  // Throws: std::out_of_range for one that is not there.
  void removeSystemEventTrigger(TriggerId id);

  // Runs until stop(); SIGINT and SIGTERM call it unless told otherwise. Blocks the thread.
  // Throws: std::logic_error if it runs already; as plait::run().
  void run(bool installSignalHandlers = true, const RunOptions& options = RunOptions());
  // Ends run(), after the triggers of "shutdown". Never switches. Any thread.
  // Throws: ReactorStopped if it does not run.
  void stop();
  // The same, if it runs and was not stopped.
  void stopIfRunning() noexcept;

 private:
  void whenRunning(detail::UniqueFunction<void()> f, const std::source_location& at);
  TriggerId addTrigger(std::string_view phase, std::string_view event, Trigger trigger);
  void fireEvent(std::string_view event);
};

// The one of this process.
Reactor& reactor() noexcept;

// Twisted's react(): runs the reactor for as long as `main` takes: a function that may block, or
// that returns a Deferred. Returns 0 or what `main` does if that is an int; 1 after an error, which
// is reported.
template <class F>
int react(F main, const RunOptions& options = RunOptions()) {
  int code = 1;
  reactor().callWhenRunning([&main, &code] {
    spawn([&main, &code] {
      struct Stop {
        ~Stop() { reactor().stopIfRunning(); }
      };
      const Stop stop;
      const auto call = [&main] { return maybeDeferred(main); };
      using U = typename std::invoke_result_t<decltype(call)>::Value;
      try {
        if constexpr (std::is_same_v<U, int>) {
          code = waitForDeferred(call());
        } else {
          waitForDeferred(call());
          code = 0;
        }
      } catch (const Cancellation&) {
        throw;
      } catch (...) {
        reportError("react()", std::current_exception());
      }
    });
  });
  reactor().run(true, options);
  return code;
}

}  // namespace plait
