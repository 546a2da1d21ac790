#include "plait/thread_safe.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/loop_handle.h"
#include "plait/run_threads.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("an event set by a thread wakes a fiber, and one set by a fiber a thread [EVENT-7]") {
  ThreadSafeEvent toFiber;
  ThreadSafeEvent toThread;
  std::thread thread([&] {
    toThread.wait();
    toFiber.set();
  });

  toThread.set();
  toFiber.wait();

  thread.join();
  CHECK(toFiber.isSet());
}

FIBER_TEST("a queue carries every item once between threads and loops [QUEUE-13] [THREAD-14]") {
  constexpr int kItems = 2000;
  constexpr int kSides = 3;
  ThreadSafeQueue<int> queue(4);
  std::mutex mutex;
  std::multiset<int> seen;
  const auto take = [&] {
    try {
      for (;;) {
        const int item = queue.get();
        const std::lock_guard lock(mutex);
        seen.insert(item);
      }
    } catch (const QueueClosed&) {
    }
  };
  std::vector<std::thread> threads;
  for (int side = 0; side < kSides; ++side) {
    threads.emplace_back(take);
    threads.emplace_back([&queue, side] {
      for (int i = 0; i < kItems; ++i) queue.put(side * kItems + i);
    });
  }
  std::thread otherLoop([&] {
    run([&] {
      auto first = spawn(take);
      auto second = spawn(take);
      joinAll(std::vector<AnyGreenlet>{first, second});
    });
  });

  auto here = spawn(take);
  auto mine = spawn([&queue] {
    for (int i = 0; i < kItems; ++i) queue.put(kSides * kItems + i);
  });
  mine.get();
  for (std::size_t i = 1; i < threads.size(); i += 2) threads[i].join();
  queue.close();
  here.get();
  for (std::size_t i = 0; i < threads.size(); i += 2) threads[i].join();
  otherLoop.join();

  REQUIRE(seen.size() == (kSides + 1) * kItems);
  int expected = 0;
  for (const int each : seen) CHECK(each == expected++);
}

FIBER_TEST("a killed getter takes nothing, and one that was served keeps its item [THREAD-16]") {
  ThreadSafeQueue<int> queue;
  auto early = spawn([&] { queue.get(); });
  yield();
  early.kill();
  queue.put(1);
  CHECK(queue.get() == 1);

  int taken = 0;
  auto late = spawn([&] {
    taken = queue.get();
    sleep(1h);
  });
  yield();
  queue.put(2);
  late.kill();

  CHECK(taken == 2);
  CHECK(late.isKilled());
}

FIBER_TEST("waits with a period end when it is over, on fibers and on threads [THREAD-17]") {
  ThreadSafeEvent event;
  ThreadSafeSemaphore none(0);
  ThreadSafeQueue<int> full(1);
  full.put(1);
  const auto check = [&] {
    CHECK_FALSE(event.wait(1ms));
    CHECK_FALSE(none.acquire(1ms));
    CHECK_FALSE(full.put(2, 1ms));
  };

  check();
  std::thread(check).join();

  CHECK(full.get() == 1);
  CHECK_FALSE(full.get(1ms).has_value());
}

FIBER_TEST("permits go to waiters in their order, and none is lost to a kill [THREAD-15]") {
  ThreadSafeSemaphore semaphore(0);
  std::vector<int> order;
  std::vector<AnyGreenlet> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(spawn([&, i] {
      semaphore.acquire();
      order.push_back(i);
    }));
  }
  yield();
  all[1].kill();

  semaphore.release(3);
  joinAll(all);

  CHECK(order == std::vector<int>{0, 2, 3});
  CHECK(semaphore.available() == 0);
}

FIBER_TEST("a mutex excludes fibers and threads from each other [THREAD-14]") {
  ThreadSafeMutex mutex;
  int inside = 0;
  int count = 0;
  const auto work = [&] {
    for (int i = 0; i < 500; ++i) {
      const std::lock_guard lock(mutex);
      CHECK(++inside == 1);
      ++count;
      --inside;
    }
  };
  std::thread first(work);
  std::thread second(work);

  auto third = spawn(work);
  third.get();
  first.join();
  second.join();

  CHECK(count == 1500);
  CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
}

FIBER_TEST("an AsyncResult set on one thread is one object for all that wait [EVENT-7]") {
  ThreadSafeAsyncResult<std::unique_ptr<int>> result;
  std::atomic<const std::unique_ptr<int>*> seenByThread{nullptr};
  std::thread waits([&] { seenByThread = &result.get(); });
  std::thread sets([&] { result.set(std::make_unique<int>(7)); });

  const std::unique_ptr<int>& here = result.get();

  waits.join();
  sets.join();
  CHECK(*here == 7);
  CHECK(seenByThread.load() == &here);
  CHECK_THROWS_AS(result.set(nullptr), AlreadyCalledError);
}

FIBER_TEST("closing a queue ends the waits of fibers and of threads [THREAD-15]") {
  ThreadSafeQueue<int> queue;
  ThreadSafeEvent waiting;
  std::atomic<int> closed{0};
  const auto take = [&] {
    waiting.set();
    try {
      queue.get();
    } catch (const QueueClosed&) {
      ++closed;
    }
  };
  std::thread thread(take);
  waiting.wait();
  auto fiber = spawn(take);
  yield();

  queue.close();
  fiber.get();
  thread.join();

  CHECK(closed == 2);
  CHECK_THROWS_AS(queue.put(1), QueueClosed);
}
