#include "plait/offload.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/statistics.h"
#include "plait/timeout.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// What a job waits in until the test lets it go on.
struct Gate {
  void open() {
    isOpen = true;
    isOpen.notify_all();
  }
  void wait() const { isOpen.wait(false); }
  std::atomic<bool> isOpen{false};
};

// A pool of one thread that is busy until it is opened.
struct BusyPool {
  BusyPool() {
    pool.callInThread([this] {
      begun.open();
      gate.wait();
    });
    begun.wait();
  }
  ~BusyPool() { gate.open(); }
  Gate begun;
  Gate gate;
  ThreadPool pool{{.threadsMax = 1}};
};

}  // namespace

FIBER_TEST(
    "offload runs f on another thread, parks only the caller and returns f's value [THREAD-1]") {
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  Gate gate;
  bool othersRan = false;
  callSoon([&] {
    othersRan = true;
    gate.open();
  });

  const std::string result = offload([&] {
    gate.wait();
    there = std::this_thread::get_id();
    return std::string("done");
  });

  CHECK(result == "done");
  CHECK(othersRan);
  CHECK(there != here);
}

FIBER_TEST("offload returns move-only values and nothing at all [THREAD-1]") {
  CHECK(*offload([] { return std::make_unique<int>(3); }) == 3);
  int ran = 0;
  offload([&] { ++ran; });
  CHECK(ran == 1);
}

FIBER_TEST("an exception of f reaches the caller with its type and message [THREAD-1]") {
  try {
    offload([] {
      IoError error(ENOENT, "opening the door");
      error.addNote("from the inside");
      throw error;
    });
    FAIL("nothing was thrown");
  } catch (const IoError& error) {
    CHECK(error.code().value() == ENOENT);
    CHECK(std::string(error.what()).find("opening the door") != std::string::npos);
    CHECK(error.notes().size() == 1);
  }
  CHECK_THROWS_AS(offload([] { throw 5; }), int);
}

FIBER_TEST("a caller killed before f has begun leaves at once, and f never runs [THREAD-2]") {
  BusyPool busy;
  auto captured = std::make_shared<bool>(false);
  auto killed = spawn([&] { offload(busy.pool, [captured] { *captured = true; }); });
  settle();
  CHECK(busy.pool.statistics().queued == 1);

  killed.kill();

  CHECK(killed.isKilled());
  CHECK(captured.use_count() == 1);
  busy.gate.open();
  offload(busy.pool, [] {});
  CHECK_FALSE(*captured);
}

FIBER_TEST("a Timeout that strikes before f has begun withdraws it [THREAD-2]") {
  BusyPool busy;
  bool ran = false;
  CHECK_THROWS_AS(withTimeout(0s, [&] { offload(busy.pool, [&] { ran = true; }); }), TimeoutError);

  busy.gate.open();
  offload(busy.pool, [] {});
  CHECK_FALSE(ran);
}

FIBER_TEST(
    "once f has begun a killed caller gets its result, and the kill strikes later [THREAD-2]") {
  Gate begun;
  Gate gate;
  int result = 0;
  bool wentOn = false;
  auto killed = spawn([&] {
    result = offload([&] {
      begun.open();
      gate.wait();
      return 7;
    });
    yield();
    wentOn = true;
  });
  yield();
  begun.wait();

  killed.requestKill();
  settle();
  CHECK_FALSE(killed.isReady());
  gate.open();
  killed.join();

  CHECK(result == 7);
  CHECK_FALSE(wentOn);
  CHECK(killed.isKilled());
}

FIBER_TEST("once f has begun its error reaches a killed caller too [THREAD-2]") {
  Gate begun;
  Gate gate;
  std::string caught;
  auto killed = spawn([&] {
    try {
      offload([&] {
        begun.open();
        gate.wait();
        throw std::runtime_error("of f");
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    yield();
  });
  yield();
  begun.wait();

  killed.requestKill();
  gate.open();
  killed.join();

  CHECK(caught == "of f");
  CHECK(killed.isKilled());
}

FIBER_TEST("when a pool's queue is full offload parks and comes to its turn [THREAD-3]") {
  ThreadPool pool({.threadsMax = 1, .queueMax = 1});
  int done = 0;
  std::vector<AnyGreenlet> callers;
  for (int i = 0; i < 20; ++i) {
    callers.push_back(spawn([&] {
      offload(pool, [] {});
      ++done;
    }));
  }
  joinAll(callers);

  CHECK(done == 20);
}

FIBER_TEST(
    "a pool grows when its threads are stuck, up to a bound that can be changed [THREAD-3]") {
  ThreadPool pool({.threadsMax = 2, .growAfter = 1ms});
  std::atomic<int> inside{0};
  Gate gate;
  std::vector<AnyGreenlet> callers;
  for (int i = 0; i < 4; ++i) {
    callers.push_back(spawn([&] {
      offload(pool, [&] {
        ++inside;
        inside.notify_all();
        gate.wait();
      });
    }));
  }
  settle();
  for (int seen = 0; seen < 2; seen = inside) inside.wait(seen);
  CHECK(pool.statistics().threads <= 2);

  pool.setThreadsMax(4);
  for (int seen = inside; seen < 4; seen = inside) inside.wait(seen);
  gate.open();
  joinAll(callers);
  CHECK(inside == 4);
}

FIBER_TEST("what f returns is the caller's alone when offload has returned [THREAD-4]") {
  auto item = std::make_shared<int>(1);
  std::weak_ptr<int> watched = item;
  {
    auto result = offload([item = std::move(item)]() mutable { return std::move(item); });
    CHECK(result.use_count() == 1);
  }
  CHECK(watched.expired());
}

FIBER_TEST("an error of f is destroyed with the caller's last reference [THREAD-4]") {
  struct Loud {
    std::shared_ptr<int> item;
  };
  auto item = std::make_shared<int>(1);
  try {
    offload([&] { throw Loud{item}; });
  } catch (const Loud&) {
    CHECK(item.use_count() == 2);
  }
  CHECK(item.use_count() == 1);
}

FIBER_TEST(
    "a function on a pool thread may run a loop of its own, of which nothing is left [THREAD-5]") {
  for (int i = 0; i < 3; ++i) {
    const int result = offload([] {
      return run([] {
        auto inner = spawn([] {
          sleep(1us);
          return 4;
        });
        callLater(1h, [] {});
        return inner.get();
      });
    });
    CHECK(result == 4);
  }
  CHECK_THROWS_AS(offload([] { yield(); }), std::logic_error);
}

FIBER_TEST("two loops that offload to each other's threads do not get mixed up [THREAD-5]") {
  const auto here = std::this_thread::get_id();

  const bool ok = offload([here] {
    const auto mine = std::this_thread::get_id();
    return run([here, mine] {
      const auto inner = offload([] { return std::this_thread::get_id(); });
      return inner != mine && inner != here && std::this_thread::get_id() == mine;
    });
  });

  CHECK(ok);
  CHECK(std::this_thread::get_id() == here);
}

FIBER_TEST("many fibers offload at once and each gets its own result [THREAD-1]") {
  std::vector<Greenlet<int>> callers;
  for (int i = 0; i < 200; ++i) {
    callers.push_back(spawn([i] { return offload([i] { return i * i; }); }));
  }
  for (int i = 0; i < 200; ++i) CHECK(callers[static_cast<std::size_t>(i)].get() == i * i);
}

TEST_CASE("offload off a loop throws [THREAD-6]") {
  CHECK_THROWS_AS(offload([] {}), std::logic_error);
}
