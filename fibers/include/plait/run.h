// The beginning and the end: a runtime on the calling thread for as long as its main function runs.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "plait/greenlet.h"
#include "plait/kernel_info.h"
#include "plait/report.h"
#include "plait/sim.h"

namespace plait {

struct RunOptions {
  std::string kernel;               // "uring", "sim"; empty: PLAIT_KERNEL, then uring
  SimOptions sim;                   // for the sim kernel
  std::size_t queueEntries = 1024;  // of the ring: operations handed over in one enter
  std::size_t stackBytes = 0;       // of fibers that ask for no other; 0: 256 KiB
  // Before it sleeps the loop looks for work for so long, as long as its last waits were short too.
  // For latency with few connections: it spares the wake-up, and takes the core meanwhile. 20 µs
  // are enough for that. Zero: PLAIT_SPIN_US from the environment, then none.
  Duration spin = Duration::zero();
  ErrorSink errorSink;  // empty: what setErrorSink() said last off a loop
  // Ctrl-C ends the run in order if SIGINT has its default action when it begins: main's greenlet
  // is killed, all is unwound as at the end of every run, and when no other such run is left SIGINT
  // ends the process; run() does not return then. A second SIGINT ends it at once. As long as
  // there is an onSignal, SignalStream or stopOn of SIGINT, or an action that the program has set
  // meanwhile, that one gets the signal and the run goes on. A forked child has the default action.
  bool endOnInterrupt = true;
};

namespace detail {
void runMain(Fiber& main, const RunOptions& options, bool ofTeam = false);
}

// Runs f on a fiber, and the loop around it on this thread, until f returns; then every other fiber
// is killed and unwound, callbacks that were not called are dropped, and the result is returned (0
// where f returns nothing, so that main can say `return run(...)`). One run at a time on a thread.
// Throws: what f throws; DeadlockError when nothing can wake any fiber any more; GreenletKilled if
// f's greenlet was killed; IoError if the kernel refuses io_uring.
template <class F>
decltype(auto) run(const RunOptions& options, F&& f,
                   std::source_location at = std::source_location::current()) {
  using T = std::invoke_result_t<std::decay_t<F>&>;
  auto fiber = detail::makeGreenlet(std::forward<F>(f), {"main", 0}, at);
  detail::runMain(*fiber, options);
  if constexpr (std::is_void_v<T>) {
    return 0;
  } else if constexpr (std::is_reference_v<T>) {
    return static_cast<T>(**fiber->value);
  } else {
    return T(std::move(*fiber->value));
  }
}

template <class F>
decltype(auto) run(F&& f, std::source_location at = std::source_location::current()) {
  return run(RunOptions(), std::forward<F>(f), at);
}

// Of the current loop. Throws: std::logic_error off a loop.
const KernelInfo& kernelInfo();

}  // namespace plait
