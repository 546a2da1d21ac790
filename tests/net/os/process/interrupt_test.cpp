// Ctrl-C: the first SIGINT ends the run in order, and then the process.
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "fiber_test.h"
#include "interrupt_support.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/run.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// The loop has to count as alive: hold a LoopHandle meanwhile.
void interruptWhenAsleep(int thread) {
  std::thread([thread] {
    waitUntilAsleep(thread);
    interruptMyself();
  }).detach();
}

struct sigaction interruptAction() {
  struct sigaction action{};
  ::sigaction(SIGINT, nullptr, &action);
  return action;
}

}  // namespace

TEST_CASE("the first SIGINT unwinds all fibers, then the process ends by it [PROCESS-15]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    const Ended ended = asProgram([&kernel] {
      const SaysWhenUnwound never{"after run"};
      run(onKernel(kernel), [] {
        const SaysWhenUnwound mine{"main "};
        spawn([] {
          const SaysWhenUnwound other{"other "};
          Event().wait();
        });
        const LoopHandle alive;
        interruptWhenAsleep(threadId());
        Event().wait();
        say("not reached");
      });
      return 0;
    });

    CHECK(ended.status == -SIGINT);
    CHECK(ended.output == "main other ");
  }
}

TEST_CASE("what unwinding printed to stdout is not lost [PROCESS-15]") {
  const Ended ended = asProgram([] {
    run([] {
      interruptMyself();
      try {
        Event().wait();
      } catch (...) {
        std::printf("buffered");
        throw;
      }
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "buffered");
}

TEST_CASE("cleanup of an interrupted run may block [PROCESS-15]") {
  const Ended ended = asProgram([] {
    run([] {
      interruptMyself();
      try {
        Event().wait();
      } catch (...) {
        const CancelShield shield;
        sleep(1ms);
        say("cleaned up");
        throw;
      }
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "cleaned up");
}

TEST_CASE("fibers that never sleep are ended at their next blocking calls [PROCESS-15]") {
  const Ended ended = asProgram([] {
    run([] {
      const SaysWhenUnwound mine{"unwound"};
      Event set;
      set.set();
      interruptMyself();
      for (;;) set.wait();
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "unwound");
}

TEST_CASE("a SIGINT that comes before main begins is not lost [PROCESS-15]") {
  const Ended ended = asProgram([] {
    // Blocked until the runtime stands: it is pending when the run takes it.
    sigset_t interrupt;
    ::sigemptyset(&interrupt);
    ::sigaddset(&interrupt, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
    interruptMyself();
    RunOptions options;
    run(options, [interrupt] {
      const SaysWhenUnwound mine{"unwound"};
      ::pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
      Event().wait();
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "unwound");
}

TEST_CASE("a SIGINT while the runtime is being made is not lost [PROCESS-15]") {
  const Ended ended = asProgram([] {
    static bool armed = false;
    // The loop gets a copy of the sink before it is there for signals.
    struct InterruptsWhenCopied {
      InterruptsWhenCopied() = default;
      InterruptsWhenCopied(const InterruptsWhenCopied&) {
        if (armed) interruptMyself();
      }
      void operator()(const ErrorReport&) const {}
    };
    RunOptions options;
    options.errorSink = InterruptsWhenCopied();
    armed = true;
    run(options, [] {
      const LoopHandle alive;
      say("begun");
      Event().wait();
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "begun");
}

TEST_CASE("a run that ends by itself with a SIGINT on its way ends the process too [PROCESS-15]") {
  const Ended ended = asProgram([] {
    run([] { interruptMyself(); });
    say("after run");
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output.empty());
}

TEST_CASE("an error while an interrupted run unwinds is reported [PROCESS-15]") {
  const Ended ended = asProgram([] {
    RunOptions options;
    options.errorSink = [](const ErrorReport& report) { say(describe(report.error)); };
    run(options, [] {
      interruptMyself();
      try {
        Event().wait();
      } catch (const Cancellation&) {
        throw std::runtime_error("in cleanup");
      }
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output.find("in cleanup") != std::string::npos);
}

TEST_CASE("a second SIGINT ends the process at once [PROCESS-16]") {
  const Ended ended = asProgram([] {
    run([] {
      const SaysWhenUnwound mine{"unwound"};
      interruptMyself();
      try {
        Event().wait();
      } catch (...) {
        say("cleaning ");
        interruptMyself();
        say("not reached");
        throw;
      }
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "cleaning ");
}

TEST_CASE("a SIGINT under a loop that never gives way: the second one ends it [PROCESS-16]") {
  const Ended ended = asProgram([] {
    run([] {
      interruptMyself();
      say("once ");
      interruptMyself();
      for (;;) continue;
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "once ");
}

TEST_CASE("the action of SIGINT is the default one again after a run [PROCESS-19]") {
  const Ended ended = asProgram([] {
    bool wasTaken = false;
    run([&] { wasTaken = interruptAction().sa_handler != SIG_DFL; });
    if (!wasTaken) return 1;
    if (interruptAction().sa_handler != SIG_DFL) return 2;
    // Again, after an end by exception.
    try {
      run([] { throw std::runtime_error("on purpose"); });
    } catch (const std::runtime_error&) {
    }
    return interruptAction().sa_handler == SIG_DFL ? 0 : 3;
  });

  CHECK(ended.status == 0);
}

TEST_CASE("waiting for a SIGINT that may come is a deadlock all the same [PROCESS-19]") {
  const Ended ended = asProgram([] {
    try {
      run([] { Event().wait(); });
    } catch (const DeadlockError&) {
      return 7;
    }
    return 0;
  });

  CHECK(ended.status == 7);
}

TEST_CASE("a forked child of a run has the default action [PROCESS-20]") {
  const Ended ended = asProgram([] {
    return run([] {
      const SaysWhenUnwound mine{"unwound"};
      const pid_t child = ::fork();
      if (child == 0) {
        if (interruptAction().sa_handler != SIG_DFL) ::_exit(3);
        interruptMyself();
        ::_exit(4);
      }
      return endOf(child) == -SIGINT ? 0 : 5;
    });
  });

  CHECK(ended.status == 0);
  CHECK(ended.output == "unwound");
}
