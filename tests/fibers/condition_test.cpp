#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/mutex.h"
#include "plait/timeout.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("a Condition frees the mutex while it waits and holds it afterwards [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  std::string order;
  auto waiter = spawn([&] {
    const std::lock_guard guard(mutex);
    order += 'w';
    condition.wait(mutex);
    CHECK(mutex.isMine());
    order += 'n';
  });
  settle();
  CHECK_FALSE(mutex.isLocked());

  mutex.lock();
  condition.notifyOne();
  settle();
  CHECK(order == "w");
  mutex.unlock();
  waiter.join();

  CHECK(order == "wn");
  CHECK_FALSE(mutex.isLocked());
}

FIBER_TEST("waiting for a Condition without the mutex throws [LOCK-7]") {
  Mutex mutex;
  Condition condition;

  CHECK_THROWS_AS(condition.wait(mutex), std::logic_error);
  CHECK_FALSE(mutex.isLocked());
}

FIBER_TEST("notifyOne wakes the first waiter only, notifyAll all of them in order [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  std::string order;
  for (const char name : {'a', 'b', 'c'}) {
    spawn([&, name] {
      const std::lock_guard guard(mutex);
      condition.wait(mutex);
      order += name;
    });
  }
  settle();

  condition.notifyOne();
  settle();
  CHECK(order == "a");
  condition.notifyAll();
  settle();
  CHECK(order == "abc");
}

FIBER_TEST("a fiber killed in Condition::wait holds the mutex while it unwinds [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  bool wasMine = false;
  auto waiter = spawn([&] {
    struct Look {
      Mutex& mutex;
      bool& wasMine;
      ~Look() { wasMine = mutex.isMine(); }
    };
    const std::lock_guard guard(mutex);
    const Look look{mutex, wasMine};
    condition.wait(mutex);
  });
  settle();

  mutex.lock();
  waiter.requestKill();
  settle();
  CHECK_FALSE(waiter.isReady());  // it waits for the mutex
  mutex.unlock();
  waiter.join();

  CHECK(wasMine);
  CHECK(waiter.isKilled());
  CHECK_FALSE(mutex.isLocked());
}

FIBER_TEST_ON("sim",
              "a Condition's period that runs out gives false, with the mutex held [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  const std::lock_guard guard(mutex);
  const TimePoint start = now();

  CHECK_FALSE(condition.wait(mutex, 1s));
  CHECK(mutex.isMine());
  CHECK(now() == start + 1s);

  CHECK_THROWS_AS(withTimeout(1s, [&] { condition.wait(mutex); }), TimeoutError);
  CHECK(mutex.isMine());
}

FIBER_TEST("a notification after the kill goes to the next waiter [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  std::string order;
  const auto wait = [&](char name) {
    return spawn([&, name] {
      const std::lock_guard guard(mutex);
      condition.wait(mutex);
      order += name;
    });
  };
  auto killed = wait('k');
  wait('n');
  settle();

  killed.requestKill();
  condition.notifyOne();
  settle();

  CHECK(order == "n");
}

FIBER_TEST("a notification just before the kill is not lost with the killed waiter [LOCK-7]") {
  // Two consumers and one item: whoever the notification reaches, somebody has to take the item.
  Mutex mutex;
  Condition condition;
  int items = 0;
  int taken = 0;
  const auto consume = [&] {
    const std::lock_guard guard(mutex);
    condition.waitUntil(mutex, [&] { return items > 0; });
    --items;
    ++taken;
  };
  auto killed = spawn(consume);
  auto next = spawn(consume);
  settle();

  ++items;
  condition.notifyOne();
  killed.requestKill();
  settle();

  CHECK(taken == 1);
  CHECK(items == 0);
  next.kill();
}

FIBER_TEST_ON("sim", "a notification just before a Timeout strikes is not lost either [LOCK-7]") {
  Mutex mutex;
  Condition condition;
  std::string order;
  callLater(1s, [&] { condition.notifyOne(); });
  spawn([&] {
    const std::lock_guard guard(mutex);
    try {
      withTimeout(1s, [&] { condition.wait(mutex); });
      order += 'f';
    } catch (const TimeoutError&) {
    }
  });
  spawn([&] {
    const std::lock_guard guard(mutex);
    if (condition.wait(mutex, 2s)) order += 's';
  });

  sleep(3s);

  CHECK(order.size() == 1);
}

FIBER_TEST_ON("sim",
              "notify, kill and the period's end in one turn: the first one counts [LOCK-7]") {
  for (const std::string& order : allOrders("nkx")) {
    CAPTURE(order);
    Mutex mutex;
    Condition condition;

    const Befallen waiter = befall(
        order, [&](char) { condition.notifyOne(); },
        [&](Duration period) {
          const std::lock_guard guard(mutex);
          const bool notified = condition.wait(mutex, period);
          CHECK(mutex.isMine());
          return std::string(notified ? "notified" : "late");
        });

    CHECK(waiter.isKilled == contains(order, 'k'));
    if (order[0] == 'n') CHECK(waiter.outcome == "notified");
    if (order[0] == 'k') CHECK(waiter.outcome == "");
    if (order[0] == 'x') CHECK(waiter.outcome != "notified");
    CHECK_FALSE(mutex.isLocked());
  }
}
