// Timeouts: when they expire, what they throw, and where.
#include "plait/timeout.h"

#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "fiber_test.h"
#include "plait/call_later.h"
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

static_assert(!std::is_copy_constructible_v<Timeout> && !std::is_move_constructible_v<Timeout>);
static_assert(!std::is_copy_assignable_v<Timeout> && !std::is_move_assignable_v<Timeout>);

namespace {

SimOptions tickingClock() {
  SimOptions options;
  options.clockStep = 1ms;
  return options;
}

}  // namespace

// --- expiry ---

FIBER_TEST_ON("sim", "a timeout strikes its own fiber only, out of its blocking call [TIMEOUT-1]") {
  const TimePoint start = now();
  Duration other{};
  const AnyGreenlet sleeper = spawn([&] {
    sleep(10ms);
    other = now() - start;
  });

  const Timeout timeout(5ms);
  CHECK_THROWS_AS(sleeper.join(), TimeoutExpired);

  CHECK(now() - start == 5ms);
  CHECK(timeout.hasExpired());
  sleeper.join();
  CHECK(other == 10ms);
}

FIBER_TEST_SIM(tickingClock(), "code that never switches is not interrupted [TIMEOUT-1]") {
  const TimePoint start = now();
  std::string steps;

  try {
    const Timeout timeout(5ms);
    while (now() - start < 50ms) {
    }
    steps += "computed ";
    sleep(1h);
    steps += "never";
  } catch (const TimeoutExpired&) {
    steps += "struck";
  }

  CHECK(steps == "computed struck");
}

FIBER_TEST_ON("sim", "a bare timeout is no std::exception and knows its cause [TIMEOUT-2]") {
  std::string steps;
  const Timeout longer(1h);
  const Timeout timeout(5ms);

  try {
    sleep(1h);
  } catch (const std::exception&) {
    steps += "std";
  } catch (const TimeoutExpired& e) {
    steps += timeout.isCause(e) ? "mine " : "other ";
    steps += longer.isCause(e) ? "mine" : "other";
    CHECK(e.message().find("5 ms") != std::string::npos);
    CHECK(e.message().find("timeout_test.cpp:") != std::string::npos);
  }

  CHECK(steps == "mine other");
}

FIBER_TEST_ON("sim", "a timeout that leaves a fiber is stored as TimeoutError [TIMEOUT-2]") {
  const auto target = spawn([] {
    const Timeout timeout(5ms);
    sleep(1h);
  });

  CHECK_THROWS_AS(target.get(), TimeoutError);
  CHECK_FALSE(target.isKilled());
}

FIBER_TEST_ON("sim", "a timeout that leaves a callback is reported [TIMEOUT-2] [LOOP-9]") {
  ExpectedErrors errors;

  callLater(0s, [] {
    const Timeout timeout(5ms);
    sleep(1h);
  });
  sleep(10ms);

  const auto reports = errors.takeReports(1);
  REQUIRE(reports.size() == 1);
  CHECK_THROWS_AS(std::rethrow_exception(reports[0].error), TimeoutError);
}

FIBER_TEST_ON("sim", "a timeout with an exception throws that [TIMEOUT-3]") {
  const TimePoint start = now();
  const auto own = std::make_exception_ptr(std::out_of_range("too long"));
  const auto number = std::make_exception_ptr(7);

  const auto target = spawn([&own] {
    const Timeout timeout(5ms, own);
    sleep(1h);
  });
  CHECK_THROWS_AS(target.get(), std::out_of_range);
  const auto leave = [&number] {
    const Timeout timeout(5ms, number);
    sleep(1h);
  };
  CHECK_THROWS_AS(leave(), int);

  CHECK(now() - start == 10ms);
}

FIBER_TEST_ON("sim", "a timeout without a duration never expires, costs no timer [TIMEOUT-4]") {
  const Timeout timeout(kForever);

  CHECK(loopStatistics().timers == 0);
  CHECK_FALSE(timeout.isPending());
  sleep(1000h);
  CHECK_FALSE(timeout.hasExpired());
}

FIBER_TEST_ON("sim", "a period of zero or less lets through what need not wait [TIMEOUT-5]") {
  for (const Duration period : {Duration(0), Duration(-5ms), Duration::min()}) {
    Queue<int> queue;
    queue.put(1);
    Semaphore semaphore(1);
    Event event;
    event.set();
    Mutex mutex;
    const auto ended = spawn([] { return 2; });
    ended.join();

    CHECK_NOTHROW(Timeout{period});
    const Timeout timeout(period);
    CHECK(queue.get() == 1);
    CHECK(semaphore.acquire(period));
    CHECK(event.wait(period));
    CHECK(mutex.lock(period));
    CHECK(queue.put(1, period));
    CHECK(queue.get(period) == 1);
    CHECK(ended.join(period));
    CHECK(ended.get(period) == 2);
  }
}

FIBER_TEST_ON("sim", "a period of zero or less gives up what would wait, at once [TIMEOUT-5]") {
  const TimePoint start = now();
  for (const Duration period : {Duration(0), Duration(-5ms), Duration::min()}) {
    Queue<int> queue(1);
    Semaphore semaphore(0);
    Event event;
    Mutex mutex;
    spawn([&mutex] { mutex.lock(); }).join();
    const auto forever = spawn([&event] { event.wait(); });
    int turns = 0;
    const AnyGreenlet counter = spawn([&turns] {
      for (;; ++turns) yield();
    });

    const auto scope = [&] {
      const Timeout timeout(period);
      event.wait();
    };
    CHECK_THROWS_AS(scope(), TimeoutExpired);
    CHECK(turns <= 2);
    CHECK_FALSE(semaphore.acquire(period));
    CHECK_FALSE(event.wait(period));
    CHECK_FALSE(mutex.lock(period));
    CHECK_FALSE(queue.get(period).has_value());
    queue.put(1);
    CHECK_FALSE(queue.put(2, period));
    CHECK_FALSE(forever.join(period));
    CHECK_THROWS_AS(forever.get(period), TimeoutError);
    CHECK(turns <= 20);
    killAll({AnyGreenlet(forever), counter});
  }
  CHECK(now() == start);
}

FIBER_TEST_SIM(tickingClock(),
               "a period counts from its opening, after long work too [TIMEOUT-6]") {
  const TimePoint long_ago = now();
  while (now() - long_ago < 100ms) {
  }

  const TimePoint start = now();
  const auto scope = [] {
    const Timeout timeout(50ms);
    sleep(1h);
  };
  CHECK_THROWS_AS(scope(), TimeoutExpired);
  CHECK(now() - start >= 50ms);

  const TimePoint again = now();
  while (now() - again < 100ms) {
  }
  const TimePoint second = now();
  CHECK_FALSE(Event().wait(50ms));
  CHECK(now() - second >= 50ms);
}

FIBER_TEST_ON("sim", "a restarted timeout counts anew [TIMEOUT-6] [TIMEOUT-11]") {
  const TimePoint start = now();
  Timeout timeout(10ms);
  sleep(5ms);

  timeout.restart(10ms);
  sleep(9ms);
  CHECK_FALSE(timeout.hasExpired());
  std::optional<TimeoutExpired> first;
  try {
    sleep(1h);
  } catch (const TimeoutExpired& e) {
    first = e;
  }
  CHECK(now() - start == 15ms);
  REQUIRE(first.has_value());
  CHECK(timeout.isCause(*first));

  timeout.restart(2ms);
  CHECK_FALSE(timeout.hasExpired());
  CHECK_FALSE(timeout.isCause(*first));
  std::string message;
  try {
    sleep(1h);
  } catch (const TimeoutExpired& e) {
    message = e.message();
  }
  CHECK(message.find("after 2 ms") != std::string::npos);
  CHECK(now() - start == 17ms);
}

FIBER_TEST_ON("sim",
              "isCause knows a timeout that is gone from a new one in its place [TIMEOUT-11]") {
  std::optional<TimeoutExpired> old;
  alignas(Timeout) std::byte place[sizeof(Timeout)];

  auto* const first = new (place) Timeout(1ms);
  try {
    sleep(1h);
  } catch (const TimeoutExpired& e) {
    old = e;
  }
  first->~Timeout();
  auto* const second = new (place) Timeout(1h);

  REQUIRE(old.has_value());
  CHECK_FALSE(second->isCause(*old));
  second->~Timeout();
}
