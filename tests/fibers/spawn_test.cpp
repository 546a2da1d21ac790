// Starting fibers, their handles, and what happens to what they own.
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/run.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// Calls a function when it is destroyed; moved from, it does not.
class AtEnd final {
 public:
  explicit AtEnd(std::function<void()> f) : f_(std::move(f)) {}
  AtEnd(AtEnd&& other) noexcept : f_(std::exchange(other.f_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (f_) f_();
  }

 private:
  std::function<void()> f_;
};

// The count of dropped handles, once the statistics have one.
template <class S>
std::uint64_t handlesDropped(const S& statistics) {
  if constexpr (requires { statistics.handlesDropped; }) return statistics.handlesDropped;
  return 0;
}

}  // namespace

// --- start ---

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

FIBER_TEST("the function is destroyed at the fiber's end, on its thread, under a handle [SPAWN-6]") {
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
  const std::uint64_t before = handlesDropped(loopStatistics());

  spawn([] { yield(); });
  const AnyGreenlet kept = spawn([] { yield(); });
  kept.join();

  CHECK(handlesDropped(loopStatistics()) == before + 1);
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

  const AnyGreenlet named = spawn({.name = "reader", .stackBytes = 0}, [] {});
  CHECK(named.name() == "reader");
  named.setName("writer");
  named.join();
  CHECK(named.name() == "writer");
  CHECK(std::string(named.spawnedAt().file_name()).ends_with("spawn_test.cpp"));
}

FIBER_TEST("a report shows the fiber's name and the place of the spawn [SPAWN-10] [SPAWN-9]") {
  ExpectedErrors errors;

  const unsigned line = __LINE__ + 1;
  spawn({.name = "careless", .stackBytes = 0}, [] { throw std::runtime_error("ouch"); });

  const std::vector<std::string> reports = errors.take(1);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'careless'") != std::string::npos);
  CHECK(reports[0].find("spawn_test.cpp:" + std::to_string(line)) != std::string::npos);
  CHECK(reports[0].ends_with("std::runtime_error: ouch"));
}
