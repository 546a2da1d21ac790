// A fork inside a run: the parent, and a child that did not ask for a loop of its own.
#include "plait/fork.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "forking.h"
#include "plait/detail/await.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/report.h"
#include "plait/run.h"
#include "plait/select.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST(
    "in a forked child every call that may switch throws an error about the fork [THREAD-11]") {
  Event event;
  Queue<int> queue(1);
  queue.put(1);
  Mutex mutex;
  auto other = spawn([&] { event.wait(); });
  auto ended = spawn([] { return 1; });
  settle();

  const int failed = forkHere([&] {
    int number = 0;
    for (const std::function<void()>& call : std::vector<std::function<void()>>{
             [] { yield(); }, [] { sleep(1s); }, [] { sleep(0s); }, [&] { event.wait(); },
             [&] { event.wait(1s); }, [&] { queue.put(2); }, [&] { queue.get(); },
             [&] { mutex.lock(); }, [&] { other.join(); }, [&] { other.kill(); },
             [&] { ended.get(); }, [] { offload([] {}); },
             [&] { select(onGet(queue, [](int) {}), onSet(event, [] {})); },
             [] {
               detail::Op op(detail::OpKind::nop);
               detail::await(op, "nop");
             }}) {
      ++number;
      if (!isAboutFork(call)) return number;
    }
    return 0;
  });

  CHECK(failed == 0);
  event.set();
  other.join();
}

TEST_CASE(
    "a fiber that ends in a forked child ends the process, and no other is unwound [THREAD-11]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    const Shared unwound;
    CHECK(inChild([&] {
            pid_t child = -1;
            RunOptions options = onKernel(kernel);
            options.errorSink = [](const ErrorReport&) {};
            run(options, [&] {
              struct Count {
                std::atomic<int>& unwound;
                pid_t parent = ::getpid();
                ~Count() { unwound += ::getpid() == parent ? 0 : 1; }
              };
              spawn([&] {
                const Count count{*unwound.value};
                sleep(1h);
              });
              settle();
              child = ::fork();
              if (child == 0) settle();  // throws
            });
            if (child == 0) return 1;  // the run is the parent's
            return endOf(child) != 0 ? 0 : 2;
          }) == 0);
    CHECK(*unwound.value == 0);
  }
}

FIBER_TEST("the parent's operations complete exactly once when it forks [THREAD-11]") {
  if (kernelInfo().name == "sim") return;
  constexpr int kBytes = 200;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  std::string received;
  auto reader = spawn([&] {
    while (received.size() < kBytes) {
      char byte = 0;
      detail::Op op(detail::OpKind::recv, ends[1]);
      op.setBuffer(&byte, 1);
      REQUIRE(detail::await(op, "recv") == 1);
      received += byte;
    }
  });
  yield();

  for (int i = 0; i < kBytes; ++i) {
    const char byte = static_cast<char>('a' + i % 26);
    if (i % 10 == 0) {
      CHECK(forkHere([] { return isAboutFork([] { settle(); }) ? 0 : 1; }) == 0);
    }
    REQUIRE(::write(ends[0], &byte, 1) == 1);
    if (i % 3 == 0) yield();
  }
  reader.join();

  for (std::size_t i = 0; i < received.size(); ++i)
    CHECK(received[i] == static_cast<char>('a' + i % 26));
  for (const int each : ends) ::close(each);
}

TEST_CASE("every descriptor that a run opens is closed on exec [THREAD-13]") {
  const auto openNow = [] {
    std::vector<int> open;
    for (int i = 0; i < 256; ++i) {
      if (::fcntl(i, F_GETFD) >= 0) open.push_back(i);
    }
    return open;
  };
  for (const std::string masked :
       {"", "futex", "ring_fd,registered_ring,register", "futex,register"}) {
    CAPTURE(masked);
    CHECK(inChild([&] {
            ::setenv("PLAIT_MASK", masked.c_str(), 1);
            const std::vector<int> before = openNow();
            return run([&] {
              offload([] {});
              for (const int each : openNow()) {
                if (std::find(before.begin(), before.end(), each) != before.end()) continue;
                if ((::fcntl(each, F_GETFD) & FD_CLOEXEC) == 0) return 1;
              }
              return 0;
            });
          }) == 0);
  }
}
