// When a kill strikes, how often, and that nothing is lost by it.
#include <array>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/async_result.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/statistics.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

template <class E>
std::exception_ptr error(const E& e) {
  return std::make_exception_ptr(e);
}

// The count of swallowed kills, once the statistics have one.
template <class S>
std::uint64_t killsSwallowed(const S& statistics) {
  if constexpr (requires { statistics.killsSwallowed; }) return statistics.killsSwallowed;
  return 0;
}

}  // namespace

FIBER_TEST("code between blocking calls is never struck [KILL-12]") {
  std::string steps;
  Mutex mutex;
  Semaphore semaphore(1);
  Queue<int> queue;
  Event event;

  const AnyGreenlet target = spawn([&] {
    current().requestKill();
    CHECK(mutex.tryLock());
    mutex.unlock();
    CHECK(semaphore.tryAcquire());
    semaphore.release();
    CHECK(queue.tryPut(1));
    CHECK(queue.tryGet() == 1);
    event.set();
    spawn([] {});
    steps += "undisturbed ";
    yield();
    steps += "never";
  });
  target.join();

  CHECK(steps == "undisturbed ");
}

FIBER_TEST("a blocking call that need not wait strikes before it takes anything [KILL-12]") {
  Mutex mutex;
  Semaphore semaphore(1);
  Queue<int> queue;
  queue.put(1);
  Event event;
  event.set();
  AsyncResult<int> result;
  result.set(1);
  const AnyGreenlet ended = spawn([] {});
  ended.join();
  const std::array<std::function<void()>, 12> calls{
      [] { yield(); },
      [] { sleep(0s); },
      [&] { mutex.lock(); },
      [&] { semaphore.acquire(); },
      [&] { queue.get(); },
      [&] { queue.next(); },
      [&] { queue.put(2); },
      [&] { event.wait(); },
      [&] { result.get(); },
      [&] { ended.join(); },
      [&] { joinAll({ended}); },
      [&] { ended.kill(); },
  };

  for (const auto& call : calls) {
    bool wasStruck = false;
    spawn([&] {
      current().requestKill();
      try {
        call();
      } catch (const GreenletExit&) {
        wasStruck = true;
      }
    }).join();
    CHECK(wasStruck);
  }

  CHECK_FALSE(mutex.isLocked());
  CHECK(semaphore.available() == 1);
  CHECK(queue.size() == 1);
}

FIBER_TEST("a fiber that had merely yielded is struck there [KILL-13]") {
  for (const bool isKill : {true, false}) {
    std::string steps;
    const AnyGreenlet target = spawn([&steps] {
      yield();
      steps += "too late";
    });
    yield();

    target.requestKill(isKill ? error(GreenletExit()) : error(42));
    target.join();

    CHECK(steps.empty());
    static_cast<void>(target.exception());
  }
}

FIBER_TEST("a fiber that was woken without a result and waits for its turn is struck [KILL-13]") {
  Event event;
  const AnyGreenlet other = spawn([] {});
  const std::array<std::function<void()>, 3> calls{[&] { event.wait(); },
                                                   [] { sleep(0s); },
                                                   [&] { other.join(); }};
  for (const auto& call : calls) {
    std::string steps;
    event.clear();
    const AnyGreenlet target = spawn([&] {
      call();
      steps += "too late";
    });
    yield();

    event.set();
    target.kill();

    CHECK(steps.empty());
    CHECK(target.isKilled());
    if (!other.isReady()) other.join();
  }
}

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
      queue.put(10);
      settle();

      // Who was killed first left everything to the next, who ended with the first item.
      CHECK(next.isReady());
      if (queue.size() == 1) sum += queue.get();
      if (capacity == 0 && isKillFirst) CHECK(sum == 1);
      if (capacity != 0 || !isKillFirst) CHECK(sum == 11);
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

FIBER_TEST("a kill that is swallowed strikes again at each blocking call [KILL-16]") {
  int strikes = 0;
  const auto target = spawn([&strikes] {
    const Event never;
    while (strikes < 5) {
      try {
        Event().wait();
      } catch (...) {
        ++strikes;
      }
    }
    return strikes;
  });
  yield();

  target.kill();

  CHECK(target.get() == 5);
}

FIBER_TEST("a fiber that swallows its kill in a loop lets the others run [KILL-16]") {
  bool isOver = false;
  const AnyGreenlet target = spawn([&isOver] {
    while (!isOver) {
      try {
        Event().wait();
      } catch (...) {
      }
    }
  });
  yield();

  target.requestKill();
  for (int i = 0; i < 20; ++i) yield();
  isOver = true;
  target.join();

  CHECK(target.isSuccessful());
}

FIBER_TEST("swallowed kills are counted in the statistics [KILL-16]") {
  const std::uint64_t before = killsSwallowed(loopStatistics());
  const AnyGreenlet target = spawn([] {
    for (int i = 0; i < 3; ++i) {
      try {
        Event().wait();
      } catch (...) {
      }
    }
  });
  yield();

  target.kill();

  // Not the last: nothing blocking came after it.
  CHECK(killsSwallowed(loopStatistics()) == before + 2);
}

FIBER_TEST("an exception of a kill strikes once [KILL-17]") {
  Event event;
  const auto target = spawn([&event] {
    int strikes = 0;
    try {
      event.wait();
    } catch (const std::runtime_error&) {
      ++strikes;
    }
    yield();
    event.wait();
    return strikes;
  });
  yield();

  target.requestKill(error(std::runtime_error("once")));
  settle();
  CHECK_FALSE(target.isReady());
  event.set();

  CHECK(target.get() == 1);
}

FIBER_TEST("several exceptions of kills strike one after the other [KILL-17]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    for (int i = 0; i < 2; ++i) {
      try {
        Event().wait();
      } catch (int number) {
        steps += std::to_string(number) + " ";
      }
    }
    yield();
  });
  yield();

  target.requestKill(error(1));
  target.kill(error(2));

  CHECK(steps == "1 2 ");
  CHECK(target.isSuccessful());
}

FIBER_TEST_ON("sim", "an expired timeout strikes once [KILL-17]") {
  int strikes = 0;
  const TimePoint start = now();

  const Timeout timeout(1ms);
  try {
    sleep(1h);
  } catch (const TimeoutExpired&) {
    ++strikes;
  }
  sleep(5ms);

  CHECK(strikes == 1);
  CHECK(now() - start == 6ms);
}
