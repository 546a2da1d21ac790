// Deadlocks: when they are found, when not, and what is said.

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/detail/process.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/mutex.h"
#include "plait/offload.h"
#include "plait/timeout.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// A sanitizer's own thread counts as a stranger who might still help.
bool deadlocksAreFound() { return detail::process::foreignThreads() <= 1; }

std::string deadlockOf(const std::function<void()>& f) {
  if (!deadlocksAreFound()) return "";
  try {
    run(f);
  } catch (const DeadlockError& error) {
    return error.what();
  }
  return "no deadlock";
}

#define REQUIRE_DEADLOCKS()                               \
  if (!deadlocksAreFound()) {                             \
    MESSAGE("a stranger's thread lives in this process"); \
    return;                                               \
  }

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

TEST_CASE("a deadlock names every fiber, what it waits for, and where it was spawned [LOOP-13]") {
  REQUIRE_DEADLOCKS();
  const int line = __LINE__ + 3;
  const std::string text = deadlockOf([] {
    Event never;
    auto waiter = spawn({.name = "waiter"}, [&] { never.wait(); });
    spawn({.name = "sleeper"}, [&] { waiter.join(); });
    waiter.join();
  });

  for (const std::string part : {"'main'", "'waiter'", "'sleeper'", "Event::wait", "join"}) {
    CHECK(has(text, part));
  }
  CHECK(has(text, std::string(__FILE__) + ":" + std::to_string(line)));
}

TEST_CASE("a deadlock of mutexes says who holds them [LOOP-13]") {
  REQUIRE_DEADLOCKS();
  const std::string text = deadlockOf([] {
    Mutex mutex;
    auto holder = spawn({.name = "holder"}, [&] {
      mutex.lock();
      Event().wait();
    });
    settle();
    mutex.lock();
  });

  const std::size_t lock = text.find("Mutex::lock");
  REQUIRE(lock != std::string::npos);
  CHECK(text.substr(lock, text.find('\n', lock) - lock).find("'holder'") != std::string::npos);
}

TEST_CASE("the fibers of a deadlock are unwound [LOOP-13]") {
  REQUIRE_DEADLOCKS();
  int alive = 0;
  deadlockOf([&] {
    Event never;
    for (int i = 0; i < 3; ++i) {
      spawn([&] {
        const Alive here(alive);
        never.wait();
      });
    }
    never.wait();
  });
  CHECK(alive == 0);
}

TEST_CASE("a deadlock is found also when a fiber that waits is shielded [LOOP-13]") {
  REQUIRE_DEADLOCKS();
  CHECK(inChild([] {
          RunOptions options;
          options.errorSink = [](const ErrorReport&) {};
          try {
            run(options, [] {
              const CancelShield shield;
              Event().wait();
            });
          } catch (const DeadlockError&) {
            return 0;
          }
          return 1;
        }) == 0);
}

FIBER_TEST_SIM(([] {
                 SimOptions options;
                 options.delays = true;
                 return options;
               }()),
               "an operation in flight is no deadlock [LOOP-14]") {
  detail::Op op(detail::OpKind::nop);
  CHECK(spawn([&] { return detail::await(op, "nop"); }).get() == 0);
}

FIBER_TEST_ON("sim", "a timer, a delayed call and a Timeout are no deadlock [LOOP-14]") {
  Event event;
  callLater(1h, [&] { event.set(); });
  event.wait();
  sleep(1h);
  CHECK_THROWS_AS(withTimeout(1h, [] { Event().wait(); }), TimeoutError);
  CHECK_FALSE(Event().wait(1h));
}

TEST_CASE("a task of the pool is no deadlock [LOOP-14]") {
  CHECK(run([] {
          return offload([loop = threadId()] {
            waitUntilAsleep(loop);
            return 4;
          });
        }) == 4);
}

TEST_CASE("while another LoopHandle lives there is no deadlock [LOOP-14]") {
  CHECK(run([] {
          auto event = std::make_shared<Event>();
          callInThread([loop = threadId(), handle = LoopHandle(), event]() mutable {
            waitUntilAsleep(loop);
            handle.callFromThread([event = std::move(event)] { event->set(); });
          });
          event->wait();
          return 6;
        }) == 6);
}

TEST_CASE("when the last LoopHandle goes the deadlock is found [LOOP-14]") {
  REQUIRE_DEADLOCKS();
  CHECK(has(deadlockOf([] {
              callInThread([loop = threadId(), handle = std::make_unique<LoopHandle>()]() mutable {
                waitUntilAsleep(loop);
                handle.reset();
              });
              Event().wait();
            }),
            "Event::wait"));
}

TEST_CASE(
    "a loop that a thread of the pool runs hides no stranger from the deadlock check [LOOP-15]") {
  // The thread is one, although it is of the pool and runs a loop.
  int before = 0;
  int inside = 0;
  run([&] {
    before = detail::process::foreignThreads();
    inside = offload([] { return run([] { return detail::process::foreignThreads(); }); });
  });
  CHECK(inside == before);
}

TEST_CASE(
    "a deadlock that a stranger's thread may end is reported once, and waiting goes on [LOOP-15]") {
  std::atomic<int> reports{0};
  std::atomic<int> waits{0};
  RunOptions options;
  options.errorSink = [&](const ErrorReport& report) {
    CHECK(describe(report.error).find("Event::wait") != std::string::npos);
    ++reports;
    reports.notify_all();
  };
  Event* event = nullptr;
  std::thread stranger([&, loop = threadId()] {
    reports.wait(0);
    callFromThread([&] { event->set(); });
    // The second wait has no more hope than the first, but it has been told.
    while (waits < 2) std::this_thread::yield();
    waitUntilAsleep(loop);
    callFromThread([&] { event->set(); });
  });

  CHECK(run(options, [&] {
          Event mine;
          event = &mine;
          waits = 1;
          mine.wait();
          mine.clear();
          waits = 2;
          mine.wait();
          return 3;
        }) == 3);
  stranger.join();
  CHECK(reports == 1);
}
