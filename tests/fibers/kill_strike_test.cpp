// When a kill strikes, and how often.
#include <array>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "kills.h"
#include "plait/async_result.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/no_switch_scope.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/statistics.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

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
      [] { yield(); },           [] { sleep(0s); },
      [&] { mutex.lock(); },     [&] { semaphore.acquire(); },
      [&] { queue.get(); },      [&] { queue.next(); },
      [&] { queue.put(2); },     [&] { event.wait(); },
      [&] { result.get(); },     [&] { ended.join(); },
      [&] { joinAll({ended}); }, [&] { ended.kill(); },
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
  for (const bool isJoin : {false, true}) {
    std::string steps;
    Event event;
    AnyGreenlet target;
    const AnyGreenlet other = spawn([&event] { event.wait(); });
    const AnyGreenlet killer = spawn([&] {
      // Woken before the target, by the same end or event.
      if (isJoin) other.join();
      if (!isJoin) event.wait();
      target.kill();
    });
    target = spawn([&] {
      if (isJoin) other.join();
      if (!isJoin) event.wait();
      steps += "too late";
    });
    yield();

    event.set();
    killer.join();

    CHECK(steps.empty());
    CHECK(target.isKilled());
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

FIBER_TEST("a kill that is swallowed inside a NoSwitchScope lets nobody else run [KILL-16]") {
  int others = 0;
  auto killed = spawn([&] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
    }
    spawn([&] { ++others; });
    const NoSwitchScope scope;
    for (int i = 0; i < 3; ++i) {
      try {
        sleep(0s);
      } catch (...) {
      }
    }
    return others;
  });
  settle();
  killed.kill();
  CHECK(killed.get() == 0);
  settle();
  CHECK(others == 1);
}

FIBER_TEST("swallowed kills are counted in the statistics [KILL-16]") {
  const std::uint64_t before = loopStatistics().killsSwallowed;
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
  CHECK(loopStatistics().killsSwallowed == before + 2);
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
