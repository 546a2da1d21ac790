// Ctrl-C where it is none of the run's business, and where there are several runs.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "fiber_test.h"
#include "interrupt_support.h"
#include "plait/detail/sanitizer.h"
#include "plait/event.h"
#include "plait/fork.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/run.h"
#include "plait/run_threads.h"
#include "plait/signal.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

volatile sig_atomic_t seen = 0;
void countSignal(int) { seen = seen + 1; }

int interruptTwiceAndReturn() {
  run([] {
    interruptMyself();
    interruptMyself();
    settle();
  });
  return 7;
}

}  // namespace

TEST_CASE("an action that the program has set for SIGINT is left alone [PROCESS-17]") {
  const Ended own = asProgram([] {
    ::signal(SIGINT, &countSignal);
    interruptTwiceAndReturn();
    ::raise(SIGINT);
    return static_cast<int>(seen);
  });
  const Ended ignored = asProgram([] {
    ::signal(SIGINT, SIG_IGN);
    return interruptTwiceAndReturn();
  });

  CHECK(own.status == 3);
  CHECK(ignored.status == 7);
}

TEST_CASE("an action that the program sets in a run stays after it [PROCESS-17]") {
  const Ended ended = asProgram([] {
    run([] {
      ::signal(SIGINT, &countSignal);
      ::raise(SIGINT);
      settle();
    });
    ::raise(SIGINT);
    return static_cast<int>(seen);
  });

  CHECK(ended.status == 2);
}

TEST_CASE(
    "a run's action that the program puts back too late stands for the default [PROCESS-17]") {
  const Ended ended = asProgram([] {
    void (*before)(int) = nullptr;
    run([&before] { before = ::signal(SIGINT, &countSignal); });
    ::signal(SIGINT, before);
    ::raise(SIGINT);
    return 7;
  });

  CHECK(ended.status == -SIGINT);
}

TEST_CASE("a watch of SIGINT gets it and the run goes on; without it the run ends [PROCESS-17]") {
  const Ended ended = asProgram([] {
    return run([] {
      const SaysWhenUnwound mine{"unwound"};
      {
        Event arrived;
        const SignalHandle handle = onSignal(SIGINT, [&arrived] { arrived.set(); });
        interruptMyself();
        arrived.wait();
        say("watched ");
      }
      interruptMyself();
      Event().wait();
      return 7;
    });
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "watched unwound");
}

TEST_CASE("a watch that outlives the run leaves the default action behind it [PROCESS-17]") {
  const Ended ended = asProgram([] {
    SignalHandle handle;
    run([&handle] { handle = onSignal(SIGINT, [] {}); });
    handle.cancel();
    struct sigaction action{};
    ::sigaction(SIGINT, nullptr, &action);
    return action.sa_handler == SIG_DFL ? 7 : 8;
  });

  CHECK(ended.status == 7);
}

TEST_CASE("with endOnInterrupt off the action of SIGINT is not touched [PROCESS-17]") {
  const Ended ended = asProgram([] {
    RunOptions options;
    options.endOnInterrupt = false;
    run(options, [] {
      const SaysWhenUnwound mine{"unwound"};
      interruptMyself();
      settle();
    });
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output.empty());
}

TEST_CASE("SIGINT ends the runs of a team, and the process when all are unwound [PROCESS-18]") {
  const Ended ended = asProgram([] {
    runThreads(4, [](TeamMember& member) {
      const SaysWhenUnwound mine{"x"};
      if (member.index() == 2) interruptMyself();
      Event().wait();
    });
    say("after runThreads");
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "xxxx");
}

TEST_CASE("SIGINT while the threads of a team begin is not lost [PROCESS-18]") {
  for (int round = 0; round < 20; ++round) {
    const Ended ended = asProgram([round] {
      std::thread([round] {
        std::this_thread::sleep_for(std::chrono::microseconds(round * 50));
        interruptMyself();
      }).detach();
      runThreads(3, [](TeamMember&) { Event().wait(); });
      return 0;
    });

    CHECK(ended.status == -SIGINT);
  }
}

TEST_CASE("SIGINT ends the runs of unrelated threads before the process [PROCESS-18]") {
  const Ended ended = asProgram([] {
    std::atomic<int> begun{0};
    const auto one = [&begun] {
      run([&begun] {
        const SaysWhenUnwound mine{"x"};
        const LoopHandle alive;
        ++begun;
        Event().wait();
      });
    };
    std::thread first(one);
    std::thread second(one);
    while (begun < 2) std::this_thread::yield();
    interruptMyself();
    first.join();
    second.join();
    return 0;
  });

  CHECK(ended.status == -SIGINT);
  CHECK(ended.output == "xx");
}

TEST_CASE("a run in a forked child ends without ado, and by SIGINT at once [PROCESS-20]") {
#ifdef PLAIT_TSAN
  MESSAGE("left out: a fork of a fork, in which ThreadSanitizer no longer sees every switch");
  return;
#endif
  const Ended ended = asProgram([] {
    return run([] {
      const SaysWhenUnwound mine{"x"};
      for (const bool interrupted : {false, true}) {
        const pid_t child = ::fork();
        if (child == 0) {
          afterForkInChild();
          if (interrupted) interruptMyself();
          return 6;
        }
        if (endOf(child) != (interrupted ? -SIGINT : 6)) return 5;
      }
      return 0;
    });
  });

  CHECK(ended.status == 0);
}
