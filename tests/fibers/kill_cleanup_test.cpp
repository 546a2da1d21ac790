// Cleanup under a kill: handlers, destructors, shields; and killing many.
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/mutex.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

template <class E>
std::exception_ptr error(const E& e) {
  return std::make_exception_ptr(e);
}

class AtEnd final {
 public:
  explicit AtEnd(std::function<void()> f) : f_(std::move(f)) {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { f_(); }

 private:
  std::function<void()> f_;
};

void yieldMuch() {
  for (int i = 0; i < 3; ++i) yield();
}

}  // namespace

FIBER_TEST("destructors and the handler of a kill may block, and kill waits [KILL-18]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    const AtEnd outer([&steps] {
      yieldMuch();
      steps += "outer ";
    });
    try {
      const AtEnd inner([&steps] {
        spawn([&steps] {
          yieldMuch();
          steps += "child ";
        }).join();
        steps += "inner ";
      });
      Event().wait();
    } catch (const GreenletExit&) {
      yieldMuch();
      steps += "handler ";
      throw;
    }
  });
  yield();

  target.kill();
  steps += "killed";

  CHECK(steps == "child inner handler outer killed");
}

FIBER_TEST("a handler of a kill may handle other errors while it blocks [KILL-18]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      try {
        throw std::runtime_error("while cleaning up");
      } catch (const std::runtime_error&) {
        yield();
        steps += "inner ";
      }
      yield();
      steps += "outer ";
      throw;
    }
  });
  yield();

  target.kill();

  CHECK(steps == "inner outer ");
  CHECK(target.isKilled());
}

FIBER_TEST("a kill waits while a GreenletExit that the fiber threw itself is handled [KILL-18]") {
  std::string steps;
  Event mayGoOn;
  const AnyGreenlet target = spawn([&] {
    try {
      throw GreenletExit();
    } catch (const GreenletExit&) {
      mayGoOn.wait();
      steps += "cleaned ";
    }
    yield();
    steps += "never";
  });
  yield();

  target.requestKill();
  settle();
  CHECK_FALSE(target.isReady());
  mayGoOn.set();
  target.join();

  CHECK(steps == "cleaned ");
  CHECK(target.isKilled());
}

FIBER_TEST("another kill changes nothing while the first is being handled [KILL-18] [KILL-19]") {
  for (const bool isKill : {true, false}) {
    std::string steps;
    Event mayGoOn;
    const AnyGreenlet target = spawn([&] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        mayGoOn.wait();
        steps += "cleaned";
        throw;
      }
    });
    yield();
    target.requestKill();
    yield();

    if (isKill) target.requestKill();
    if (!isKill) target.requestKill(error(std::runtime_error("the second")));
    settle();
    CHECK_FALSE(target.isReady());
    mayGoOn.set();
    target.join();

    CHECK(steps == "cleaned");
    CHECK(target.isKilled());
    static_cast<void>(target.exception());
  }
}

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

// --- killing many ---

FIBER_TEST("killAll kills all before it waits: what had not started never does [KILL-22]") {
  int begun = 0;
  std::vector<AnyGreenlet> all;
  all.push_back(spawn([] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      yieldMuch();
      throw;
    }
  }));
  yield();
  for (int i = 0; i < 3; ++i) all.push_back(spawn([&begun] { ++begun; }));

  killAll(all);

  CHECK(begun == 0);
  for (const AnyGreenlet& greenlet : all) CHECK(greenlet.isKilled());
}

FIBER_TEST_ON("sim", "killAll with a period throws when some still live then [KILL-22]") {
  const TimePoint start = now();
  const std::vector<AnyGreenlet> all{spawn([] { Event().wait(); }), spawn([] {
                                       const CancelShield shield;
                                       sleep(10ms);
                                     })};
  yield();

  CHECK_THROWS_AS(killAll(all, 4ms), TimeoutError);

  CHECK(now() - start == 4ms);
  CHECK(all[0].isKilled());
  CHECK_FALSE(all[1].isReady());
  CHECK_NOTHROW(killAll(all, 1h));
}

FIBER_TEST("killAll of nothing or of ended fibers returns at once [KILL-23]") {
  const std::vector<AnyGreenlet> ended{spawn([] {}), spawn([] { throw GreenletExit(); })};
  joinAll(ended);
  bool hasSwitched = false;
  const AnyGreenlet other = spawn([&hasSwitched] { hasSwitched = true; });

  killAll(std::vector<AnyGreenlet>());
  killAll(ended);
  killAll(ended, 0s);

  CHECK_FALSE(hasSwitched);
  other.join();
}

FIBER_TEST("a target whose cleanup throws does not keep killAll from the others [KILL-23]") {
  ExpectedErrors errors;
  std::vector<AnyGreenlet> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(spawn([] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        throw std::runtime_error("cleanup failed");
      }
    }));
  }
  all.push_back(spawn([] { Event().wait(); }));
  yield();

  CHECK_NOTHROW(killAll(all));

  for (const AnyGreenlet& greenlet : all) CHECK(greenlet.isReady());
  CHECK(all[3].isKilled());
  all.clear();
  CHECK(errors.take(3).size() == 3);
}
