#include "plait/spawn_observer.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/group.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "an observer hears of each spawn before the greenlet runs [SPAWN-4]") {
  std::vector<std::uint64_t> heard;
  Pool pool(2);
  TaskGroup group;
  std::vector<AnyGreenlet> spawned;
  {
    const SpawnObserver observer([&](const AnyGreenlet& greenlet) {
      CHECK_FALSE(greenlet.isReady());
      heard.push_back(greenlet.id());
    });
    spawned.push_back(spawn([] {}));
    spawned.push_back(spawnLater(1s, [] {}));
    spawned.push_back(pool.spawn([] {}));
    spawned.push_back(group.spawn([] {}));
    callSoon([] { yield(); });
    settle();
  }
  spawned.push_back(spawn([] {}));
  joinAll(spawned);
  group.join();

  spawned.pop_back();
  std::vector<std::uint64_t> expected;
  for (const AnyGreenlet& each : spawned) expected.push_back(each.id());
  CHECK(heard == expected);
}

FIBER_TEST("observers are told in the order in which they were made [SPAWN-4]") {
  std::string order;
  const SpawnObserver first([&](const AnyGreenlet&) { order += '1'; });
  auto second = std::make_unique<SpawnObserver>([&](const AnyGreenlet&) { order += '2'; });
  const SpawnObserver third([&](const AnyGreenlet&) { order += '3'; });

  spawn([] {}).join();
  second.reset();
  spawn([] {}).join();

  CHECK(order == "12313");
}

FIBER_TEST("an error of an observer is reported, and the greenlet runs all the same [SPAWN-4]") {
  ExpectedErrors errors;
  int others = 0;
  const SpawnObserver broken([](const AnyGreenlet&) { throw std::runtime_error("broken"); });
  const SpawnObserver parks([](const AnyGreenlet&) { yield(); });
  const SpawnObserver sound([&](const AnyGreenlet&) { ++others; });

  CHECK(spawn([] { return 5; }).get() == 5);

  CHECK(others == 1);
  CHECK(errors.take(2).size() == 2);
}

TEST_CASE("an observer off a loop is refused [SPAWN-4]") {
  CHECK_THROWS_AS(SpawnObserver([](const AnyGreenlet&) {}), std::logic_error);
}
