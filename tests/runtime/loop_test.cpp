// Order, fairness and callbacks of the loop; how a run ends is in loop_end_test.cpp.
#include "plait/detail/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/mutex.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/statistics.h"
#include "plait/thread_pool.h"
#include "plait/timeout.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST(
    "callbacks, posted calls and fibers run in the order in which they became ready [LOOP-1]") {
  std::string order;
  Event event;
  spawn([&] {
    event.wait();
    order += 'e';
  });
  settle();

  callSoon([&] { order += 'a'; });
  spawn([&] { order += 'b'; });
  callSoon([&] { order += 'c'; });
  auto ending = spawn([&] { order += 'd'; });
  event.set();
  ending.link([&](AnyGreenlet) { order += 'g'; });
  spawn([&] { order += 'f'; });
  settle();

  CHECK(order == "abcdefg");
}

FIBER_TEST("completions of the kernel stand in the same line [LOOP-1]") {
  std::string order;
  const auto complete = [&](char name) {
    return spawn([&order, name] {
      detail::Op op(detail::OpKind::nop);
      detail::await(op, "nop");
      order += name;
    });
  };
  const std::vector<AnyGreenlet> fibers{complete('a'), complete('b'), complete('c')};

  joinAll(fibers);

  CHECK(order == "abc");
}

FIBER_TEST("what becomes ready during a turn runs in the next one [LOOP-2]") {
  std::vector<std::uint64_t> turns;
  const auto note = [&] { turns.push_back(loopStatistics().turns); };
  yield();
  callSoon([&] {
    note();
    callSoon([&] {
      note();
      spawn(note);
    });
  });
  settle();

  REQUIRE(turns.size() == 3);
  CHECK(turns[1] == turns[0] + 1);
  CHECK(turns[2] == turns[1] + 1);
}

namespace {

constexpr int kStorm = 1000;

// A thousand fibers that never stop yielding, as long as it lives.
struct YieldStorm {
  YieldStorm() {
    for (int i = 0; i < kStorm; ++i) {
      fibers.push_back(spawn([this] {
        while (!isOver) yield();
      }));
    }
    yield();
  }
  ~YieldStorm() {
    isOver = true;
    joinAll(fibers);
  }
  bool isOver = false;
  std::vector<AnyGreenlet> fibers;
};

// How many turns pass until `happened`, at most a hundred.
int turnsUntil(const bool& happened) {
  int turns = 0;
  while (!happened && turns < 100) {
    yield();
    ++turns;
  }
  return turns;
}

}  // namespace

FIBER_TEST("a storm of yielding fibers holds back no timer that is due [LOOP-2]") {
  const YieldStorm storm;
  bool rang = false;
  callLater(0s, [&] { rang = true; });

  CHECK(turnsUntil(rang) <= 2);
}

FIBER_TEST_SIM(([] {
                 SimOptions options;
                 options.clockStep = 1us;
                 return options;
               }()),
               "time passes and timers ring in the midst of a storm of yields [LOOP-2]") {
  const YieldStorm storm;
  bool rang = false;
  callLater(10us, [&] { rang = true; });

  // The clock is read at least once in a turn of so many tasks.
  CHECK(turnsUntil(rang) <= 12);
}

FIBER_TEST("a storm of yielding fibers holds back no posted call [LOOP-2]") {
  const YieldStorm storm;
  bool came = false;
  const LoopHandle handle;
  handle.callFromThread([&] { came = true; });

  CHECK(turnsUntil(came) <= 2);
}

FIBER_TEST("a storm of yielding fibers holds back no completion [LOOP-2]") {
  const YieldStorm storm;
  bool completed = false;
  auto fiber = spawn([&] {
    detail::Op op(detail::OpKind::nop);
    detail::await(op, "nop");
    completed = true;
  });

  CHECK(turnsUntil(completed) <= 5);
  fiber.join();
}

FIBER_TEST("fibers and callbacks that spawn without end hold back no timer [LOOP-2]") {
  bool isOver = false;
  int spawned = 0;
  std::function<void()> more = [&] {
    ++spawned;
    if (isOver) return;
    spawn(more);
  };
  std::function<void()> call = [&] {
    if (!isOver) callSoon(call);
  };
  for (int i = 0; i < 100; ++i) {
    spawn(more);
    callSoon(call);
  }
  bool rang = false;
  callLater(0s, [&] { rang = true; });

  CHECK(turnsUntil(rang) <= 3);
  CHECK(spawned < 1000);
  isOver = true;
  settle();
}

namespace {

// How often `call` succeeds in a row before another fiber gets the thread.
template <class F>
int callsInARow(F call) {
  bool otherRan = false;
  auto other = spawn([&] { otherRan = true; });
  int calls = 0;
  while (!otherRan && calls < 100'000) {
    call();
    ++calls;
  }
  other.join();
  return calls;
}

constexpr int kCallsMax = 1000;

}  // namespace

FIBER_TEST("a fiber whose calls all complete at once lets the others run [LOOP-3]") {
  Queue<int> queue;
  Event event;
  event.set();
  Semaphore semaphore(1);
  Mutex mutex;
  auto ended = spawn([] { return 1; });
  ended.join();

  CHECK(callsInARow([&] {
          queue.put(1);
          queue.get();
          queue.taskDone();
        }) <= kCallsMax);
  CHECK(callsInARow([&] { event.wait(); }) <= kCallsMax);
  CHECK(callsInARow([&] {
          semaphore.acquire();
          semaphore.release();
        }) <= kCallsMax);
  CHECK(callsInARow([&] {
          mutex.lock();
          mutex.unlock();
        }) <= kCallsMax);
  CHECK(callsInARow([&] { ended.get(); }) <= kCallsMax);
  CHECK(callsInARow([&] { queue.join(); }) <= kCallsMax);
  CHECK(callsInARow([&] { joinAll({AnyGreenlet(ended)}); }) <= kCallsMax);
  queue.close();
  CHECK(callsInARow([&] { queue.next(); }) <= kCallsMax);
}

FIBER_TEST("a fiber that locks what it holds again and again lets the others run [LOOP-3]") {
  RecursiveMutex mutex;
  mutex.lock();

  CHECK(callsInARow([&] {
          mutex.lock();
          mutex.unlock();
        }) <= kCallsMax);

  mutex.unlock();
}

FIBER_TEST_ON("sim", "callbacks of every kind may park, and nobody else notices [LOOP-7]") {
  Event go;
  std::string order;
  const auto park = [&](char name) {
    return [&go, &order, name] {
      go.wait();
      order += name;
    };
  };
  const LoopHandle handle;
  callSoon(park('s'));
  handle.callFromThread(park('t'));
  auto linked = spawn([] {});
  linked.link([call = park('l')](AnyGreenlet) { call(); });
  const TimePoint start = now();
  callLater(1s, park('1'));
  callLater(1s, [&] { order += '2'; });
  callLater(1s, park('3'));
  callLater(2s, [&] { order += '4'; });
  spawn([&] {
    sleep(1500ms);
    order += 'f';
  });

  sleep(3s);
  CHECK(order == "2f4");
  CHECK(now() == start + 3s);
  order.clear();
  go.set();
  settle();

  CHECK(order.size() == 5);
  for (const char name : {'s', 't', 'l', '1', '3'}) CHECK(order.find(name) != std::string::npos);
}

FIBER_TEST("a thousand callbacks that park at once all go on [LOOP-7]") {
  Event go;
  int done = 0;
  for (int i = 0; i < 1000; ++i) {
    callLater(0s, [&] {
      go.wait();
      ++done;
    });
  }
  bool rang = false;
  callLater(1us, [&] { rang = true; });
  while (!rang) sleep(1us);
  CHECK(done == 0);

  go.set();
  settle();

  CHECK(done == 1000);
}

FIBER_TEST("a parked callback can be killed like a fiber [LOOP-8]") {
  Event never;
  AnyGreenlet callback;
  bool unwound = false;
  callSoon([&] {
    struct Look {
      bool& unwound;
      ~Look() { unwound = true; }
    };
    const Look look{unwound};
    callback = current();
    never.wait();
  });
  settle();
  REQUIRE(callback);

  callback.kill();

  CHECK(unwound);
}

FIBER_TEST("each callback has locals of its own, destroyed when it returns [LOOP-8]") {
  static int alive = 0;
  struct Counted {
    Counted() { ++alive; }
    ~Counted() { --alive; }
    int value = 0;
  };
  static FiberLocal<Counted> local;
  local->value = 1;
  int seen = -1;
  for (int i = 0; i < 2; ++i) {
    callSoon([&] {
      seen = local->value;
      local->value = 5;
      CHECK(alive == 2);
      if (seen == 0) yield();
      CHECK(local->value == 5);
    });
    settle();
    CHECK(seen == 0);
  }

  CHECK(local->value == 1);
  CHECK(alive == 1);
}

FIBER_TEST("a callback sees no exception of the fiber that gave way to it [LOOP-8]") {
  int uncaught = -1;
  bool hasCurrent = true;
  const auto look = [&] {
    uncaught = std::uncaught_exceptions();
    hasCurrent = std::current_exception() != nullptr;
  };
  struct Yield {
    ~Yield() { settle(); }
  };
  callSoon(look);
  try {
    try {
      const Yield yields;
      throw std::runtime_error("mine");
    } catch (const std::exception&) {
      CHECK(uncaught == 0);
      CHECK_FALSE(hasCurrent);
      uncaught = -1;
      hasCurrent = true;
      callSoon(look);
      settle();
      throw;
    }
  } catch (const std::runtime_error& error) {
    CHECK(error.what() == std::string("mine"));
  }
  CHECK(uncaught == 0);
  CHECK_FALSE(hasCurrent);
}

FIBER_TEST("a callback is not struck by kills and Timeouts of fibers [LOOP-8]") {
  bool done = false;
  auto killed = spawn([&] {
    const Timeout timeout(0s);
    callSoon([&] {
      settle();
      done = true;
    });
    sleep(1h);
  });
  yield();

  killed.requestKill();
  settle();
  settle();

  CHECK(done);
  CHECK(killed.isKilled());
}

FIBER_TEST("a callback's name and place say where it was made [LOOP-8]") {
  std::string name;
  int line = 0;
  const int expected = __LINE__ + 1;
  callSoon([&] {
    name = current().name();
    line = static_cast<int>(current().spawnedAt().line());
    CHECK(current().id() != 0);
  });
  settle();

  CHECK(line == expected);
  CHECK(name.find("loop_test.cpp:" + std::to_string(expected)) != std::string::npos);
}

FIBER_TEST("two callbacks are two, and a callback is itself before and after it parked [LOOP-8]") {
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 2; ++i) {
    callSoon([&] {
      const std::uint64_t mine = current().id();
      yield();
      CHECK(current().id() == mine);
      ids.push_back(mine);
    });
  }
  settle();

  REQUIRE(ids.size() == 2);
  CHECK(ids[0] != ids[1]);
  CHECK(ids[0] != current().id());
}

FIBER_TEST("an exception out of a callback is reported once, and the others run [LOOP-9]") {
  ExpectedErrors errors;
  std::string order;
  callSoon([] { throw std::runtime_error("soon"); });
  callSoon([&] { order += 'a'; });
  callLater(0s, [] { throw std::runtime_error("later"); });
  callLater(0s, [&] { order += 'b'; });
  callSoon([&] {
    yield();
    order += 'c';
    throw std::runtime_error("after parking");
  });

  const auto reported = errors.take(3);
  while (order.size() < 3) yield();

  REQUIRE(reported.size() == 3);
  for (const std::string text : {"soon", "later", "after parking"}) {
    int times = 0;
    for (const std::string& each : reported) times += each.ends_with(text) ? 1 : 0;
    CHECK(times == 1);
  }
  for (const std::string& each : reported) {
    CHECK(each.find("loop_test.cpp:") != std::string::npos);
  }
}

FIBER_TEST("a fiber that is alone gives way no more often than others do [LOOP-3]") {
  Event set;
  set.set();
  yield();
  const std::uint64_t before = loopStatistics().turns;

  for (int i = 0; i < 1280; ++i) set.wait();

  const std::uint64_t turns = loopStatistics().turns - before;
  CHECK(turns >= 9);
  CHECK(turns <= 11);
}

// --- spinning before a sleep ---

namespace {

RunOptions spinning(Duration wait) {
  RunOptions options;
  options.kernel = "uring";
  options.spin = wait;
  return options;
}

}  // namespace

FIBER_TEST_WITH(spinning(1h),
                "a loop with a spin finds calls and timers without a sleep [LOOP-19]") {
  const LoopHandle handle;
  Event called;
  yield();
  const std::uint64_t before = loopStatistics().enters;

  std::thread caller([&handle, &called] { handle.callFromThread([&called] { called.set(); }); });
  called.wait();
  sleep(1ms);

  CHECK(loopStatistics().enters == before);
  caller.join();
}

FIBER_TEST_WITH(spinning(1h), "a loop with a spin finds completions without a sleep [LOOP-19]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  char byte = 0;
  detail::Op op(detail::OpKind::read, ends[0]);
  op.setBuffer(&byte, 1);
  std::thread writer([into = ends[1]] { REQUIRE(::write(into, "x", 1) == 1); });

  CHECK(detail::await(op, "read") == 1);

  CHECK(byte == 'x');
  writer.join();
  for (const int each : ends) ::close(each);
}

TEST_CASE("a spin is asked for by the environment too, and a wrong one is refused [LOOP-19]") {
  ::setenv("PLAIT_SPIN_US", "20 ms", 1);
  CHECK_THROWS_AS(run([] {}), Error);
  ::setenv("PLAIT_SPIN_US", "20", 1);
  CHECK(run([] { return 3; }) == 3);
  ::unsetenv("PLAIT_SPIN_US");
}

TEST_CASE("a virtual clock goes on although a spin is asked for [LOOP-19]") {
  RunOptions options;
  options.kernel = "sim";
  options.spin = 20us;
  run(options, [] {
    const TimePoint start = now();
    sleep(1h);
    CHECK(now() == start + 1h);
  });
}

TEST_CASE("a loop that spins notices that its last handle has gone [LOOP-19] [LOOP-14]") {
  std::atomic<bool> isParking{false};
  CHECK_THROWS_AS(run(spinning(100ms),
                      [&isParking] {
                        callInThread([handle = LoopHandle(), &isParking] {
                          while (!isParking) std::this_thread::yield();
                        });
                        isParking = true;
                        Event().wait();
                      }),
                  DeadlockError);
}

FIBER_TEST_WITH(spinning(1ms), "a spin that finds nothing ends in a sleep [LOOP-19]") {
  const LoopHandle handle;
  for (int i = 0; i < 3; ++i) {
    Event called;
    std::thread caller([loop = threadId(), &handle, &called] {
      waitUntilAsleep(loop);
      handle.callFromThread([&called] { called.set(); });
    });
    called.wait();
    caller.join();
  }
}
