// Timeouts as scopes: their end, nesting, withTimeout, and periods as parameters.
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/async_result.h"
#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/error.h"
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

// --- scope ---

FIBER_TEST_ON("sim", "a timeout is over with its scope, however that is left [TIMEOUT-7]") {
  const TimePoint start = now();

  {
    const Timeout timeout(1ms);
  }
  CHECK(loopStatistics().timers == 0);
  try {
    const Timeout timeout(1ms);
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
  }
  CHECK(loopStatistics().timers == 0);
  sleep(5ms);

  CHECK(now() - start == 5ms);
}

FIBER_TEST_ON("sim", "a timeout that has rung but not struck is over with its scope [TIMEOUT-7]") {
  const TimePoint start = now();
  Queue<int> queue;
  callLater(1ms, [&queue] { queue.put(1); });
  {
    const Timeout timeout(1ms);
    queue.get();
    CHECK(timeout.hasExpired());
  }

  sleep(5ms);

  CHECK(now() - start == 6ms);
}

FIBER_TEST_ON("sim",
              "a cancelled timeout does not strike; cancelling again is harmless [TIMEOUT-7]") {
  Timeout timeout(1ms);

  timeout.cancel();
  timeout.cancel();

  CHECK(loopStatistics().timers == 0);
  CHECK_FALSE(timeout.isPending());
  CHECK_NOTHROW(sleep(5ms));
  timeout.cancel();
  CHECK_FALSE(timeout.hasExpired());
}

FIBER_TEST_ON("sim", "the shorter outer timeout passes through the inner scope [TIMEOUT-8]") {
  std::string steps;
  const TimePoint start = now();

  const Timeout outer(5ms);
  try {
    const Timeout inner(1h);
    try {
      sleep(2h);
    } catch (const TimeoutExpired& e) {
      steps += inner.isCause(e) ? "inner " : "passes ";
      throw;
    }
  } catch (const TimeoutExpired& e) {
    steps += outer.isCause(e) ? "outer" : "nobody's";
  }

  CHECK(steps == "passes outer");
  CHECK(now() - start == 5ms);
  CHECK(loopStatistics().timers == 0);
}

FIBER_TEST_ON("sim", "of timeouts that expire in one turn one is thrown [TIMEOUT-9]") {
  for (const bool isOuterFirst : {true, false}) {
    std::string steps;
    Timeout outer(isOuterFirst ? 5ms : 1h);
    try {
      const Timeout inner(5ms);
      if (!isOuterFirst) outer.restart(5ms);
      try {
        sleep(1h);
      } catch (const TimeoutExpired& e) {
        steps += inner.isCause(e) ? "inner " : "outer ";
        throw;
      }
    } catch (const TimeoutExpired&) {
    }
    if (isOuterFirst) {
      // The inner scope was left by the unwinding.
      sleep(5ms);
      CHECK(steps == "outer ");
    } else {
      // The outer scope still stands.
      CHECK_THROWS_AS(sleep(5ms), TimeoutExpired);
      CHECK(steps == "inner ");
    }
    sleep(5ms);
  }
}

FIBER_TEST_ON("sim",
              "a result that came in time is returned, the timeout strikes next [TIMEOUT-10]") {
  const TimePoint start = now();
  Queue<int> queue;
  Semaphore semaphore(0);
  callLater(1ms, [&] {
    queue.put(3);
    semaphore.release();
  });
  const AnyGreenlet other = spawn([&] {
    const Timeout timeout(1ms);
    semaphore.acquire();
    CHECK(timeout.hasExpired());
    CHECK_THROWS_AS(yield(), TimeoutExpired);
  });
  yield();

  const Timeout timeout(1ms);
  CHECK(queue.get() == 3);
  CHECK(timeout.hasExpired());
  CHECK_THROWS_AS(yield(), TimeoutExpired);

  CHECK(now() - start == 1ms);
  other.join();
  CHECK(other.isSuccessful());
}

FIBER_TEST("an operation that completed although its timeout expired returns [TIMEOUT-10]") {
  int ends[2];
  detail::Op pipe(detail::OpKind::pipe);
  pipe.buffer = ends;
  REQUIRE(detail::callKernel(pipe) == 0);
  detail::Op write(detail::OpKind::write, ends[1]);
  write.setBuffer("x", 1);
  REQUIRE(detail::await(write, "write") == 1);
  char byte = 0;
  {
    const Timeout timeout(0s);
    detail::Op read(detail::OpKind::read, ends[0]);
    read.setBuffer(&byte, 1);

    CHECK(detail::await(read, "read") == 1);
  }

  CHECK(byte == 'x');
  for (const int end : ends) {
    detail::Op close(detail::OpKind::close, end);
    detail::await(close, "close");
  }
}

// --- whose timeout it is ---

FIBER_TEST_ON("sim", "an outer timeout passes through every call with its identity [TIMEOUT-12]") {
  Event event;
  Semaphore semaphore(0);
  Queue<int> queue(1);
  queue.put(0);
  Queue<int> empty;
  Mutex mutex;
  Condition condition;
  AsyncResult<int> result;
  spawn([&mutex] { mutex.lock(); }).join();
  Mutex own;
  own.lock();
  const auto target = spawn([&event] { event.wait(); });
  int ends[2];
  detail::Op pipe(detail::OpKind::pipe);
  pipe.buffer = ends;
  REQUIRE(detail::callKernel(pipe) == 0);
  const auto read = [&ends] {
    char byte;
    detail::Op op(detail::OpKind::read, ends[0]);
    op.setBuffer(&byte, 1);
    detail::await(op, "read");
  };
  const std::vector<std::function<void()>> calls{
      [&] { target.join(1h); },
      [&] { target.get(1h); },
      [&] { joinAll({AnyGreenlet(target)}, 1h); },
      [&] { event.wait(1h); },
      [&] { result.get(1h); },
      [&] { result.wait(1h); },
      [&] { semaphore.acquire(1h); },
      [&] { mutex.lock(1h); },
      [&] { condition.wait(own, 1h); },
      [&] { empty.get(1h); },
      [&] { empty.next(); },
      [&] { queue.put(1, 1h); },
      [&] { queue.join(1h); },
      [&] { withTimeout(1h, read); },
      [&] { withTimeout(1h, [] { sleep(2h); }); },
      [&] { withTimeout(1h, [] { return sleep(2h), 1; }, 2); },
  };

  for (const auto& call : calls) {
    const TimePoint start = now();
    const Timeout outer(5ms);
    bool isMine = false;
    try {
      call();
    } catch (const TimeoutExpired& e) {
      isMine = outer.isCause(e);
    }
    CHECK(isMine);
    CHECK(now() - start == 5ms);
  }

  for (const int end : ends) {
    detail::Op close(detail::OpKind::close, end);
    detail::await(close, "close");
  }
  target.kill();
}

FIBER_TEST_ON("sim", "withTimeout turns its own expiry into TimeoutError [TIMEOUT-13]") {
  const TimePoint start = now();

  CHECK_THROWS_AS(withTimeout(5ms, [] { sleep(1h); }), TimeoutError);
  CHECK(withTimeout(5ms, [] { return sleep(1h), 1; }, 2) == 2);
  CHECK(now() - start == 10ms);
  CHECK(withTimeout(5ms, [] { return 3; }) == 3);
  CHECK(withTimeout(5ms, [] { return 3; }, 4) == 3);
  CHECK(loopStatistics().timers == 0);
}

FIBER_TEST_ON("sim", "withTimeout lets every other exception of f through [TIMEOUT-13]") {
  const auto other = [] { throw std::runtime_error("mine"); };
  const auto foreign = [] { throw TimeoutExpired(~0u, 1s, std::source_location::current()); };
  const auto error = []() -> int { throw TimeoutError("f's own"); };

  CHECK_THROWS_AS(withTimeout(5ms, other), std::runtime_error);
  CHECK_THROWS_AS(withTimeout(5ms, foreign), TimeoutExpired);
  CHECK_THROWS_WITH_AS(withTimeout(5ms, error, 1), "f's own", TimeoutError);
  const AnyGreenlet killed = spawn([] { withTimeout(1h, [] { sleep(2h); }); });
  yield();
  killed.kill();
  CHECK(killed.isKilled());
}

FIBER_TEST_ON("sim",
              "withTimeout in withTimeout: the inner one fires alone, or the outer [TIMEOUT-13]") {
  std::string steps;

  withTimeout(1h, [&steps] {
    try {
      withTimeout(5ms, [] { sleep(2h); });
    } catch (const TimeoutError&) {
      steps += "inner ";
    }
  });
  const int got =
      withTimeout(5ms, [] { return withTimeout(1h, [] { return sleep(2h), 1; }, 2); }, 3);
  steps += got == 3 ? "outer" : "lost";

  CHECK(steps == "inner outer");
}

FIBER_TEST_ON("sim", "each call with a period says in its own way that it ran out [TIMEOUT-14]") {
  const TimePoint start = now();
  Event event;
  Semaphore semaphore(0);
  Queue<int> queue(1);
  Mutex mutex;
  Condition condition;
  AsyncResult<int> result;
  const auto target = spawn([&event] {
    event.wait();
    return 1;
  });

  CHECK_THROWS_AS(target.get(1ms), TimeoutError);
  CHECK_THROWS_AS(result.get(1ms), TimeoutError);
  CHECK_FALSE(queue.get(1ms).has_value());
  queue.put(1);
  CHECK_FALSE(queue.put(2, 1ms));
  CHECK_FALSE(queue.join(1ms));
  CHECK_FALSE(target.join(1ms));
  CHECK_FALSE(event.wait(1ms));
  CHECK_FALSE(result.wait(1ms));
  CHECK_FALSE(semaphore.acquire(1ms));
  mutex.lock();
  CHECK_FALSE(condition.wait(mutex, 1ms));
  spawn([&mutex] { CHECK_FALSE(mutex.lock(1ms)); }).join();

  CHECK(now() - start == 11ms);
  CHECK(loopStatistics().timers == 0);
  event.set();
  CHECK(target.get(1ms) == 1);
}
