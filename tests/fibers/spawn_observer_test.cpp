#include "plait/spawn_observer.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/fork.h"
#include "plait/group.h"
#include "plait/run.h"

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

FIBER_TEST_ON("sim", "what an observer kills never runs [SPAWN-4]") {
  int ran = 0;
  for (const bool withError : {false, true}) {
    const SpawnObserver killer([withError](const AnyGreenlet& greenlet) {
      if (!withError) return greenlet.requestKill();
      greenlet.requestKill(std::make_exception_ptr(std::runtime_error("no")));
    });
    for (const AnyGreenlet& each :
         std::vector<AnyGreenlet>{spawn([&ran] { ++ran; }), spawnLater(1h, [&ran] { ++ran; })}) {
      each.join();
      CHECK(each.isKilled() == !withError);
      CHECK(each.exception() != nullptr);
    }
  }
  CHECK(ran == 0);
}

TEST_CASE("an observer of a fiber that a forked child forgets hears nothing there [SPAWN-4]") {
  CHECK(inChild([] {
          int heard = 0;
          try {
            run([&heard] {
              const SpawnObserver observer([&heard](const AnyGreenlet&) { ++heard; });
              spawn([&heard] {
                const pid_t child = ::fork();
                if (child != 0) ::_exit(endOf(child));
                afterForkInChild();
                heard = 0;
                spawn([] {}).join();
              }).join();
            });
          } catch (const Error&) {
            return heard;
          }
          return 98;
        }) == 0);
}

TEST_CASE("an observer off a loop is refused [SPAWN-4]") {
  CHECK_THROWS_AS(SpawnObserver([](const AnyGreenlet&) {}), std::logic_error);
}
