// Kills that wait: during unwinding, in shields, in destructors of plait's own.
#include <exception>
#include <stdexcept>
#include <string>

#include "at_end.h"
#include "fiber_test.h"
#include "kills.h"
#include "plait/cancel_shield.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/mutex.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("a kill that arrives during unwinding waits until it is over [KILL-19]") {
  for (const bool isKill : {true, false}) {
    std::string steps;
    Event mayGoOn;
    const AnyGreenlet target = spawn([&] {
      try {
        const AtEnd end([&] {
          mayGoOn.wait();
          steps += "unwound ";
        });
        throw std::runtime_error("first");
      } catch (const std::runtime_error&) {
        steps += "caught ";
      }
      try {
        yield();
      } catch (...) {
        steps += "struck";
        throw;
      }
    });
    yield();

    if (isKill) target.requestKill();
    if (!isKill) target.requestKill(error(42));
    settle();
    mayGoOn.set();
    target.join();

    CHECK(steps == "unwound caught struck");
    static_cast<void>(target.exception());
  }
}

FIBER_TEST("a kill inside shields strikes at the first blocking call after all [KILL-19]") {
  for (const bool isKill : {true, false}) {
    std::string steps;
    Event mayGoOn;
    const AnyGreenlet target = spawn([&] {
      {
        const CancelShield outer;
        {
          const CancelShield inner;
          mayGoOn.wait();
        }
        yield();
        steps += "shielded ";
      }
      steps += "free ";
      yield();
      steps += "never";
    });
    yield();

    if (isKill) target.requestKill();
    if (!isKill) target.requestKill(error(42));
    settle();
    mayGoOn.set();
    target.join();

    CHECK(steps == "shielded free ");
    CHECK_FALSE(target.isSuccessful());
    static_cast<void>(target.exception());
  }
}

FIBER_TEST("a second kill during the unwinding of the first changes nothing [KILL-19]") {
  std::string steps;
  Event mayGoOn;
  const AnyGreenlet target = spawn([&] {
    const AtEnd end([&] {
      mayGoOn.wait();
      steps += "unwound";
    });
    Event().wait();
  });
  yield();
  target.requestKill();
  yield();

  target.requestKill();
  target.requestKill(error(std::runtime_error("second")));
  settle();
  CHECK_FALSE(target.isReady());
  mayGoOn.set();
  target.join();

  CHECK(steps == "unwound");
  CHECK(target.isKilled());
}

FIBER_TEST("a task group's destructor finishes before its killed fiber ends [KILL-20]") {
  for (const bool isUnwinding : {false, true}) {
    std::string steps;
    Event mayGoOn;
    const AnyGreenlet target = spawn([&] {
      TaskGroup group;
      group.spawn([&] {
        const CancelShield shield;
        mayGoOn.wait();
        steps += "task ";
      });
      yield();
      if (isUnwinding) throw GreenletExit();
    });
    yield();
    yield();

    target.requestKill();
    settle();
    CHECK_FALSE(target.isReady());
    mayGoOn.set();
    target.join();
    steps += "ended";

    CHECK(steps == "task ended");
  }
}

FIBER_TEST("a killed wait on a condition has locked the mutex again [KILL-20]") {
  Mutex mutex;
  Condition condition;
  bool wasMine = false;
  const AnyGreenlet target = spawn([&] {
    mutex.lock();
    try {
      condition.wait(mutex);
    } catch (const GreenletExit&) {
      wasMine = mutex.isMine();
      mutex.unlock();
      throw;
    }
  });
  yield();
  mutex.lock();

  target.requestKill();
  settle();
  target.requestKill();
  mutex.unlock();
  target.join();

  CHECK(wasMine);
  CHECK(target.isKilled());
}

FIBER_TEST_ON("sim", "a timeout opened inside a shield strikes there [KILL-21]") {
  std::string steps;
  const TimePoint start = now();
  const AnyGreenlet target = spawn([&steps] {
    {
      const Timeout outside(3ms);
      const CancelShield shield;
      try {
        const Timeout inside(5ms);
        const CancelShield deeper;
        sleep(10ms);
        steps += "deeper ";
      } catch (const TimeoutExpired&) {
        steps += "never ";
      }
      try {
        const Timeout inside(5ms);
        sleep(1h);
      } catch (const TimeoutExpired& e) {
        steps += e.message().find("5 ms") == std::string::npos ? "outside" : "inside";
      }
    }
  });
  yield();

  target.requestKill();
  target.join();

  CHECK(steps == "deeper inside");
  CHECK(now() - start == 15ms);
}

FIBER_TEST_ON("sim", "a timeout of a destructor strikes there during unwinding [KILL-21]") {
  std::string steps;
  const TimePoint start = now();
  const AnyGreenlet target = spawn([&steps] {
    const AtEnd end([&steps] {
      try {
        const Timeout timeout(5ms);
        Event().wait();
      } catch (const TimeoutExpired&) {
        steps += "bounded";
      }
    });
    Event().wait();
  });
  yield();

  target.kill();

  CHECK(steps == "bounded");
  CHECK(now() - start == 5ms);
}
