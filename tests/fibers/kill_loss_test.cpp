// A kill of the same turn as a result: nothing is lost by it, nothing doubled.
#include <exception>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "kills.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/queue.h"
#include "plait/semaphore.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("a resumption with a result returns it, and the kill strikes next [KILL-14]") {
  for (const bool isKill : {true, false}) {
    Queue<int> queue;
    std::string steps;
    const AnyGreenlet target = spawn([&] {
      steps += "got " + std::to_string(queue.get());
      yield();
      steps += " never";
    });
    yield();

    queue.put(7);
    if (isKill) target.requestKill();
    if (!isKill) target.requestKill(error(std::runtime_error("once")));
    target.join();

    CHECK(steps == "got 7");
    CHECK_FALSE(target.isSuccessful());
    static_cast<void>(target.exception());
  }
}

FIBER_TEST("an item is neither lost nor doubled by a kill of the same turn [KILL-15]") {
  for (const bool isKillFirst : {true, false}) {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{8}}) {
      Queue<int> queue(capacity);
      int sum = 0;
      const AnyGreenlet victim = spawn([&] { sum += queue.get(); });
      const AnyGreenlet next = spawn([&] { sum += queue.get(); });
      yield();

      if (isKillFirst) victim.requestKill();
      queue.put(1);
      if (!isKillFirst) victim.requestKill();
      const AnyGreenlet putter = spawn([&queue] { queue.put(10); });
      settle();

      // Who was killed first left everything to the next, who ended with the first item.
      CHECK(next.isReady());
      CHECK(sum == (isKillFirst ? 1 : 11));
      if (isKillFirst) CHECK(queue.get() == 10);
      putter.join();
      CHECK(queue.isEmpty());
    }
  }
}

FIBER_TEST("a put whose putter is killed happened whole or not at all [KILL-15]") {
  for (const bool isKillFirst : {true, false}) {
    Queue<int> queue(1);
    queue.put(1);
    bool wasPut = false;
    const AnyGreenlet putter = spawn([&] {
      queue.put(2);
      wasPut = true;
    });
    yield();

    if (isKillFirst) putter.requestKill();
    CHECK(queue.get() == 1);
    if (!isKillFirst) putter.requestKill();
    putter.join();

    CHECK(wasPut == !isKillFirst);
    CHECK(queue.size() == (isKillFirst ? 0 : 1));
  }
}

FIBER_TEST("a permit and a lock are neither lost nor doubled by a kill [KILL-15]") {
  for (const bool isKillFirst : {true, false}) {
    Semaphore semaphore(0);
    Mutex mutex;
    mutex.lock();
    int permits = 0;
    bool wasLocked = false;
    const AnyGreenlet taker = spawn([&] {
      semaphore.acquire();
      ++permits;
    });
    const AnyGreenlet locker = spawn([&] {
      mutex.lock();
      wasLocked = true;
      mutex.unlock();
    });
    yield();

    if (isKillFirst) taker.requestKill();
    if (isKillFirst) locker.requestKill();
    semaphore.release();
    mutex.unlock();
    if (!isKillFirst) taker.requestKill();
    if (!isKillFirst) locker.requestKill();
    joinAll({taker, locker});

    CHECK(permits + semaphore.available() == 1);
    CHECK(permits == (isKillFirst ? 0 : 1));
    CHECK(wasLocked == !isKillFirst);
    CHECK_FALSE(mutex.isLocked());
  }
}
