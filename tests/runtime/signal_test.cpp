#include "plait/signal.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/detail/process.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/offload.h"
#include "plait/semaphore.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

struct sigaction actionOf(int signal) {
  struct sigaction action{};
  ::sigaction(signal, nullptr, &action);
  return action;
}

std::int32_t transfer(detail::OpKind kind, int descriptor, void* buffer, std::size_t bytes) {
  detail::Op op(kind, descriptor);
  op.setBuffer(buffer, bytes);
  return detail::await(op, "transfer");
}

}  // namespace

FIBER_TEST(
    "a signal calls its handler on the loop, once for each arrival that it sees [SIGNAL-1]") {
  const auto here = std::this_thread::get_id();
  int calls = 0;
  Semaphore called(0);
  const SignalHandle handle = onSignal(SIGUSR1, [&] {
    CHECK(std::this_thread::get_id() == here);
    ++calls;
    called.release();
  });

  for (int i = 1; i <= 3; ++i) {
    ::raise(SIGUSR1);
    called.acquire();
    CHECK(calls == i);
  }
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  called.acquire();
  settle();
  CHECK(calls == 4);
}

TEST_CASE("a signal wakes a sleeping loop on every kernel [SIGNAL-1]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    runFiberTest(onKernel(kernel), [] {
      Event called;
      const SignalHandle handle = onSignal(SIGUSR1, [&] { called.set(); });
      std::thread sender([loop = threadId()] {
        waitUntilAsleep(loop);
        ::kill(::getpid(), SIGUSR1);
      });

      called.wait();
      sender.join();
    });
  }
}

FIBER_TEST("a signal handler has an identity of its own and may park [SIGNAL-1]") {
  const std::uint64_t me = current().id();
  Event go;
  bool done = false;
  const SignalHandle handle = onSignal(SIGUSR1, [&] {
    CHECK(current().id() != me);
    go.wait();
    done = true;
  });
  ::raise(SIGUSR1);
  settle();
  CHECK_FALSE(done);

  go.set();
  settle();

  CHECK(done);
}

FIBER_TEST("a handler stays installed after an exception, which is reported once [SIGNAL-1]") {
  ExpectedErrors errors;
  int calls = 0;
  const SignalHandle handle = onSignal(SIGUSR1, [&] {
    ++calls;
    throw std::runtime_error("in the handler");
  });

  for (int i = 1; i <= 2; ++i) {
    ::raise(SIGUSR1);
    const auto reported = errors.take();
    REQUIRE(reported.size() == 1);
    CHECK(reported[0].find("signal_test.cpp:") != std::string::npos);
    CHECK(calls == i);
  }
}

FIBER_TEST("several handlers of a signal are all called [SIGNAL-1]") {
  std::string order;
  const SignalHandle a = onSignal(SIGUSR1, [&] { order += 'a'; });
  const SignalHandle b = onSignal(SIGUSR1, [&] { order += 'b'; });
  const SignalHandle other = onSignal(SIGUSR2, [&] { order += '2'; });

  ::raise(SIGUSR1);
  settle();
  CHECK(order.size() == 2);
  CHECK(order.find('2') == std::string::npos);
}

FIBER_TEST("dropping the last registration of a signal restores the action before it [SIGNAL-1]") {
  static volatile sig_atomic_t mine = 0;
  struct sigaction action{};
  action.sa_handler = [](int) { mine = mine + 1; };
  ::sigaction(SIGUSR2, &action, nullptr);
  int calls = 0;
  {
    SignalHandle first = onSignal(SIGUSR2, [&] { ++calls; });
    const SignalHandle second = onSignal(SIGUSR2, [&] { ++calls; });
    first.cancel();
    first.cancel();
    ::raise(SIGUSR2);
    settle();
    CHECK(calls == 1);
    CHECK(mine == 0);
  }
  ::raise(SIGUSR2);
  settle();

  CHECK(calls == 1);
  CHECK(mine == 1);
  ::signal(SIGUSR2, SIG_DFL);
}

FIBER_TEST("a registration dropped after the signal arrived is not called any more [SIGNAL-1]") {
  auto captured = std::make_shared<int>(0);
  {
    const SignalHandle handle = onSignal(SIGUSR1, [captured] { ++*captured; });
    const SignalHandle keepsTheAction = onSignal(SIGUSR1, [] {});
    ::raise(SIGUSR1);
  }
  settle();

  CHECK(*captured == 0);
  CHECK(captured.use_count() == 1);
}

FIBER_TEST("a handler may drop its own registration, also while it is parked [SIGNAL-1]") {
  auto captured = std::make_shared<int>(0);
  SignalHandle handle;
  handle = onSignal(SIGUSR1, [&handle, captured] {
    handle.cancel();
    yield();
    ++*captured;
  });
  ::raise(SIGUSR1);
  settle();

  CHECK(*captured == 1);
  CHECK(captured.use_count() == 1);
}

FIBER_TEST("a registration may be moved, and assigning to it drops the old one [SIGNAL-1]") {
  std::string order;
  SignalHandle handle = onSignal(SIGUSR1, [&] { order += 'a'; });
  const SignalHandle keepsTheAction = onSignal(SIGUSR1, [] {});
  SignalHandle moved = std::move(handle);
  ::raise(SIGUSR1);
  settle();
  CHECK(order == "a");

  moved = onSignal(SIGUSR1, [&] { order += 'b'; });
  ::raise(SIGUSR1);
  settle();
  CHECK(order == "ab");
}

TEST_CASE("a registration may outlive its loop, with a signal on its way [SIGNAL-1]") {
  auto captured = std::make_shared<int>(0);
  SignalHandle handle;
  run([&] {
    handle = onSignal(SIGUSR1, [captured] { ++*captured; });
    spawn([] { ::raise(SIGUSR1); });
    yield();
  });
  ::raise(SIGUSR1);
  handle.cancel();

  CHECK(captured.use_count() == 1);
}

FIBER_TEST("a signal that no one can handle is refused [SIGNAL-1]") {
  CHECK_THROWS_AS(static_cast<void>(onSignal(SIGKILL, [] {})), IoError);
  CHECK_THROWS_AS(static_cast<void>(onSignal(0, [] {})), IoError);
  CHECK_THROWS_AS(static_cast<void>(onSignal(1000, [] {})), IoError);
}

TEST_CASE("a registration off a loop is refused [THREAD-6]") {
  CHECK_THROWS_AS(static_cast<void>(onSignal(SIGUSR1, [] {})), std::logic_error);
  CHECK((actionOf(SIGUSR1).sa_handler == SIG_DFL));
}

TEST_CASE("while a signal may still come there is no deadlock, without one there is [SIGNAL-2]") {
  if (detail::process::foreignThreads() > 1) return;
  CHECK(inChild([] {
          return run([] {
            Event stop;
            const SignalHandle handle = onSignal(SIGTERM, [&] { stop.set(); });
            callInThread([loop = threadId()] {
              waitUntilAsleep(loop);
              ::kill(::getpid(), SIGTERM);
            });
            stop.wait();
            return 7;
          });
        }) == 7);

  CHECK_THROWS_AS(run([] {
                    Event stop;
                    SignalHandle handle = onSignal(SIGTERM, [&] { stop.set(); });
                    callSoon([&] { handle.cancel(); });
                    stop.wait();
                  }),
                  DeadlockError);
}

TEST_CASE("a registration does not keep run() from returning [SIGNAL-2]") {
  SignalHandle handle;
  CHECK(run([&] {
          handle = onSignal(SIGUSR1, [] {});
          return 3;
        }) == 3);
}

TEST_CASE("signals at a high rate disturb neither timers nor operations [SIGNAL-3]") {
  runFiberTest(onKernel("uring"), [] {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    int arrived = 0;
    const SignalHandle handle = onSignal(SIGALRM, [&] { ++arrived; });
    const itimerval often{{0, 100}, {0, 100}};
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);

    int rounds = 0;
    int naps = 0;
    int jobs = 0;
    bool isOver = false;
    auto napper = spawn([&] {
      while (!isOver) {
        const TimePoint deadline = now() + 50us;
        sleep(50us);
        CHECK(now() >= deadline);
        ++naps;
      }
    });
    auto caller = spawn([&] {
      while (!isOver) jobs += offload([] { return 1; });
    });
    char sent = 'a';
    char received = 0;
    while (arrived < 200 || rounds < 500) {
      auto reader =
          spawn([&] { CHECK(transfer(detail::OpKind::recv, ends[1], &received, 1) == 1); });
      CHECK(transfer(detail::OpKind::send, ends[0], &sent, 1) == 1);
      reader.join();
      ++rounds;
    }
    isOver = true;
    joinAll({napper, caller});
    ::setitimer(ITIMER_REAL, &never, nullptr);

    CHECK(naps > 0);
    CHECK(jobs > 0);
    for (const int each : ends) ::close(each);
  });
}

TEST_CASE("writing to a peer that is gone is an error and no SIGPIPE [SIGNAL-4]") {
  CHECK(inChild([] {
          ::signal(SIGPIPE, SIG_DFL);
          return run(onKernel("uring"), [] {
            char byte = 'x';
            std::array<int, 2> ends{};
            if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 1;
            ::close(ends[1]);
            if (transfer(detail::OpKind::send, ends[0], &byte, 1) != -EPIPE) return 2;
            if (transfer(detail::OpKind::write, ends[0], &byte, 1) != -EPIPE) return 3;
            if (::pipe(ends.data()) != 0) return 4;
            ::close(ends[0]);
            if (transfer(detail::OpKind::write, ends[1], &byte, 1) != -EPIPE) return 5;
            return 0;
          });
        }) == 0);
}

TEST_CASE("a SIGPIPE handler that the program installed stays [SIGNAL-4]") {
  const struct sigaction before = actionOf(SIGPIPE);
  const auto mine = +[](int) {};
  ::signal(SIGPIPE, mine);

  run([] {});

  CHECK((actionOf(SIGPIPE).sa_handler == mine));
  ::sigaction(SIGPIPE, &before, nullptr);
}

// Last, because it ended the process once.
FIBER_TEST("a signal that comes while its handler is parked is not lost [SIGNAL-1]") {
  Semaphore go(0);
  int begun = 0;
  const SignalHandle handle = onSignal(SIGUSR1, [&] {
    ++begun;
    go.acquire();
  });
  ::raise(SIGUSR1);
  settle();
  REQUIRE(begun == 1);

  ::raise(SIGUSR1);
  settle();
  go.release(2);
  settle();

  CHECK(begun == 2);
}
