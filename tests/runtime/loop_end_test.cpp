// How a run ends: errors that nobody took, results, shutdown.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/offload.h"
#include "plait/statistics.h"
#include "plait/timeout.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Counts itself out when it is destroyed.
struct Alive {
  explicit Alive(int& n) : count(&n) { ++*count; }
  Alive(const Alive& other) : count(other.count) { ++*count; }
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --*count; }
  int* count;
};

}  // namespace

FIBER_TEST("a loop with nothing to do sleeps until a thread calls it and does not spin [LOOP-6]") {
  if (kernelInfo().name == "sim") return;
  const LoopHandle handle;
  Event called;
  yield();
  const std::uint64_t before = loopStatistics().turns;
  std::thread caller([loop = threadId(), &handle, &called] {
    waitUntilAsleep(loop);
    // Long enough for a loop that looks again and again to be seen doing so.
    std::this_thread::sleep_for(20ms);
    handle.callFromThread([&called] { called.set(); });
  });

  called.wait();
  caller.join();

  CHECK(loopStatistics().turns <= before + 5);
}

FIBER_TEST_ON("sim", "a loop that waits for a timer takes no turns meanwhile [LOOP-6]") {
  const std::uint64_t before = loopStatistics().turns;
  sleep(24h);
  CHECK(loopStatistics().turns <= before + 3);
}

FIBER_TEST("an error that nobody took is reported once, with all that is known [LOOP-10]") {
  ExpectedErrors errors;
  const int line = __LINE__ + 1;
  auto failed = spawn({.name = "worker"}, [] {
    IoError error(EPIPE, "writing to the moon");
    error.addNote("on the dark side");
    throw error;
  });
  auto copy = failed;
  settle();
  CHECK(errors.take(0).empty());

  failed = {};
  settle();
  CHECK(errors.take(0).empty());
  copy = {};

  const auto reported = errors.take();
  REQUIRE(reported.size() == 1);
  for (const std::string part :
       {"'worker'", "plait::IoError", "writing to the moon", "dark side"}) {
    CHECK(has(reported[0], part));
  }
  CHECK(has(reported[0], std::string(__FILE__) + ":" + std::to_string(line)));
}

FIBER_TEST("an error that get(), exception() or a link took is not reported [LOOP-10]") {
  const auto fail = [] { throw std::runtime_error("taken"); };
  CHECK_THROWS(spawn(fail).get());
  auto asked = spawn(fail);
  asked.join();
  CHECK(asked.exception() != nullptr);
  int linked = 0;
  spawn(fail).linkException([&](AnyGreenlet) { ++linked; });
  settle();
  CHECK(linked == 1);
}

FIBER_TEST("a kill is never reported [LOOP-10]") {
  spawn([] { sleep(1h); }).kill();
  settle();
}

FIBER_TEST("the sink can be replaced, and the one before comes back [LOOP-11]") {
  std::vector<std::string> mine;
  ErrorSink before =
      setErrorSink([&](const ErrorReport& report) { mine.push_back(report.context); });
  spawn([] { throw std::runtime_error("to mine"); });
  settle();

  setErrorSink(std::move(before));
  CHECK(mine.size() == 1);
  ExpectedErrors errors;
  spawn([] { throw std::runtime_error("to the other"); });
  CHECK(errors.take().size() == 1);
  CHECK(mine.size() == 1);
}

TEST_CASE("a sink that throws harms nothing [LOOP-11]") {
  int asked = 0;
  RunOptions options;
  options.errorSink = [&](const ErrorReport&) {
    ++asked;
    throw std::runtime_error("full");
  };
  const int result = run(options, [] {
    spawn([] { throw std::runtime_error("one"); });
    callSoon([] { throw std::runtime_error("two"); });
    settle();
    return 5;
  });
  CHECK(result == 5);
  CHECK(asked == 2);
}

TEST_CASE("run() returns what its function returns and throws what leaves it [LOOP-12]") {
  CHECK(run([] { return std::string("value"); }) == "value");
  CHECK(*run([] { return std::make_unique<int>(3); }) == 3);
  const auto refer = [target = 0]() mutable -> int& { return target; };
  CHECK(std::is_same_v<decltype(run(refer)), int&>);
  CHECK(run([] {}) == 0);
  CHECK_THROWS_WITH(run([] { throw std::runtime_error("left"); }), "left");
  CHECK_THROWS_AS(run([] { throw 7; }), int);
  CHECK_THROWS_AS(run([] {
                    spawn([main = current()] { main.requestKill(); });
                    sleep(1h);
                  }),
                  GreenletKilled);
  CHECK_THROWS_AS(run([] {
                    const Timeout timeout(0s);
                    sleep(1h);
                  }),
                  TimeoutError);
}

TEST_CASE("when the function of run() ends, all other fibers are unwound first [LOOP-16]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    int alive = 0;
    int started = 0;
    const auto late = [&] { ++started; };
    const auto live = [&] {
      const Alive inside(alive);
      ++started;
      try {
        sleep(1h);
      } catch (...) {
        yield();
        spawn([&late, here = Alive(alive)] { late(); });
        throw;
      }
    };
    run(onKernel(kernel), [&] {
      for (int i = 0; i < 10; ++i) spawn(live);
      callLater(1h, [here = Alive(alive)] {});
      callSoon([here = Alive(alive)] { sleep(1h); });
      settle();
      spawn([here = Alive(alive)] { sleep(1h); });
      CHECK(alive == 13);
    });

    CHECK(alive == 0);
    CHECK(started == 10);
  }
}

TEST_CASE("no operation is in flight when run() returns [LOOP-16]") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  std::array<char, 16> buffer{};
  run(onKernel("uring"), [&] {
    spawn([&] {
      detail::Op op(detail::OpKind::recv, ends[0]);
      op.setBuffer(buffer.data(), buffer.size());
      detail::await(op, "recv");
    });
    settle();
    CHECK(loopStatistics().inFlight == 1);
  });

  // What comes now nobody takes.
  REQUIRE(::write(ends[1], "late", 4) == 4);
  std::array<char, 16> read{};
  CHECK(::read(ends[0], read.data(), read.size()) == 4);
  CHECK(buffer[0] == '\0');
  for (const int each : ends) ::close(each);
}

TEST_CASE("a pool task that runs when run() ends is waited for [LOOP-16]") {
  std::atomic<bool> isOver{false};
  run([&] {
    const LoopHandle handle;
    Event running;
    spawn([&] {
      offload([&, loop = threadId()] {
        handle.callFromThread([&] { running.set(); });
        waitUntilAsleep(loop);
        isOver = true;
      });
    });
    running.wait();
  });
  CHECK(isOver);
}

TEST_CASE("calls of other threads are refused once all fibers have ended [LOOP-16]") {
  bool isRefused = false;
  int calls = 0;
  std::function<void(const LoopHandle&)> callAgain = [&](const LoopHandle& handle) {
    ++calls;
    try {
      handle.callFromThread([&callAgain, handle] { callAgain(handle); });
    } catch (const ReactorStopped&) {
      isRefused = handle.isStopped();
    }
  };
  run([&] { callAgain(LoopHandle()); });
  CHECK(isRefused);
  CHECK(calls < 100);
}

TEST_CASE("a callback that parks while a run closes may still be called by a thread [LOOP-16]") {
  bool wasCalled = false;
  std::thread caller;
  run([&] {
    callSoon([&] {
      callSoon([&] {
        const CancelShield shield;
        Event called;
        caller = std::thread(
            [handle = LoopHandle(), &called] { handle.callFromThread([&] { called.set(); }); });
        called.wait();
        wasCalled = true;
      });
    });
  });
  caller.join();
  CHECK(wasCalled);
}

TEST_CASE(
    "a fiber that swallows every kill is given up at the end, and reported by name [LOOP-17]") {
  CHECK(inChild([] {
          std::vector<std::string> reported;
          RunOptions options;
          options.errorSink = [&](const ErrorReport& report) {
            reported.push_back(report.context);
          };
          run(options, [] {
            spawn({.name = "stubborn"}, [] {
              for (;;) {
                try {
                  sleep(1h);
                } catch (...) {
                }
              }
            });
            settle();
          });
          return reported.size() == 1 && has(reported[0], "stubborn") ? 0 : 1;
        }) == 0);
}

TEST_CASE("a shielded fiber that nothing can wake is given up and reported [LOOP-17]") {
  CHECK(inChild([] {
          std::vector<std::string> reported;
          RunOptions options;
          options.errorSink = [&](const ErrorReport& report) {
            reported.push_back(report.context);
          };
          run(options, [] {
            spawn({.name = "stuck"}, [] {
              const CancelShield shield;
              Event().wait();
            });
            settle();
          });
          return reported.size() == 1 && has(reported[0], "stuck") ? 0 : 1;
        }) == 0);
}

TEST_CASE("a shielded fiber that goes on for ever is given up and reported [LOOP-17]") {
  // Ends by itself, with 2, after far more rounds than any bound.
  CHECK(inChild([] {
          std::vector<std::string> reported;
          RunOptions options = onKernel("sim");
          options.errorSink = [&](const ErrorReport& report) {
            reported.push_back(report.context);
          };
          run(options, [] {
            spawn({.name = "busy"}, [] {
              const CancelShield shield;
              for (int i = 0; i < 2'000'000; ++i) sleep(1ms);
              ::_exit(2);
            });
            settle();
          });
          return reported.size() == 1 && has(reported[0], "busy") ? 0 : 1;
        }) == 0);
}

namespace {

// Spawns its like when it is destroyed.
struct Hydra {
  explicit Hydra(int& n) : count(&n) {}
  Hydra(Hydra&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
  ~Hydra() {
    if (count == nullptr) return;
    if (++*count > 1'000'000) ::_exit(2);
    spawn([next = Hydra(*count)] {});
  }
  int* count;
};

}  // namespace

TEST_CASE("fibers whose ends start new ones do not hold up the end for ever [LOOP-17]") {
  CHECK(inChild([] {
          int count = 0;
          RunOptions options;
          options.errorSink = [](const ErrorReport&) {};
          run(options, [&] {
            spawn([hydra = Hydra(count)] { sleep(1h); });
            settle();
          });
          return 0;
        }) == 0);
}

TEST_CASE("the same thread can run again and again and finds a fresh loop [LOOP-18]") {
  for (int i = 0; i < 10; ++i) {
    std::uint64_t turns = 0;
    CHECK(run([&] {
            turns = loopStatistics().turns;
            CHECK(loopStatistics().timers == 0);
            callLater(1h, [] {});
            spawn([] { sleep(1h); });
            yield();
            return i;
          }) == i);
    CHECK(turns <= 1);
  }
  CHECK_THROWS(run([] { throw std::runtime_error("left"); }));
  CHECK(run([] { return 1; }) == 1);
}

FIBER_TEST("a run inside a run is refused and does no harm [LOOP-18]") {
  CHECK_THROWS_AS(run([] {}), std::logic_error);

  sleep(1us);
}
