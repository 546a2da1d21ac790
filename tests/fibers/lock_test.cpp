#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/event.h"
#include "plait/mutex.h"
#include "plait/no_switch_scope.h"
#include "plait/offload.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

std::string messageOf(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

FIBER_TEST("a Mutex goes to its waiters in the order of their arrival [LOCK-2]") {
  Mutex mutex;
  std::string order;
  mutex.lock();
  for (const char name : {'a', 'b', 'c'}) {
    spawn([&mutex, &order, name] {
      const std::lock_guard guard(mutex);
      order += name;
      yield();
    });
  }
  settle();

  mutex.unlock();
  CHECK(mutex.isLocked());  // it is the first waiter's now
  CHECK_FALSE(mutex.tryLock());
  mutex.lock();
  order += 'm';
  mutex.unlock();

  CHECK(order == "abcm");
  CHECK_FALSE(mutex.isLocked());
}

FIBER_TEST("a kill before the unlock passes the Mutex over, one after it strikes later [LOCK-4]") {
  for (const std::string order : {"ku", "uk", "u", "k"}) {
    CAPTURE(order);
    Mutex mutex;
    std::string log;
    mutex.lock();
    auto first = spawn([&] {
      const std::lock_guard guard(mutex);
      log += '1';
      yield();
      log += '!';
    });
    auto second = spawn([&] {
      const std::lock_guard guard(mutex);
      log += '2';
    });
    settle();

    for (const char what : order) {
      if (what == 'k') first.requestKill();
      if (what == 'u') mutex.unlock();
    }
    settle();
    if (mutex.isMine()) mutex.unlock();
    joinAll({first, second});

    CHECK(log == (order == "u" ? "1!2" : order == "uk" ? "12" : "2"));
    CHECK_FALSE(mutex.isLocked());
  }
}

FIBER_TEST_ON("sim", "lock(period) gives up when its period runs out [LOCK-1]") {
  Mutex mutex;
  RecursiveMutex recursive;
  spawn([&] {
    const std::lock_guard guard(mutex);
    const std::lock_guard other(recursive);
    sleep(5s);
  });
  settle();

  const TimePoint start = now();
  CHECK_FALSE(mutex.lock(1s));
  CHECK_FALSE(recursive.lock(1s));
  CHECK(now() == start + 2s);
  CHECK(mutex.lock(5s));
  CHECK(now() == start + 5s);
  mutex.unlock();
  CHECK(recursive.lock(1s));
  CHECK(recursive.lock(0s));
}

FIBER_TEST("a RecursiveMutex is free after as many unlocks as locks [LOCK-5]") {
  RecursiveMutex mutex;
  std::string order;
  mutex.lock();
  mutex.lock();
  CHECK(mutex.tryLock());
  auto other = spawn([&] {
    CHECK_FALSE(mutex.tryLock());
    mutex.lock();
    order += 'o';
    mutex.unlock();
  });
  settle();

  mutex.unlock();
  mutex.unlock();
  settle();
  CHECK(order == "");
  mutex.unlock();
  other.join();

  CHECK(order == "o");
}

FIBER_TEST("unlocking a Mutex that another fiber holds throws and changes nothing [LOCK-6]") {
  Mutex mutex;
  CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
  mutex.lock();
  spawn([&] { CHECK_THROWS_AS(mutex.unlock(), std::logic_error); }).join();

  CHECK(mutex.isMine());
  mutex.unlock();
  CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
  CHECK_FALSE(mutex.isLocked());
}

FIBER_TEST(
    "unlocking a RecursiveMutex that another fiber holds throws and changes nothing [LOCK-6]") {
  RecursiveMutex mutex;
  CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
  mutex.lock();
  spawn([&] {
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
    CHECK_FALSE(mutex.tryLock());
  }).join();

  mutex.unlock();
  CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
}

FIBER_TEST("a fiber that locks its Mutex again is told so instead of waiting for itself [LOCK-6]") {
  Mutex mutex;
  mutex.lock();

  CHECK_THROWS_AS(mutex.lock(), std::logic_error);

  CHECK(mutex.isMine());
  mutex.unlock();
}

FIBER_TEST("a callback holds a Mutex under an identity of its own [LOCK-6]") {
  Mutex mutex;
  Event done;
  mutex.lock();
  callSoon([&] {
    CHECK_FALSE(mutex.isMine());
    mutex.lock();
    CHECK(mutex.isMine());
    mutex.unlock();
    done.set();
  });
  settle();
  CHECK_FALSE(done.isSet());

  mutex.unlock();
  done.wait();
}

FIBER_TEST(
    "a call that would park inside a NoSwitchScope fails and names scope and fiber [LOCK-8]") {
  const auto watched = spawn({.name = "watched"}, [] {
    Event event;
    const int line = __LINE__ + 1;
    const NoSwitchScope scope;
    const std::string message = messageOf([&] { event.wait(); });
    CHECK(message.find("'watched'") != std::string::npos);
    CHECK(message.find(std::string(__FILE__) + ":" + std::to_string(line)) != std::string::npos);
  });
  watched.join();
}

FIBER_TEST("what a NoSwitchScope says names the call that would have parked [LOCK-8]") {
  Event event;
  Queue<int> queue;
  const NoSwitchScope scope;

  CHECK(messageOf([&] { event.wait(); }).find("Event::wait") != std::string::npos);
  CHECK(messageOf([&] { queue.get(); }).find("Queue::get") != std::string::npos);
  CHECK(messageOf([&] { sleep(1s); }).find("sleep") != std::string::npos);
}

FIBER_TEST(
    "every call that parks is refused in a NoSwitchScope and leaves nothing behind [LOCK-8]") {
  Event event;
  Semaphore semaphore(0);
  Mutex mutex;
  Condition condition;
  Queue<int> empty;
  Queue<int> full(1);
  full.put(1);
  auto other = spawn([&] {
    mutex.lock();
    event.wait();
    mutex.unlock();
  });
  settle();
  {
    const NoSwitchScope scope;
    CHECK_THROWS_AS(event.wait(), std::logic_error);
    CHECK_THROWS_AS(event.wait(1s), std::logic_error);
    CHECK_THROWS_AS(semaphore.acquire(), std::logic_error);
    CHECK_THROWS_AS(mutex.lock(), std::logic_error);
    CHECK_THROWS_AS(empty.get(), std::logic_error);
    CHECK_THROWS_AS(full.put(2), std::logic_error);
    CHECK_THROWS_AS(other.join(), std::logic_error);
    CHECK_THROWS_AS(sleep(1s), std::logic_error);
    CHECK_THROWS_AS(yield(), std::logic_error);
    CHECK_THROWS_AS(offload([] {}), std::logic_error);
    CHECK_THROWS_AS(joinAll({AnyGreenlet(other)}), std::logic_error);
    Mutex own;
    CHECK(own.tryLock());
    CHECK(messageOf([&] { condition.wait(own); }).find("Condition::wait") != std::string::npos);
    CHECK(own.isMine());
    own.unlock();
  }
  event.set();
  other.join();
  semaphore.release();
  CHECK(semaphore.available() == 1);
  CHECK(full.get() == 1);
  CHECK(full.isEmpty());
  CHECK_FALSE(mutex.isLocked());
}

TEST_CASE(
    "Condition::wait is refused in a NoSwitchScope also when the mutex has a waiter [LOCK-8]") {
  CHECK(inChild([] {
          return run([] {
            Mutex mutex;
            Condition condition;
            mutex.lock();
            auto waiter = spawn([&] { const std::lock_guard guard(mutex); });
            yield();
            bool wasRefused = false;
            {
              const NoSwitchScope scope;
              wasRefused = !messageOf([&] { condition.wait(mutex); }).empty();
            }
            if (!mutex.isMine()) return 1;
            mutex.unlock();
            waiter.join();
            return wasRefused ? 0 : 2;
          });
        }) == 0);
}

FIBER_TEST("a call that does not have to park is allowed in a NoSwitchScope [LOCK-8]") {
  Event event;
  event.set();
  Semaphore semaphore(1000);
  bool hasSwitched = false;
  const auto other = spawn([&] { hasSwitched = true; });
  {
    const NoSwitchScope outer;
    {
      const NoSwitchScope inner;
      // More than a fiber may do at once elsewhere.
      for (int i = 0; i < 1000; ++i) semaphore.acquire();
    }
    event.wait();
    CHECK_FALSE(hasSwitched);
    CHECK_THROWS_AS(yield(), std::logic_error);
  }
  other.join();  // it writes into this frame
}
