#include "plait/queue.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("items leave a Queue in the order they entered [QUEUE-1]") {
  Queue<int> queue;
  for (int i = 0; i < 5; ++i) queue.put(i);
  CHECK(queue.size() == 5);

  for (int i = 0; i < 5; ++i) CHECK(queue.get() == i);
  CHECK(queue.isEmpty());
}

FIBER_TEST("a Queue holds 1024 items unless said otherwise [QUEUE-1]") {
  Queue<int> queue;

  CHECK(queue.capacity() == 1024);
}

FIBER_TEST("parked getters are served in the order they came [QUEUE-1]") {
  Queue<int> queue;
  std::string order;
  for (const char name : {'a', 'b', 'c'}) {
    spawn([&queue, &order, name] { order += name + std::to_string(queue.get()); });
  }
  settle();

  for (int i = 1; i <= 3; ++i) queue.put(i);
  CHECK(queue.isEmpty());
  settle();

  CHECK(order == "a1b2c3");
}

FIBER_TEST("parked putters are served in the order they came, and none overtakes [QUEUE-2]") {
  Queue<std::string> queue(1);
  queue.put("0");
  std::string order;
  for (const std::string name : {"1", "2", "3"}) {
    spawn([&queue, &order, name] {
      queue.put(name);
      order += name;
    });
  }
  settle();
  CHECK(order == "");

  CHECK(queue.get() == "0");
  // The room was given to the first putter already, although it has not run.
  CHECK(queue.isFull());
  CHECK_FALSE(queue.tryPut("x"));
  auto newcomer = spawn([&] { queue.put("4"); });
  for (const std::string expected : {"1", "2", "3", "4"}) CHECK(queue.get() == expected);
  newcomer.join();

  CHECK(order == "123");
}

FIBER_TEST("a putter that leaves the line lets those behind it keep their order [QUEUE-2]") {
  Queue<int> queue(1);
  queue.put(0);
  spawn([&] { queue.put(1); });
  auto killed = spawn([&] { queue.put(2); });
  spawn([&] { queue.put(3); });
  settle();

  killed.kill();

  CHECK(queue.get() == 0);
  CHECK(queue.get() == 1);
  CHECK(queue.get() == 3);
  CHECK_FALSE(queue.tryGet());
}

FIBER_TEST_ON("sim",
              "put(item, period) into a full queue gives up, and the item is not in it [QUEUE-3]") {
  Queue<int> queue(1);
  queue.put(1);
  const TimePoint start = now();

  CHECK_FALSE(queue.put(2, 1s));
  CHECK(now() == start + 1s);
  CHECK_FALSE(queue.put(3, 0s));

  CHECK(queue.get() == 1);
  CHECK_FALSE(queue.tryGet());
  CHECK(queue.put(4, 0s));
  CHECK(queue.get(0s) == 4);
}

FIBER_TEST_ON("sim", "get(period) from an empty queue gives up and takes nothing [QUEUE-3]") {
  Queue<int> queue;
  const TimePoint start = now();

  CHECK_FALSE(queue.get(1s).has_value());
  CHECK(now() == start + 1s);
  queue.put(1);

  CHECK(queue.size() == 1);
  CHECK(queue.get(1s) == 1);
}

FIBER_TEST_ON("sim",
              "a Timeout around get() takes nothing, around put() leaves nothing [QUEUE-3]") {
  Queue<int> queue(1);
  CHECK_THROWS_AS(withTimeout(1s, [&] { queue.get(); }), TimeoutError);
  queue.put(1);
  CHECK_THROWS_AS(withTimeout(1s, [&] { queue.put(2); }), TimeoutError);

  CHECK(queue.get() == 1);
  CHECK_FALSE(queue.tryGet());
}

FIBER_TEST(
    "tryPut() and tryGet() in callbacks make parked peers ready and never switch [QUEUE-4]") {
  Queue<int> queue(1);
  int got = 0;
  auto getter = spawn([&] { got = queue.get(); });
  settle();

  callSoon([&] {
    CHECK(queue.tryPut(5));
    CHECK(got == 0);
  });
  getter.join();
  CHECK(got == 5);

  queue.put(6);
  bool hasPut = false;
  auto putter = spawn([&] {
    queue.put(7);
    hasPut = true;
  });
  settle();
  callSoon([&] {
    CHECK(queue.tryGet() == 6);
    CHECK_FALSE(hasPut);
  });
  putter.join();
  CHECK(queue.tryGet() == 7);
  CHECK_FALSE(queue.tryGet());
}

FIBER_TEST("tryPut() into a full queue leaves the item with the caller [QUEUE-4]") {
  Queue<std::unique_ptr<int>> queue(1);
  CHECK(queue.tryPut(std::make_unique<int>(1)));
  auto item = std::make_unique<int>(2);

  CHECK_FALSE(queue.tryPut(std::move(item)));

  REQUIRE(item != nullptr);
  CHECK(*item == 2);
}

FIBER_TEST("put() of a rendezvous returns only when a getter has the item [QUEUE-5]") {
  Queue<int> queue(0);
  std::string order;
  auto putter = spawn([&] {
    queue.put(1);
    order += 'p';
  });
  settle();
  CHECK(order == "");
  CHECK_FALSE(queue.tryPut(2));
  CHECK(queue.isEmpty());

  CHECK(queue.get() == 1);
  putter.join();
  CHECK(order == "p");

  int got = 0;
  auto getter = spawn([&] { got = queue.get(); });
  settle();
  CHECK(queue.tryPut(3));
  getter.join();
  CHECK(got == 3);
}

FIBER_TEST("parked putters of a rendezvous are served in order [QUEUE-5]") {
  Queue<int> queue(0);
  for (int i = 0; i < 3; ++i) {
    spawn([&queue, i] { queue.put(i); });
  }
  settle();

  for (int i = 0; i < 3; ++i) CHECK(queue.get() == i);
}

FIBER_TEST("a LifoQueue gives the newest item first [QUEUE-6]") {
  LifoQueue<int> queue;
  for (const int i : {1, 2, 3}) queue.put(i);
  CHECK(queue.get() == 3);
  queue.put(4);

  for (const int expected : {4, 2, 1}) CHECK(queue.get() == expected);
}

FIBER_TEST("a PriorityQueue gives the smallest item first, by the order asked for [QUEUE-6]") {
  PriorityQueue<int> smallest;
  PriorityQueue<int, std::greater<int>> greatest;
  for (const int i : {3, 1, 2, 1}) {
    smallest.put(i);
    greatest.put(i);
  }
  CHECK(*smallest.peek() == 1);
  for (const int expected : {1, 1, 2, 3}) CHECK(smallest.get() == expected);
  for (const int expected : {3, 2, 1, 1}) CHECK(greatest.get() == expected);
}

FIBER_TEST("a full PriorityQueue lets parked putters in, in their order [QUEUE-6]") {
  PriorityQueue<int> queue(2);
  for (const int i : {5, 4}) queue.put(i);
  for (const int i : {1, 3}) {
    spawn([&queue, i] { queue.put(i); });
  }
  settle();

  for (const int expected : {4, 1, 3, 5}) CHECK(queue.get() == expected);
}

FIBER_TEST("peek() shows what get() would take and leaves it in place [QUEUE-7]") {
  Queue<int> queue;
  CHECK(queue.peek() == nullptr);
  queue.put(1);
  queue.put(2);

  REQUIRE(queue.peek() != nullptr);
  CHECK(*queue.peek() == 1);
  CHECK(queue.size() == 2);
  CHECK(queue.get() == 1);
  CHECK(*queue.peek() == 2);
}

FIBER_TEST("peek() shows a bool of every kind of queue [QUEUE-7]") {
  LifoQueue<bool> newest;
  newest.put(false);
  newest.put(true);
  PriorityQueue<bool> smallest;
  smallest.put(true);
  smallest.put(false);

  CHECK(*newest.peek());
  CHECK_FALSE(*smallest.peek());
}

FIBER_TEST("what a fiber has put stays when the fiber is killed [QUEUE-8]") {
  Queue<int> queue(1);
  auto killed = spawn([&] {
    queue.put(1);
    queue.put(2);
  });
  settle();

  killed.kill();

  CHECK(queue.tryGet() == 1);
  CHECK_FALSE(queue.tryGet());
}

FIBER_TEST("the item of a killed putter is destroyed with its wait [QUEUE-8]") {
  Queue<std::shared_ptr<int>> queue(0);
  auto item = std::make_shared<int>(1);
  auto killed = spawn([&] { queue.put(item); });
  settle();
  CHECK(item.use_count() == 2);

  killed.kill();

  CHECK(item.use_count() == 1);
}

FIBER_TEST("a getter killed before a put leaves the item to the next [QUEUE-9]") {
  Queue<int> queue;
  int got = 0;
  auto killed = spawn([&] { queue.get(); });
  auto next = spawn([&] { got = queue.get(); });
  settle();

  killed.requestKill();
  queue.put(1);
  next.join();

  CHECK(killed.isKilled());
  CHECK(got == 1);
}

FIBER_TEST("a getter that was handed an item before its kill returns it [QUEUE-9]") {
  Queue<int> queue;
  int got = 0;
  bool wentOn = false;
  auto killed = spawn([&] {
    got = queue.get();
    queue.get();
    wentOn = true;
  });
  settle();

  queue.put(1);
  queue.put(2);
  killed.kill();

  CHECK(got == 1);
  CHECK_FALSE(wentOn);
  CHECK(queue.tryGet() == 2);
}

FIBER_TEST("after close() puts throw, and gets drain what is left, then throw [QUEUE-10]") {
  Queue<int> queue(2);
  queue.put(1);
  queue.put(2);
  bool refused = false;
  auto putter = spawn([&] {
    try {
      queue.put(3);
    } catch (const QueueClosed&) {
      refused = true;
    }
  });
  settle();

  queue.close();
  putter.join();

  CHECK(queue.isClosed());
  CHECK(refused);
  CHECK_THROWS_AS(queue.put(4), QueueClosed);
  CHECK_THROWS_AS(queue.put(4, 0s), QueueClosed);
  CHECK_THROWS_AS(queue.tryPut(4), QueueClosed);
  CHECK(queue.get() == 1);
  CHECK(queue.get(1s) == 2);
  CHECK_THROWS_AS(queue.get(), QueueClosed);
  CHECK_THROWS_AS(queue.get(0s), QueueClosed);
  CHECK_FALSE(queue.tryGet());
  queue.close();
}

FIBER_TEST("close() throws in all who wait for an item [QUEUE-10]") {
  Queue<int> queue;
  int refused = 0;
  for (int i = 0; i < 3; ++i) {
    spawn([&] {
      try {
        queue.get();
      } catch (const QueueClosed&) {
        ++refused;
      }
    });
  }
  settle();

  queue.close();
  settle();

  CHECK(refused == 3);
}

FIBER_TEST("a discarding close drops what is left [QUEUE-10]") {
  Queue<std::shared_ptr<int>> queue;
  auto item = std::make_shared<int>(1);
  queue.put(item);
  queue.put(item);

  queue.closeAndDiscard();

  CHECK(item.use_count() == 1);
  CHECK_THROWS_AS(queue.get(), QueueClosed);
  queue.join();
}

FIBER_TEST("a loop over next() ends when the queue is closed and empty [QUEUE-11]") {
  Queue<int> queue;
  std::vector<int> got;
  auto consumer = spawn([&] {
    while (auto item = queue.next()) got.push_back(*item);
  });
  for (int i = 0; i < 3; ++i) queue.put(i);
  settle();
  queue.put(3);
  queue.close();
  consumer.get();

  CHECK(got == std::vector<int>{0, 1, 2, 3});
  CHECK_FALSE(queue.next());
}

FIBER_TEST("join() waits for one taskDone() per item put [QUEUE-12]") {
  Queue<int> queue;
  queue.join();
  queue.put(1);
  queue.put(2);
  bool joined = false;
  auto joiner = spawn([&] {
    queue.join();
    joined = true;
  });

  queue.get();
  queue.get();
  settle();
  CHECK_FALSE(joined);
  queue.taskDone();
  settle();
  CHECK_FALSE(joined);
  queue.taskDone();
  joiner.join();

  CHECK(joined);
}

FIBER_TEST("an item that goes straight to a getter counts for join() too [QUEUE-12]") {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}}) {
    CAPTURE(capacity);
    Queue<int> queue(capacity);
    auto getter = spawn([&] { queue.get(); });
    settle();
    queue.put(1);
    getter.join();

    CHECK_FALSE(queue.join(0s));
    queue.taskDone();
    CHECK(queue.join(0s));

    auto putter = spawn([&] { queue.put(1); });
    settle();
    queue.get();
    putter.join();
    CHECK_FALSE(queue.join(0s));
    queue.taskDone();
    queue.join();
  }
}

FIBER_TEST("one taskDone() too many throws and changes nothing [QUEUE-12]") {
  Queue<int> queue;
  CHECK_THROWS_AS(queue.taskDone(), std::logic_error);
  queue.put(1);
  queue.taskDone();

  CHECK_THROWS_AS(queue.taskDone(), std::logic_error);
  queue.join();
}

FIBER_TEST_ON("sim", "a fiber killed in join() and a period that ends change nothing [QUEUE-12]") {
  Queue<int> queue;
  queue.put(1);
  auto killed = spawn([&] { queue.join(); });
  settle();

  killed.kill();
  CHECK_FALSE(queue.join(1s));
  queue.taskDone();

  queue.join();
}
