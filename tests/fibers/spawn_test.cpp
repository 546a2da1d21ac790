// Starting fibers, at once and later.
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/run.h"
#include "plait/signal.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

template <class F>
concept Spawnable = requires(F f) { spawn(std::move(f)); };
template <class F>
concept SpawnableWithOptions = requires(F f) { spawn(SpawnOptions(), std::move(f)); };
template <class F>
concept SpawnableLater = requires(F f) { spawnLater(Duration(), std::move(f)); };
template <class F>
concept SignalHandler = requires(F f) { onSignal(1, std::move(f)); };

template <class F>
constexpr bool isAcceptedByAll =
    Spawnable<F> && SpawnableWithOptions<F> && SpawnableLater<F> && SignalHandler<F>;
template <class F>
constexpr bool isRefusedByAll =
    !Spawnable<F> && !SpawnableWithOptions<F> && !SpawnableLater<F> && !SignalHandler<F>;

}  // namespace

// --- start ---

TEST_CASE("what cannot be called is refused when compiled, visible to requires [SPAWN-2]") {
  const auto fitting = [] {};
  const auto needsMore = [](int) {};
  int number = 0;
  const auto movable = [owned = std::unique_ptr<int>()]() mutable { owned.reset(); };
  using MoveOnly = std::remove_const_t<decltype(movable)>;

  CHECK(isAcceptedByAll<decltype(fitting)>);
  CHECK(isAcceptedByAll<void (*)()>);
  CHECK(isAcceptedByAll<MoveOnly>);
  CHECK(isRefusedByAll<decltype(needsMore)>);
  CHECK(isRefusedByAll<decltype(number)>);
  CHECK(isRefusedByAll<std::string>);
}

FIBER_TEST("spawn returns before its function has run; fibers start in order [SPAWN-1]") {
  std::string order;

  for (const char name : {'a', 'b', 'c'}) spawn([name, &order] { order += name; });

  CHECK(order.empty());
  yield();
  CHECK(order == "abc");
}

FIBER_TEST("a fiber starts when its spawner switches, behind what was ready before [SPAWN-1]") {
  std::string order;
  Event go;
  spawn([&] {
    go.wait();
    order += "woken ";
  });
  yield();

  go.set();
  spawn([&order] { order += "spawned "; });
  order += "spawner ";
  yield();

  CHECK(order == "spawner woken spawned ");
}

FIBER_TEST("fibers that only yield take turns in the order of their spawns [SPAWN-1]") {
  std::string order;
  std::vector<AnyGreenlet> all;

  for (const char* name : {"1", "2", "3"}) {
    all.push_back(spawn([name, &order] {
      for (const char* step : {"A ", "B ", "C "}) {
        order += std::string(name) + step;
        yield();
      }
    }));
  }
  joinAll(all);

  CHECK(order == "1A 2A 3A 1B 2B 3B 1C 2C 3C ");
}

FIBER_TEST_ON("sim", "a fiber spawned for later starts once the delay has passed [SPAWN-3]") {
  const TimePoint start = now();
  Duration started{};

  const auto later = spawnLater(20ms, [&] { started = now() - start; });

  CHECK_FALSE(later.isReady());
  sleep(19ms);
  CHECK_FALSE(later.isReady());
  later.join();
  CHECK(started == 20ms);
}

FIBER_TEST_ON("sim", "a kill before its time removes the timer of a later fiber [SPAWN-3]") {
  const TimePoint start = now();
  bool hasRun = false;
  const auto later = spawnLater(1h, [&hasRun] { hasRun = true; });
  const auto withError = spawnLater(1h, [&hasRun] { hasRun = true; });
  REQUIRE(loopStatistics().timers == 2);

  later.kill();
  withError.kill(std::make_exception_ptr(std::runtime_error("not now")));

  CHECK(loopStatistics().timers == 0);
  CHECK(later.isKilled());
  CHECK_THROWS_AS(withError.get(), std::runtime_error);
  CHECK(now() == start);
  CHECK_FALSE(hasRun);
}

TEST_CASE("the end of a run does not wait for what was spawned for later [SPAWN-3] [LOOP-16]") {
  bool hasRun = false;
  std::optional<Duration> waited;

  run(onKernel("sim"), [&] {
    const TimePoint start = now();
    spawnLater(1h, [&hasRun, end = AtEnd([&waited, start] { waited = now() - start; })] {
      hasRun = true;
    });
  });

  CHECK_FALSE(hasRun);
  CHECK(waited == Duration::zero());
}

TEST_CASE("what is spawned for later while the run ends neither runs nor holds it up [LOOP-16]") {
  bool hasRun = false;
  std::optional<Duration> waited;

  run(onKernel("sim"), [&] {
    spawn([&] {
      const AtEnd end([&] {
        const TimePoint start = now();
        spawnLater(1h, [&hasRun, last = AtEnd([&waited, start] { waited = now() - start; })] {
          hasRun = true;
        });
      });
      sleep(2h);
    });
    yield();
  });

  CHECK_FALSE(hasRun);
  CHECK(waited == Duration::zero());
}

FIBER_TEST("captures and results that can only be moved work everywhere [SPAWN-5]") {
  const auto make = [](int value) {
    return [owned = std::make_unique<int>(value)]() mutable { return std::move(owned); };
  };
  Queue<std::unique_ptr<int>> queue;

  auto spawned = spawn(make(1));
  CHECK(*spawned.get() == 1);
  CHECK(*spawned.get() == 1);
  CHECK(*spawn(make(2)).get() == 2);
  CHECK(*spawnLater(0s, make(3)).get() == 3);
  CHECK(*offload(make(4)) == 4);
  queue.put(std::make_unique<int>(5));
  CHECK(*queue.get() == 5);
}
