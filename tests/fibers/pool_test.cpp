#include <algorithm>
#include <chrono>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("spawn on a full pool parks, and callers get slots in the order they came [GROUP-1]") {
  Pool pool(1);
  Event go;
  std::string order;
  pool.spawn([&] { go.wait(); });
  CHECK(pool.isFull());
  for (const char name : {'a', 'b', 'c'}) {
    spawn([&pool, &order, name] {
      pool.spawn([&order, name] { order += name; });
      order += '.';
    });
  }
  settle();
  CHECK(order == "");

  go.set();
  settle();

  CHECK(order == ".a.b.c");
  CHECK(pool.freeCount() == 1);
}

FIBER_TEST("no more tasks of a pool run at once than its size [GROUP-1]") {
  Pool pool(3);
  int running = 0;
  int most = 0;
  for (int i = 0; i < 20; ++i) {
    pool.spawn([&] {
      most = std::max(most, ++running);
      yield();
      --running;
    });
  }
  pool.join();

  CHECK(most == 3);
  CHECK(pool.freeCount() == 3);
}

FIBER_TEST("on a pool of size 0 spawn waits for ever [GROUP-1]") {
  Pool pool(0);
  auto caller = spawn([&] { pool.spawn([] {}); });
  settle();
  CHECK_FALSE(caller.isReady());
  CHECK_FALSE(pool.trySpawn([] {}));

  caller.kill();
}

FIBER_TEST("trySpawn on a full pool starts nothing, says so and never switches [GROUP-2]") {
  Pool pool(1);
  Event go;
  bool ran = false;
  auto first = pool.trySpawn([&] { go.wait(); });
  CHECK(first);

  CHECK_FALSE(pool.trySpawn([&] { ran = true; }));
  CHECK(pool.size() == 1);

  go.set();
  pool.join();
  CHECK_FALSE(ran);
  CHECK(pool.trySpawn([&] { ran = true; }));
  pool.join();
  CHECK(ran);
}

FIBER_TEST("a spawn that is killed or times out while it waits takes no slot [GROUP-2]") {
  Pool pool(1);
  Event go;
  int ran = 0;
  pool.spawn([&] { go.wait(); });
  auto killed = spawn([&] { pool.spawn([&] { ++ran; }); });
  auto late = spawn(
      [&] { CHECK_THROWS_AS(withTimeout(0s, [&] { pool.spawn([&] { ++ran; }); }), TimeoutError); });
  settle();
  killed.kill();
  late.join();

  go.set();
  pool.join();

  CHECK(ran == 0);
  CHECK(pool.freeCount() == 1);
}

FIBER_TEST_ON("sim", "waitAvailable tells the free slots, 0 when its period runs out [GROUP-3]") {
  Pool pool(2);
  CHECK(pool.waitAvailable() == 2);
  auto task = [] { sleep(2s); };
  pool.spawn(task);
  CHECK(pool.freeCount() == 1);
  CHECK(pool.waitAvailable() == 1);
  pool.spawn(task);
  const TimePoint start = now();

  CHECK(pool.waitAvailable(1s) == 0);
  CHECK(now() == start + 1s);
  CHECK(pool.waitAvailable(5s) > 0);
  CHECK(now() == start + 2s);
  pool.join();
  CHECK(pool.freeCount() == 2);
}

FIBER_TEST("waitAvailable without a period never tells 0, however many wait [GROUP-3]") {
  Pool pool(1);
  Event go;
  pool.spawn([&] { go.wait(); });
  std::vector<Greenlet<std::size_t>> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(spawn([&] { return pool.waitAvailable(); }));
  }
  settle();

  go.set();

  for (const auto& each : waiters) CHECK(each.get() > 0);
}

FIBER_TEST("a slot is free again however its task ended [GROUP-4]") {
  ExpectedErrors errors;
  Pool pool(1);
  pool.spawn([] {});
  pool.spawn([] { throw std::runtime_error("thrown"); });
  auto parked = pool.spawn([] { sleep(1h); });
  settle();
  parked.kill();
  CHECK(pool.freeCount() == 1);

  auto unborn = pool.spawn([] {});
  unborn.kill();
  CHECK(pool.freeCount() == 1);

  Event go;
  auto discarded = pool.spawn([&] { go.wait(); });
  pool.discard(discarded);
  CHECK(pool.freeCount() == 0);
  go.set();
  discarded.join();
  CHECK(pool.freeCount() == 1);
  CHECK(errors.take().size() == 1);
}

TEST_CASE("a slot is free again even when reporting its task's error fails [GROUP-4]") {
  RunOptions options;
  options.errorSink = [](const ErrorReport&) { throw std::runtime_error("the sink is full"); };
  run(options, [] {
    Pool pool(1);
    pool.spawn([] { throw std::runtime_error("thrown"); });
    pool.join();
    CHECK(pool.freeCount() == 1);
    pool.spawn([] {}).get();
  });
}

FIBER_TEST("a function that cannot be copied into its task leaves the slot free [GROUP-4]") {
  struct Reluctant {
    Reluctant() = default;
    Reluctant(const Reluctant&) { throw std::runtime_error("no copies"); }
    void operator()() {}
  };
  Pool pool(1);
  const Reluctant function;

  CHECK_THROWS_WITH(pool.spawn(function), "no copies");
  CHECK(pool.freeCount() == 1);
  CHECK_THROWS_WITH(pool.trySpawn(function), "no copies");
  CHECK(pool.freeCount() == 1);
}

FIBER_TEST("a slot outlives its pool [GROUP-4]") {
  Event go;
  AnyGreenlet task;
  {
    Pool pool(1);
    task = pool.spawn([&] { go.wait(); });
    settle();
  }
  settle();
  CHECK_FALSE(task.isReady());

  go.set();
  task.join();  // gives the slot back: under a sanitizer, or not at all
  CHECK(task.isSuccessful());
}

TEST_CASE("tasks that all wait for slots of their own full pool are a deadlock [GROUP-5]") {
  CHECK_THROWS_AS(run([] {
                    Pool pool(2);
                    for (int i = 0; i < 2; ++i) {
                      pool.spawn([&pool] { pool.spawn([] {}); });
                    }
                    pool.join();
                  }),
                  DeadlockError);
}

FIBER_TEST("a task that spawns into its own pool waits for a slot like any other [GROUP-5]") {
  Pool pool(2);
  std::string order;
  pool.spawn([&] {
    pool.spawn([&] { order += 'i'; }).join();
    order += 'o';
  });
  pool.join();

  CHECK(order == "io");
}

FIBER_TEST_ON("sim", "a pool's map keeps the order of its input and its bound [GROUP-6]") {
  Pool pool(2);
  const std::vector<int> items{5, 1, 4, 2};
  int running = 0;
  int most = 0;

  const std::vector<int> results = pool.map(items, [&](int item) {
    most = std::max(most, ++running);
    sleep(std::chrono::seconds(item));
    --running;
    return item * 10;
  });

  CHECK(results == std::vector<int>{50, 10, 40, 20});
  CHECK(most == 2);
  CHECK(pool.freeCount() == 2);
}

FIBER_TEST_ON("sim",
              "map throws the error of the first failing item in order, once all ended [GROUP-6]") {
  ExpectedErrors errors;
  Pool pool(4);
  int running = 0;
  struct Running {
    explicit Running(int& n) : count(n) { ++count; }
    ~Running() { --count; }
    int& count;
  };

  CHECK_THROWS_WITH(pool.map(std::vector<int>{0, 2, 1, 9},
                             [&](int item) {
                               const Running here(running);
                               sleep(std::chrono::seconds(item));
                               if (item == 1 || item == 2) {
                                 throw std::runtime_error(std::to_string(item));
                               }
                             }),
                    "2");

  CHECK(running == 0);
  CHECK(pool.freeCount() == 4);
  // The other error is nobody's.
  const std::vector<std::string> reported = errors.take();
  REQUIRE(reported.size() == 1);
  CHECK(reported[0].ends_with(": 1"));
}

FIBER_TEST("map takes ranges whose items are made on the way [GROUP-6]") {
  Pool pool(10);

  const std::vector<int> squares = pool.map(std::views::iota(1, 6), [](int i) { return i * i; });

  CHECK(squares == std::vector<int>{1, 4, 9, 16, 25});
}

namespace {

// Throws at its third item.
struct BadRange {
  struct Iterator {
    int value;
    int operator*() const { return value; }
    Iterator& operator++() {
      yield();  // the tasks so far begin
      if (++value == 2) throw std::runtime_error("bad range");
      return *this;
    }
    bool operator!=(const Iterator& other) const { return value != other.value; }
  };
  Iterator begin() const { return {0}; }
  Iterator end() const { return {5}; }
};

}  // namespace

FIBER_TEST("an error of the input range reaches map's caller when the tasks have ended [GROUP-6]") {
  Pool pool(4);
  int ended = 0;

  // The tasks refer to map's frame.
  CHECK_THROWS_WITH(pool.map(BadRange(),
                             [&](int) {
                               struct Count {
                                 int& ended;
                                 ~Count() { ++ended; }
                               };
                               const Count count{ended};
                               sleep(1h);
                             }),
                    "bad range");

  CHECK(ended == 2);
  CHECK(pool.isEmpty());
  pool.kill();
}

FIBER_TEST("a caller killed in map leaves no task behind [GROUP-6]") {
  Pool pool(1);
  auto caller = spawn([&] { pool.map(std::vector<int>{1, 2, 3}, [](int) { sleep(1h); }); });
  settle();

  caller.kill();

  CHECK(pool.isEmpty());
  CHECK(pool.freeCount() == 1);
  pool.kill();
}
