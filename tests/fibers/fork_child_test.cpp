// A forked child after afterForkInChild().
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "forking.h"
#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/fork.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/mutex.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/report.h"
#include "plait/run.h"
#include "plait/select.h"
#include "plait/semaphore.h"
#include "plait/signal.h"
#include "plait/statistics.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("afterForkInChild in a process that did not fork is refused [THREAD-12]") {
  CHECK_THROWS_AS(afterForkInChild(), std::logic_error);
}

FIBER_TEST("after afterForkInChild the fiber goes on with all that a loop can do [THREAD-12]") {
  if (!childMayHaveThreads()) return;
  Event inParent;
  auto other = spawn([&] { inParent.wait(); });
  callLater(1h, [] {});
  settle();

  const int result = forkHere([] {
    afterForkInChild();
    const TimePoint start = now();
    sleep(1ms);
    if (now() < start + 1ms) return 1;
    if (spawn([] { return 5; }).get() != 5) return 2;
    if (offload([] { return 6; }) != 6) return 3;
    Event called;
    const LoopHandle handle;
    std::thread caller([&] { handle.callFromThread([&] { called.set(); }); });
    called.wait();
    called.clear();
    caller.join();
    callFromThread([&] { called.set(); });
    called.wait();
    bool soon = false;
    callSoon([&] { soon = true; });
    settle();
    if (!soon) return 4;
    Event signalled;
    const SignalHandle registration = onSignal(SIGUSR1, [&] { signalled.set(); });
    ::raise(SIGUSR1);
    signalled.wait();
    detail::Op op(detail::OpKind::nop);
    if (detail::await(op, "nop") != 0) return 5;
    if (isAboutFork([] { afterForkInChild(); })) return 6;
    // A child may fork in its turn.
    return forkHere([] {
      if (!isAboutFork([] { yield(); })) return 7;
      afterForkInChild();
      yield();
      return 0;
    });
  });

  CHECK(result == 0);
  inParent.set();
  other.join();
}

FIBER_TEST("the other fibers, timers and callbacks never run in the child [THREAD-12]") {
  const Shared strangers;
  Event event;
  Queue<int> queue(0);
  Mutex mutex;
  const pid_t parent = ::getpid();
  const auto note = [&] {
    if (::getpid() != parent) ++*strangers.value;
  };
  struct Unwound {
    const std::function<void()> note;
    ~Unwound() { note(); }
  };
  std::vector<AnyGreenlet> others;
  others.push_back(spawn([&] {
    const Unwound unwound{note};
    event.wait();
    note();
  }));
  others.push_back(spawn([&] {
    queue.get();
    note();
  }));
  settle();
  // Ready, but not begun.
  others.push_back(spawn([&] { note(); }));
  callSoon(note);
  const DelayedCall timer = callLater(1ms, note);

  CHECK(forkHere([&] {
          afterForkInChild();
          sleep(5ms);
          settle();
          return 0;
        }) == 0);
  CHECK(*strangers.value == 0);

  event.set();
  queue.put(1);
  joinAll(others);
  while (timer.isActive()) sleep(1ms);
}

FIBER_TEST("timers on the stacks of the other fibers are gone in the child [THREAD-12]") {
  const Shared strangers;
  const pid_t parent = ::getpid();
  std::vector<AnyGreenlet> all;
  const auto spawnSleepers = [&] {
    for (int i = 0; i < 4; ++i) {
      all.push_back(spawn([&] {
        sleep(2ms);
        if (::getpid() != parent) ++*strangers.value;
      }));
    }
  };
  int result = -1;
  // Stacks at either side of that of the fiber that forks.
  spawnSleepers();
  all.push_back(spawn([&result] {
    yield();
    result = forkHere([] {
      afterForkInChild();
      const std::size_t timers = loopStatistics().timers;
      sleep(5ms);
      settle();
      return timers == 0 ? 0 : 1;
    });
  }));
  spawnSleepers();

  joinAll(all);

  CHECK(result == 0);
  CHECK(*strangers.value == 0);
}

FIBER_TEST("what was asked for in the child before afterForkInChild is forgotten too [THREAD-12]") {
  const LoopHandle handle;
  CHECK(forkHere([&] {
          int ran = 0;
          const auto note = [&] { ++ran; };
          const auto attempt = [](const auto& f) {
            try {
              f();
            } catch (const Error&) {
            }
          };
          attempt([&] { spawn(note); });
          attempt([&] { callSoon(note); });
          attempt([&] { callLater(0s, note); });
          attempt([&] { handle.callFromThread(note); });
          afterForkInChild();
          sleep(1ms);
          settle();
          return ran;
        }) == 0);
}

FIBER_TEST(
    "a LoopHandle of before the fork names a loop that has ended, in the child [THREAD-12]") {
  auto handle = std::make_unique<LoopHandle>();
  CHECK(forkHere([&] {
          afterForkInChild();
          if (!handle->isStopped()) return 1;
          try {
            handle->callFromThread([] {});
            return 2;
          } catch (const ReactorStopped&) {
          }
          handle.reset();
          settle();
          return 0;
        }) == 0);
  CHECK_FALSE(handle->isStopped());
}

FIBER_TEST(
    "what the child does to objects of the parent's fibers wakes none of them there [THREAD-12]") {
  const Shared strangers;
  Event event;
  Queue<int> queue;
  const pid_t parent = ::getpid();
  const auto note = [&] {
    if (::getpid() != parent) ++*strangers.value;
  };
  std::vector<AnyGreenlet> others;
  others.push_back(spawn([&] {
    event.wait();
    note();
  }));
  others.push_back(spawn([&] {
    queue.get();
    note();
  }));
  settle();

  CHECK(forkHere([&] {
          afterForkInChild();
          event.set();
          queue.tryPut(1);
          settle();
          return 0;
        }) == 0);
  CHECK(*strangers.value == 0);

  event.set();
  queue.put(1);
  joinAll(others);
}

FIBER_TEST("items and permits of the child go to none of the parent's fibers [THREAD-12]") {
  Queue<int> queue;
  Queue<int> full(1);
  full.put(1);
  Semaphore permits(0);
  std::vector<AnyGreenlet> others;
  others.push_back(spawn([&] { queue.get(); }));
  others.push_back(spawn([&] { full.put(2); }));
  others.push_back(spawn([&] { permits.acquire(); }));
  others.push_back(spawn([&] { select(onGet(queue, [](int) {}), onAcquire(permits, [] {})); }));
  settle();

  CHECK(forkHere([&] {
          afterForkInChild();
          if (!queue.tryPut(7) || queue.tryGet() != 7) return 1;
          if (full.get() != 1 || full.tryGet()) return 2;
          permits.release();
          return permits.tryAcquire() ? 0 : 3;
        }) == 0);

  killAll(others);
}

TEST_CASE("the end of the fiber in the child wakes none of its joiners there [THREAD-12]") {
  const Shared strangers;
  CHECK(inChild([&] {
          const pid_t parent = ::getpid();
          pid_t child = -1;
          try {
            run([&] {
              auto forking = spawn([&] {
                child = ::fork();
                if (child != 0) return;
                ::alarm(kChildPatience);
                afterForkInChild();
                yield();
              });
              forking.link([&](AnyGreenlet) {
                if (::getpid() != parent) ++*strangers.value;
              });
              forking.join();
              if (::getpid() != parent) ++*strangers.value;
            });
          } catch (const Error&) {
            return child == 0 ? 0 : 1;  // run() says that it is no longer main's
          }
          return child > 0 ? endOf(child) : 2;
        }) == 0);
  CHECK(*strangers.value == 0);
}

TEST_CASE(
    "when main calls afterForkInChild, run() returns in the child as in the parent [THREAD-12]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    CHECK(inChild([&] {
            const pid_t child = run(onKernel(kernel), [] {
              spawn([] { sleep(1h); });
              settle();
              const pid_t forked = ::fork();
              if (forked == 0) {
                ::alarm(kChildPatience);
                afterForkInChild();
                settle();
              }
              return forked;
            });
            if (child != 0) return endOf(child);
            // And the thread can run again.
            return run([] { return 0; });
          }) == 0);
  }
}

FIBER_TEST("a callback may fork and go on in the child [THREAD-12]") {
  Event done;
  int result = -1;
  callSoon([&] {
    result = forkHere([] {
      if (!isAboutFork([] { yield(); })) return 1;
      afterForkInChild();
      settle();
      return spawn([] { return 0; }).get();
    });
    done.set();
  });
  done.wait();
  CHECK(result == 0);
}

FIBER_TEST("a fork inside the scope of a Timeout leaves the child's timers sound [THREAD-12]") {
  callLater(2h, [] {});
  const int result = withTimeout(1h, [] {
    return forkHere([] {
      {
        const Timeout before(30min);
        afterForkInChild();
      }
      if (loopStatistics().timers > 1) return 1;
      const TimePoint start = now();
      std::string order;
      callLater(2ms, [&] { order += 'b'; });
      callLater(1ms, [&] { order += 'a'; });
      sleep(3ms);
      if (now() < start + 3ms) return 2;
      return order == "ab" ? 0 : 3;
    });
  });
  CHECK(result == 0);
}

FIBER_TEST("a Timeout opened before the fork still strikes the fiber in the child [THREAD-12]") {
  CHECK(forkHere([] {
          afterForkInChild();
          try {
            withTimeout(1ms, [] {
              const pid_t child = ::fork();
              if (child != 0) ::_exit(endOf(child));
              ::alarm(kChildPatience);
              afterForkInChild();
              Event never;
              callLater(1s, [&] { never.set(); });
              never.wait();
            });
          } catch (const TimeoutError&) {
            return 0;
          }
          return 1;
        }) == 0);
}

TEST_CASE("a deadlock in the child is found as in any run [THREAD-12]") {
  for (const bool underTimeout : {false, true}) {
    CAPTURE(underTimeout);
    CHECK(inChild([&] {
            try {
              run([&] {
                offload([] {});
                // Work elsewhere that only the parent may hope for.
                spawn([] { offload([] { ::usleep(200'000); }); });
                yield();
                {
                  const Timeout scope(underTimeout ? Duration(1h) : kForever);
                  const pid_t child = ::fork();
                  if (child != 0) ::_exit(endOf(child));
                  ::alarm(kChildPatience);
                  afterForkInChild();
                }
                Event().wait();
              });
            } catch (const DeadlockError&) {
              return 0;
            }
            return 1;
          }) == 0);
  }
}

TEST_CASE("locks that other threads held at the fork are free in the child [THREAD-12]") {
  if (!childMayHaveThreads()) return;
  std::atomic<bool> isOver{false};
  std::vector<std::thread> busy;
  ErrorSink first = setErrorSink([](const ErrorReport&) {});
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!isOver) setErrorSink([](const ErrorReport&) {});
    });
    busy.emplace_back([&] {
      while (!isOver) {
        try {
          callFromThread([] {});
        } catch (const ReactorStopped&) {
        }
        std::this_thread::yield();
      }
    });
  }
  int sound = 0;
  constexpr int kForks = 20;
  run([&] {
    for (int i = 0; i < kForks; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::signal(SIGALRM, SIG_DFL);
        ::alarm(2);
        int status = 1;
        try {
          afterForkInChild();
          // A thread of the child's own makes and ends a loop.
          std::thread([&] { status = run([] { return 0; }); }).join();
        } catch (...) {
          status = 2;
        }
        ::_exit(status);
      }
      sound += endOf(child) == 0 ? 1 : 0;
    }
  });
  isOver = true;
  for (std::thread& thread : busy) thread.join();
  setErrorSink(std::move(first));

  CHECK(sound == kForks);
}
