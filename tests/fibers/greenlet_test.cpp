// Greenlets as handles: their state, and what lives as long as the fiber.
#include "plait/greenlet.h"

#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/group.h"
#include "plait/signal.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST(
    "the function is destroyed at the fiber's end, on its thread, under a handle [SPAWN-6]") {
  std::thread::id destroyedOn;
  int destroyed = 0;
  const auto capture = [&] {
    return AtEnd([&destroyed, &destroyedOn] {
      ++destroyed;
      destroyedOn = std::this_thread::get_id();
    });
  };

  const AnyGreenlet ended = spawn([end = capture()] { yield(); });
  const AnyGreenlet failed = spawn([end = capture()] { throw GreenletExit(); });
  const AnyGreenlet unstarted = spawn([end = capture()] { FAIL("it was killed before"); });
  unstarted.requestKill();
  CHECK(destroyed == 0);
  joinAll({ended, failed, unstarted});

  CHECK(destroyed == 3);
  CHECK(destroyedOn == std::this_thread::get_id());
}

FIBER_TEST("a result that only a group held is destroyed whole, though its destructor blocks") {
  Group group;
  int steps = 0;
  std::vector<AnyGreenlet> others;

  group.spawn([&steps] {
    return AtEnd([&steps] {
      ++steps;
      for (int i = 0; i < 3; ++i) yield();
      ++steps;
    });
  });
  // They take the stack that becomes free.
  for (int i = 0; i < 3; ++i) {
    others.push_back(spawn([] {
      for (int j = 0; j < 5; ++j) yield();
    }));
  }
  group.join();
  joinAll(others);
  settle();

  CHECK(steps == 2);
}

// --- state ---

FIBER_TEST("until its end a greenlet has neither value nor exception, then one of them [SPAWN-7]") {
  Event end;
  const auto good = spawn([&end] {
    end.wait();
    return 42;
  });
  const auto bad = spawn([&end]() -> int {
    end.wait();
    throw std::runtime_error("no luck");
  });
  yield();
  for (const auto& greenlet : {good, bad}) {
    CHECK_FALSE(greenlet.isReady());
    CHECK_FALSE(greenlet.isSuccessful());
    CHECK(greenlet.exception() == nullptr);
  }

  end.set();
  joinAll({good, bad});

  CHECK(good.isReady());
  CHECK(good.isSuccessful());
  CHECK(good.exception() == nullptr);
  CHECK(good.get() == 42);
  CHECK(bad.isReady());
  CHECK_FALSE(bad.isSuccessful());
  CHECK(bad.exception() != nullptr);
  CHECK_THROWS_AS(bad.get(), std::runtime_error);
}

FIBER_TEST("the running fiber is never ready, in no destructor of what it owns either [SPAWN-8]") {
  struct Probe {
    ~Probe() { *into += current().isReady() ? "ready " : "running "; }
    std::string* into = nullptr;
  };
  static FiberLocal<Probe> local;
  std::string seen;
  const auto look = [&seen] { seen += current().isReady() ? "ready " : "running "; };

  spawn([&seen, look, capture = AtEnd(look)] {
    look();
    local->into = &seen;
    const AtEnd atEnd(look);
    yield();
  }).join();

  CHECK(seen == "running running running running ");
}

FIBER_TEST("a fiber runs on after its spawner and its last handle are gone [SPAWN-9]") {
  Event go;
  Event ended;

  spawn([&] {
    spawn([&] {
      go.wait();
      ended.set();
    });
  }).join();
  go.set();
  ended.wait();

  CHECK(ended.isSet());
}

FIBER_TEST("dropped handles are counted in the statistics [SPAWN-9]") {
  const std::uint64_t before = loopStatistics().handlesDropped;

  spawn([] { yield(); });
  const AnyGreenlet kept = spawn([] { yield(); });
  kept.join();

  CHECK(loopStatistics().handlesDropped == before + 1);
}

FIBER_TEST("a number belongs to one fiber; the name holds it unless it was set [SPAWN-10]") {
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 100; ++i) {
    const AnyGreenlet greenlet = spawn([] {});
    numbers.insert(greenlet.id());
    CHECK(greenlet.name() == "greenlet-" + std::to_string(greenlet.id()));
    greenlet.join();
  }
  CHECK(numbers.size() == 100);

  const AnyGreenlet named = spawn({.name = "reader"}, [] {});
  CHECK(named.name() == "reader");
  named.setName("writer");
  named.join();
  CHECK(named.name() == "writer");
  CHECK(std::string(named.spawnedAt().file_name()).ends_with("greenlet_test.cpp"));
}

FIBER_TEST("a report shows the fiber's name and the place of the spawn [SPAWN-10] [SPAWN-9]") {
  ExpectedErrors errors;

  const unsigned line = __LINE__ + 1;
  spawn({.name = "careless"}, [] { throw std::runtime_error("ouch"); });

  const std::vector<std::string> reports = errors.take(1);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'careless'") != std::string::npos);
  CHECK(reports[0].find("greenlet_test.cpp:" + std::to_string(line)) != std::string::npos);
  CHECK(reports[0].ends_with("std::runtime_error: ouch"));
}
