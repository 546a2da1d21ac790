// Kills: before, during and after the target's life.
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "kills.h"
#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/mutex.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

// --- before, during and after the target's life ---

FIBER_TEST("no way to kill throws on the target's account, whatever its state [KILL-1]") {
  const auto kills = {+[](const AnyGreenlet& g) { g.kill(); },
                      +[](const AnyGreenlet& g) { g.kill(1h); },
                      +[](const AnyGreenlet& g) { g.kill(error(std::runtime_error("x"))); },
                      +[](const AnyGreenlet& g) { g.requestKill(); }};
  for (const auto kill : kills) {
    Event go;
    const std::vector<AnyGreenlet> targets{
        parked(),
        spawn([&go] { go.wait(); }),  // parked, then ready
        spawn([] {}),
        spawnLater(1h, [] {}),                         // not begun
        spawn([] { throw std::runtime_error("y"); }),  // ended by then
    };
    targets[4].join();
    static_cast<void>(targets[4].exception());
    go.set();

    for (const AnyGreenlet& target : targets) CHECK_NOTHROW(kill(target));

    joinAll(targets);
    for (const AnyGreenlet& target : targets) static_cast<void>(target.exception());
  }
}

FIBER_TEST("what strikes the killer while it waits is thrown there [KILL-1]") {
  Event mayEnd;
  const AnyGreenlet target = spawn([&mayEnd] {
    const CancelShield shield;
    mayEnd.wait();
  });
  yield();
  const AnyGreenlet killer = spawn([&target] { target.kill(); });
  yield();

  killer.kill();

  CHECK(killer.isKilled());
  CHECK_FALSE(target.isReady());
  mayEnd.set();
  target.join();
}

FIBER_TEST("a fiber killed before it first ran never runs; links and joiners hear it [KILL-2]") {
  bool hasRun = false;
  int linked = 0;
  const auto killed = spawn([&hasRun] { hasRun = true; });
  const auto struck = spawn([&hasRun] { hasRun = true; });
  for (const AnyGreenlet& g : {AnyGreenlet(killed), AnyGreenlet(struck)}) {
    g.link([&linked](const AnyGreenlet&) { ++linked; });
  }

  struck.requestKill(error(std::runtime_error("not you")));
  killed.kill();
  settle();

  CHECK_FALSE(hasRun);
  CHECK(linked == 2);
  CHECK(killed.isReady());
  CHECK_THROWS_AS(killed.get(), GreenletKilled);
  CHECK_THROWS_WITH_AS(struck.get(), "not you", std::runtime_error);
}

FIBER_TEST("a parked fiber gets the kill out of the very call it is parked in [KILL-3]") {
  std::string steps;
  Event event;
  const AnyGreenlet target = spawn([&] {
    steps += "waits ";
    try {
      event.wait();
    } catch (const GreenletExit&) {
      steps += "struck";
      throw;
    }
  });
  yield();

  target.kill();

  CHECK(steps == "waits struck");
}

FIBER_TEST("waiters behind a killed one are served as if it had never been there [KILL-3]") {
  Queue<int> queue;
  Semaphore semaphore(0);
  Mutex mutex;
  std::string got;
  const auto waiters = [&](auto wait) {
    std::vector<AnyGreenlet> three;
    for (const char name : {'a', 'b', 'c'}) {
      three.push_back(spawn([name, wait, &got] {
        wait();
        got += name;
      }));
    }
    yield();
    three[1].kill();
    three.erase(three.begin() + 1);
    return three;
  };

  auto some = waiters([&queue] { queue.get(); });
  queue.put(1);
  queue.put(2);
  joinAll(some);
  CHECK(queue.isEmpty());

  some = waiters([&semaphore] { semaphore.acquire(); });
  semaphore.release(2);
  joinAll(some);
  CHECK(semaphore.available() == 0);

  mutex.lock();
  some = waiters([&mutex] {
    mutex.lock();
    mutex.unlock();
  });
  mutex.unlock();
  joinAll(some);
  CHECK_FALSE(mutex.isLocked());
  CHECK(got == "acacac");
}

FIBER_TEST("the timer and the operation behind a killed call are gone [KILL-3]") {
  int ends[2];
  detail::Op pipe(detail::OpKind::pipe);
  pipe.buffer = ends;
  REQUIRE(detail::callKernel(pipe) == 0);
  const AnyGreenlet sleeper = spawn([] { sleep(1h); });
  const AnyGreenlet reader = spawn([&ends] {
    char byte;
    detail::Op read(detail::OpKind::read, ends[0]);
    read.setBuffer(&byte, 1);
    detail::await(read, "read");
  });
  yield();
  REQUIRE(loopStatistics().timers == 1);
  REQUIRE(loopStatistics().inFlight == 1);

  sleeper.kill();
  reader.kill();

  CHECK(sleeper.isKilled());
  CHECK(reader.isKilled());
  CHECK(loopStatistics().timers == 0);
  CHECK(loopStatistics().inFlight == 0);
  for (const int end : ends) {
    detail::Op close(detail::OpKind::close, end);
    detail::await(close, "close");
  }
}

FIBER_TEST("kill returns when the target has ended, its cleanup included [KILL-4]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      for (int i = 0; i < 10; ++i) yield();
      steps += "cleaned ";
      throw;
    }
  });
  yield();

  target.kill();
  steps += "killed";

  CHECK(target.isReady());
  CHECK(steps == "cleaned killed");
}

FIBER_TEST("requestKill returns at once without switching [KILL-4]") {
  bool hasSwitched = false;
  const AnyGreenlet target = parked();
  const AnyGreenlet other = spawn([&hasSwitched] { hasSwitched = true; });

  target.requestKill();
  target.requestKill(error(std::runtime_error("also")));

  CHECK_FALSE(hasSwitched);
  CHECK_FALSE(target.isReady());
  joinAll({target, other});
}

FIBER_TEST_ON("sim", "kill with a period returns false if the target still lives [KILL-5]") {
  bool wasStruck = false;
  const AnyGreenlet target = spawn([&wasStruck] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      wasStruck = true;
      sleep(10ms);
    }
  });
  yield();
  const TimePoint start = now();

  CHECK_FALSE(target.kill(4ms));

  CHECK(now() - start == 4ms);
  CHECK(wasStruck);
  CHECK(target.kill(1h));
  CHECK(now() - start == 10ms);
}
