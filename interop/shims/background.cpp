#include "plait/background.h"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <thread>

#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/thread_wait.h"
#include "plait/report.h"

namespace plait {
namespace {

detail::raw::Lock backgroundLock;  // held while a thread starts or ends
[[maybe_unused]] const bool kHeld = detail::process::holdAcrossFork(backgroundLock);

struct Background {
  std::optional<std::thread> thread;
  unsigned forkGeneration = 0;
  bool refused = false;
  bool endsAtExit = false;
};

Background& background() {
  static auto* made = new Background;
  return *made;
}

// A forked child has no such thread, though its memory says so.
void forgetParents(Background& all) {
  if (!all.thread || all.forkGeneration == detail::process::forkGeneration()) return;
  new std::optional<std::thread>(std::move(all.thread));  // never joined, never destroyed
  all.thread.reset();
}

// What keeps the runtime from starting is the starter's to hear.
struct Started {
  std::atomic<std::uint32_t> word{0};
  std::exception_ptr error;
  void say() noexcept {
    word.store(1, std::memory_order_release);
    detail::raw::futexWake(word, 1);
  }
};

}  // namespace

void setup(const RunOptions& options) {
  Background& all = background();
  const detail::raw::Locked locked(backgroundLock);
  forgetParents(all);
  if (all.refused) throw std::logic_error("setup() after noSetup(): the program runs the reactor");
  if (all.thread || reactor().isRunning()) return;
  auto started = std::make_shared<Started>();
  reactor().callWhenRunning([started] { started->say(); });
  all.thread.emplace([options = options, started]() mutable {
    // Ctrl-C is the program's main thread's.
    options.endOnInterrupt = false;
    try {
      reactor().run(false, options);
    } catch (...) {
      // Who has been told that it runs does not look any more.
      if (started->word.load(std::memory_order_relaxed) != 0) {
        reportError("the reactor in the background", std::current_exception());
        return;
      }
      started->error = std::current_exception();
    }
    started->say();
  });
  all.forkGeneration = detail::process::forkGeneration();
  while (started->word.load(std::memory_order_acquire) == 0) {
    detail::raw::futexWait(started->word, 0);
  }
  if (started->error) {
    all.thread->join();
    all.thread.reset();
    std::rethrow_exception(started->error);
  }
  if (!std::exchange(all.endsAtExit, true)) std::atexit([] { shutdown(); });
}

void shutdown() {
  detail::requireNoLoop("shutdown()");
  Background& all = background();
  const detail::raw::Locked locked(backgroundLock);
  forgetParents(all);
  if (!all.thread) return;
  try {
    reactor().stop();
  } catch (const ReactorStopped&) {
    // It has ended by itself.
  }
  all.thread->join();
  all.thread.reset();
}

void noSetup() {
  Background& all = background();
  const detail::raw::Locked locked(backgroundLock);
  forgetParents(all);
  if (all.thread) throw std::logic_error("noSetup() after setup(): the reactor runs already");
  all.refused = true;
}

}  // namespace plait
