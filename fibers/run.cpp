#include "plait/run.h"

#include <signal.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "plait/detail/interrupt.h"
#include "plait/detail/kernel.h"
#include "plait/detail/loop.h"
#include "plait/error.h"
#include "scheduler.h"

namespace plait {
namespace detail {
namespace {

std::unique_ptr<Kernel> makeKernel(const RunOptions& options) {
  const char* const forced = std::getenv("PLAIT_KERNEL");
  const std::string name = !options.kernel.empty() ? options.kernel
                           : forced != nullptr     ? forced
                                                   : "uring";
  if (name == "sim") return makeSimKernel(options.sim);
  if (name == "uring") return makeUringKernel(options.queueEntries);
  throw Error(std::errc::invalid_argument,
              "no kernel backend is called '" + name + "'; there are uring and sim");
}

Duration spinOf(const RunOptions& options) {
  const char* const text = std::getenv("PLAIT_SPIN_US");
  if (options.spin > Duration::zero() || text == nullptr) return options.spin;
  long microseconds = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, microseconds);
  if (error != std::errc() || rest != end || microseconds < 0 || microseconds > 1'000'000) {
    throw Error(std::errc::invalid_argument,
                std::string("PLAIT_SPIN_US is '") + text +
                    "'; it wants microseconds, a whole number up to 1000000");
  }
  return std::chrono::microseconds(microseconds);
}

// A write to a pipe or socket whose reader is gone shall be an error of one fiber, not the end of
// all. A handler that the program has set is left alone.
void ignoreSigpipe() noexcept {
  struct sigaction present{};
  if (::sigaction(SIGPIPE, nullptr, &present) != 0 || present.sa_handler != SIG_DFL) return;
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

// When main has ended, a fiber of the runtime's own ends all others and stops the loop.
struct MainEnded final : DoneNode {
  MainEnded() : DoneNode(&ended) {}
  static void ended(DoneNode&, Fiber&) noexcept { Scheduler::current()->beginClosing(); }
};

void killMain(Task&) {
  // Finished, it is not killed any more.
  if (Scheduler* const scheduler = static_cast<Scheduler*>(Loop::current()->owner())) {
    scheduler->main->requestKill();
  }
}

// Returns what ended it, if it was no success.
std::exception_ptr runLoop(Fiber& main, const RunOptions& options, Interruption& interruption) {
  Loop loop(makeKernel(options));
  if (options.errorSink) loop.errorSink() = options.errorSink;
  // A virtual clock stands still while a thread spins.
  if (loop.kernel().info().name != "sim") loop.setSpin(spinOf(options));
  Scheduler scheduler(loop, options.stackBytes);
  MainEnded ended;
  main.addDone(ended);
  scheduler.main = &main;
  scheduler.mainEnded = &ended;
  scheduler.makeKernel = [&options] { return makeKernel(options); };
  scheduler.add(main);
  interruption.listen(loop.inbox());
  scheduler.drive();
  ended.unlink();  // a main that refused to end has not fired it
  main.markObserved();
  if (scheduler.main != &main) {
    throw Error(std::errc::owner_dead,
                "run() ended in a forked child, with the fiber that called afterForkInChild()");
  }
  std::exception_ptr error = scheduler.deadlock ? scheduler.deadlock : main.error();
  // Nobody will see it thrown.
  if (error && !main.isKilled() && interruption.hasArrived()) reportError("run()", error);
  return error;
}

}  // namespace

void runMain(Fiber& main, const RunOptions& options, bool ofTeam) {
  ignoreSigpipe();
  Interruption interruption(options.endOnInterrupt, &killMain);
  const std::exception_ptr error = runLoop(main, options, interruption);
  if (!ofTeam) interruption.finish();
  if (error) std::rethrow_exception(error);
}

}  // namespace detail

const KernelInfo& kernelInfo() { return detail::Loop::require("kernelInfo()").kernel().info(); }

}  // namespace plait
