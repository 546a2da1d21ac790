// Coroutines that block, on fibers that are killed.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "fiber_test.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/run.h"
#include "plait/timeout.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

struct Noting {
  std::string* log;
  ~Noting() { *log += "gone "; }
};

Deferred<int> blockAfter(Deferred<void> gate, std::string& log) {
  const Noting noting{&log};
  co_await std::move(gate);
  log += "blocks ";
  sleep(1s);
  log += "on ";
  co_return 3;
}

Deferred<int> blockAtOnce(std::string& log) {
  const Noting noting{&log};
  sleep(1s);
  co_return 4;
}

Deferred<int> blockThenAwait(Deferred<void> gate, Deferred<int> last) {
  co_await std::move(gate);
  sleep(1s);
  co_return co_await std::move(last);
}

Deferred<int> count(int waits) {
  int sum = 0;
  for (int i = 0; i < waits; ++i) {
    co_await 1s;
    ++sum;
  }
  co_return sum;
}

Deferred<void> keep(std::shared_ptr<int> life) {
  const std::shared_ptr<int> mine = life;
  co_await 1h;
}

}  // namespace

FIBER_TEST_ON("sim", "a fiber waits for a coroutine that waits for time [BRIDGE-2]") {
  const TimePoint start = now();

  CHECK(waitForDeferred(count(3)) == 3);

  CHECK(now() - start >= 3s);
}

FIBER_TEST_ON("sim", "a kill of the fiber cancels what its coroutine awaits [BRIDGE-10]") {
  const TimePoint start = now();
  const auto waiter = spawn([] { waitForDeferred(count(1000)); });
  sleep(2500ms);

  waiter.kill();

  CHECK(waiter.isKilled());
  CHECK(now() - start < 3s);
}

FIBER_TEST_ON("sim", "a coroutine that blocks parks who resumes it [BRIDGE-21]") {
  std::string log;
  const Deferred<void> gate;
  const Deferred<int> done = blockAfter(gate, log);
  const auto firing = spawn([&] {
    gate.callback();
    log += "fired ";
  });
  settle();
  CHECK(log == "blocks ");

  CHECK(waitForDeferred(done) == 3);
  firing.join();

  CHECK(log == "blocks on gone fired ");
}

FIBER_TEST_ON("sim",
              "a coroutine killed in a blocking call unwinds who resumed it, and is "
              "cancelled for its own waiters [DEFERRED-6] [BRIDGE-21]") {
  std::string log;
  const Deferred<void> gate;
  const Deferred<int> done = blockAfter(gate, log);
  bool fired = false;
  const auto firing = spawn([&] {
    gate.callback();
    fired = true;
  });
  const auto waiter = spawn([&done] { return waitForDeferred(done); });
  settle();

  firing.kill();
  waiter.join();

  CHECK(log == "blocks gone ");
  CHECK(firing.isKilled());
  CHECK_FALSE(fired);
  CHECK_FALSE(waiter.isKilled());
  CHECK_THROWS_AS(waiter.get(), CancelledError);
}

FIBER_TEST_ON("sim",
              "a Timeout that strikes in a coroutine goes through who resumed it "
              "[DEFERRED-6] [BRIDGE-16]") {
  std::string log;
  const Deferred<void> gate;
  const Deferred<int> done = blockAfter(gate, log);
  done.addErrback<CancelledError>([&log](const CancelledError&) {
    log += "cancelled ";
    return 0;
  });
  bool isMine = false;
  {
    const Timeout timeout(500ms);
    try {
      gate.callback();
    } catch (const TimeoutExpired& expired) {
      isMine = timeout.isCause(expired);
    }
  }
  settle();

  CHECK(isMine);
  CHECK(log == "blocks gone cancelled ");
}

FIBER_TEST_ON("sim", "a kill in the first run leaves through the call [DEFERRED-6]") {
#if defined(__clang__)
  MESSAGE("left out: clang 19 leaks the return object of a coroutine whose first run throws");
#else
  std::string log;
  const auto caller = spawn([&log] {
    const Deferred<int> done = blockAtOnce(log);
    log += "returned ";
  });
  settle();

  caller.kill();

  CHECK(caller.isKilled());
  CHECK(log == "gone ");
#endif
}

FIBER_TEST_ON("sim", "a first run that blocks keeps the caller [DEFERRED-82] [BRIDGE-21]") {
  std::string log;

  const Deferred<int> done = blockAtOnce(log);

  CHECK(done.isCalled());
  CHECK(log == "gone ");
  CHECK(waitForDeferred(done) == 4);
}

FIBER_TEST_ON("sim",
              "a cancel while a coroutine blocks is for what it awaits next "
              "[DEFERRED-86] [BRIDGE-21]") {
  int cancels = 0;
  const Deferred<void> gate;
  const Deferred<int> last([&cancels](const Deferred<int>&) { ++cancels; });
  const Deferred<int> done = blockThenAwait(gate, last);
  const auto firing = spawn([&gate] { gate.callback(); });
  const auto waiter = spawn([&done] { waitForDeferred(done); });
  settle();

  waiter.requestKill();
  settle();
  CHECK_FALSE(waiter.isReady());
  CHECK(cancels == 0);
  waiter.join();

  CHECK(waiter.isKilled());
  CHECK(cancels == 1);
  firing.join();
}

TEST_CASE("a coroutine that is suspended at the run's end goes with it [BRIDGE-35]") {
  const auto life = std::make_shared<int>(0);
  run([&life] {
    spawn([life] { waitForDeferred(keep(life)); });
    settle();
  });

  CHECK(life.use_count() == 1);
}
