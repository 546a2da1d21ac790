// Callbacks: who they are, and that they may block like any fiber.
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/detail/sanitizer.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/greenlet.h"
#include "plait/queue.h"
#include "plait/run.h"
#include "plait/statistics.h"
#include "plait/timeout.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

// --- identity ---

FIBER_TEST("each callback is somebody, and the name says where it was made [LOOP-8]") {
  std::vector<AnyGreenlet> who{current()};
  const auto ask = [&who] {
    who.push_back(current());
    CHECK(current() == who.back());
    CHECK_FALSE(current().isReady());
  };

  const unsigned line = __LINE__ + 1;
  callSoon(ask);
  callSoon(ask);
  spawn([] {}).link([&ask](const AnyGreenlet&) { ask(); });
  callLater(0s, ask);
  sleep(1ns);
  settle();

  REQUIRE(who.size() == 5);
  std::set<std::uint64_t> numbers;
  for (const AnyGreenlet& each : who) numbers.insert(each.id());
  CHECK(numbers.size() == 5);
  for (std::size_t i = 1; i < who.size(); ++i) {
    CHECK(std::string(who[i].spawnedAt().file_name()).ends_with("callback_test.cpp"));
    CHECK(who[i].name().find("callback") != std::string::npos);
    CHECK(who[i].isReady());
    CHECK(who[i].isSuccessful());
    CHECK_NOTHROW(who[i].kill());
    CHECK_NOTHROW(who[i].join());
  }
  CHECK(who[1].spawnedAt().line() == line);
  CHECK(who[2].spawnedAt().line() == line + 1);
}

FIBER_TEST("a callback keeps its identity when it parks, and can be joined [LOOP-8] [LOOP-7]") {
  AnyGreenlet before;
  AnyGreenlet after;
  callSoon([&] {
    before = current();
    yield();
    after = current();
    yield();
  });
  yield();
  yield();

  before.join();

  CHECK(before == after);
  CHECK(before.isReady());
}

FIBER_TEST("a kill, a name and a shield of a callback are not the next one's [LOOP-8]") {
  std::string steps;
  callSoon([] {
    current().requestKill();
    current().setName("first");
  });
  callSoon([&steps] {
    CHECK(current().name() != "first");
    yield();
    steps += "second ";
    current().kill();
    steps += "never";
  });
  callSoon([&steps] {
    yield();
    steps += "third";
  });

  settle();

  CHECK(steps == "second third");
}

FIBER_TEST_ON("sim", "a timeout of a callback is not the next one's [LOOP-8]") {
  std::string steps;
  callSoon([] { const Timeout timeout(1ms); });
  callSoon([&steps] {
    const Timeout timeout(10ms);
    try {
      sleep(5ms);
      steps += "slept ";
      sleep(1h);
    } catch (const TimeoutExpired& e) {
      steps += timeout.isCause(e) ? "own" : "foreign";
    }
  });

  sleep(20ms);

  CHECK(steps == "slept own");
}

FIBER_TEST("a callback that asks nothing and does not park costs no fiber [LOOP-8]") {
  int calls = 0;
  const LoopStatistics before = loopStatistics();
  for (int i = 0; i < 100; ++i) callSoon([&calls] { ++calls; });

  yield();

  CHECK(calls == 100);
  const LoopStatistics after = loopStatistics();
  CHECK(after.stacks == before.stacks);
  CHECK(after.spawned == before.spawned);
  CHECK(after.fibersParked == before.fibersParked);
}

// --- blocking ---

FIBER_TEST_ON("sim", "callbacks of every kind may block, and nobody notices [LOOP-7]") {
  std::string steps;
  Event event;
  Queue<int> queue;
  const TimePoint start = now();
  callSoon([&] {
    event.wait();
    steps += "soon ";
  });
  callLater(1ms, [&] {
    queue.get();
    steps += "timer1 ";
  });
  callLater(1ms, [&] { steps += "timer2 "; });
  callLater(1ms, [&] {
    sleep(2ms);
    steps += "timer3 ";
    CHECK(now() - start == 3ms);
  });
  spawn([] {}).link([&](const AnyGreenlet&) {
    spawn([&] { sleep(1ms); }).join();
    steps += "link ";
  });
  callSoon([&] { steps += "next "; });

  sleep(5ms);
  CHECK(steps == "next timer2 link timer3 ");
  queue.put(1);
  event.set();
  settle();

  CHECK(steps == "next timer2 link timer3 timer1 soon ");
}

FIBER_TEST_ON("sim", "many callbacks of one turn may all park [LOOP-7]") {
  constexpr int kMany = 200;
  int begun = 0;
  int ended = 0;
  Event event;
  for (int i = 0; i < kMany; ++i) {
    const auto park = [&] {
      ++begun;
      event.wait();
      ++ended;
    };
    if (i % 2 == 0) callSoon(park);
    if (i % 2 == 1) callLater(1ms, park);
  }
  sleep(2ms);
  CHECK(begun == kMany);
  CHECK(loopStatistics().fibersParked == kMany);

  event.set();
  settle();

  CHECK(ended == kMany);
  CHECK(loopStatistics().fibersParked == 0);
}

FIBER_TEST("a parked callback can be killed, and is unwound [LOOP-7] [KILL-9]") {
  AnyGreenlet callback;
  std::string steps;
  callSoon([&] {
    callback = current();
    const AtEnd end([&steps] {
      yield();
      steps += "unwound ";
    });
    Event().wait();
  });
  yield();

  callback.kill();
  steps += "killed";

  CHECK(steps == "unwound killed");
}

TEST_CASE("what a killed callback owns may block in its destructor [KILL-18] [CONTEXT-8]") {
  const stacks::Death death = stacks::inChild([] {
    static FiberLocal<std::unique_ptr<AtEnd>> local;
    int destroyed = 0;
    run([&destroyed] {
      const auto blocking = [&destroyed] {
        return AtEnd([&destroyed] {
          yield();
          ++destroyed;
        });
      };
      AnyGreenlet callback;
      callSoon([&callback, &blocking, capture = blocking()] {
        callback = current();
        *local = std::make_unique<AtEnd>(blocking());
        Event().wait();
      });
      yield();
      callback.kill();
    });
    _exit(destroyed == 2 ? 42 : 1);
  });

  CHECK(death.status == 42);
  CHECK(death.standardError.empty());
}

FIBER_TEST("a local of a callback may block in its destructor [CONTEXT-8] [LOOP-7]") {
  struct Value {
    ~Value() {
      for (int i = 0; i < 3; ++i) yield();
      if (steps != nullptr) *steps += "local ";
    }
    std::string* steps = nullptr;
  };
  static FiberLocal<Value> local;
  std::string steps;

  for (int i = 0; i < 3; ++i) callSoon([&steps] { local->steps = &steps; });
  settle();

  CHECK(steps == "local local local ");
}

TEST_CASE("a callback that parks while the run ends is unwound and holds up nothing [LOOP-16]") {
  for (const bool asks : {false, true}) {
    std::string steps;
    std::vector<std::string> reports;
    RunOptions options = onKernel("sim");
    options.errorSink = [&reports](const ErrorReport& report) {
      reports.push_back(report.context + ": " + describe(report.error));
    };

    run(options, [&steps, asks] {
      const TimePoint start = now();
      spawn([] { Event().wait(); }).link([&steps, start, asks](const AnyGreenlet&) {
        if (asks) static_cast<void>(current());
        const AtEnd end([&steps, start] { steps += now() == start ? "unwound " : "late "; });
        sleep(1h);
        steps += "never ";
      });
      spawn([] { Event().wait(); }).link([&steps, asks](const AnyGreenlet&) {
        if (asks) static_cast<void>(current());
        const AtEnd end([&steps] { steps += "unwound "; });
        Event().wait();
        steps += "never ";
      });
      yield();
    });

    CHECK(steps == "unwound unwound ");
    CHECK(reports == std::vector<std::string>());
  }
}

TEST_CASE("what a callback kept in a FiberLocal may block at the end of a run [LOOP-7]") {
  struct Blocks {
    bool* done = nullptr;
    ~Blocks() {
      yield();
      if (done != nullptr) *done = true;
    }
  };
  static FiberLocal<Blocks> local;
  bool done = false;
  // The callback runs while the run closes, so it is born killed.
  run([&] { callSoon([&] { local->done = &done; }); });
  CHECK(done);
}

FIBER_TEST("a local that asks who it is when it is destroyed is not the next callback's [LOOP-8]") {
  struct Asks {
    ~Asks() { const CancelShield shield; }
  };
  static FiberLocal<Asks> asks;
  static FiberLocal<int> number([] { return 0; });
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  int seen = -1;
  callSoon([&] {
    first = current().id();
    static_cast<void>(asks.get());
    *number = 5;
  });
  callSoon([&] {
    second = current().id();
    seen = *number;
  });
  settle();
  CHECK(second > first + 1);  // the destructor was somebody too
  CHECK(seen == 0);
}

TEST_CASE("a callback that may not park for want of memory gets an error, and the run goes on") {
  if (detail::kSanitized) {
    MESSAGE("left out: a sanitizer does not live under RLIMIT_AS");
    return;
  }
  const stacks::Death death = stacks::inChild([] {
    int refused = 0;
    run([&] {
      const rlimit none{0, RLIM_INFINITY};
      rlimit before{};
      ::getrlimit(RLIMIT_AS, &before);
      std::vector<AnyGreenlet> parked;
      parked.reserve(1000);
      ::setrlimit(RLIMIT_AS, &none);
      // Takes the stacks that are left.
      while (parked.empty() || !parked.back().isReady()) {
        parked.push_back(spawn([] { Event().wait(); }));
        if (parked.size() == 1000) ::_exit(1);
        yield();
      }
      const auto attempt = [&](void (*park)()) {
        callSoon([&refused, park] {
          try {
            park();
          } catch (const Error&) {
            ++refused;
          }
        });
      };
      attempt([] { sleep(1ms); });
      attempt([] { yield(); });
      settle();
      ::setrlimit(RLIMIT_AS, &before);
      static_cast<void>(parked.back().exception());
      sleep(1ms);
    });
    ::_exit(refused == 2 ? 0 : 2);
  });
  CHECK(death.status == 0);
  CHECK(death.signal == 0);
}
