// DeferredSemaphore, DeferredLock and the permits of coroutines.
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"
#include "plait/deferred_semaphore.h"

using namespace plait;
using namespace plait::test;

namespace {

using Acquired = Deferred<std::reference_wrapper<DeferredSemaphore>>;

}  // namespace

TEST_CASE("a free lock is acquired at once and hands itself over [DEFERRED-72]") {
  const ReportedErrors errors;
  DeferredLock lock;
  const DeferredSemaphore* seen = nullptr;

  lock.acquire().addCallback([&seen](DeferredSemaphore& acquired) { seen = &acquired; });

  CHECK(seen == &lock);
  CHECK(lock.isLocked());
}

TEST_CASE("permits are handed out in the order of asking [DEFERRED-72] [DEFERRED-73]") {
  const ReportedErrors errors;
  DeferredSemaphore semaphore(2);
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    semaphore.acquire().addCallback([&order, name](auto&&) { order += name; });
  }
  CHECK(order == "ab");
  CHECK(semaphore.tokens() == 0);
  CHECK(semaphore.waiting() == 2);

  semaphore.release();
  CHECK(order == "abc");
  semaphore.release();

  CHECK(order == "abcd");
  CHECK(semaphore.tokens() == 0);
}

TEST_CASE("a released lock is never free while somebody waits [DEFERRED-73]") {
  const ReportedErrors errors;
  DeferredLock lock;
  lock.acquire();
  bool wasLocked = false;
  bool overtook = false;
  lock.acquire().addCallback([&](auto&&) {
    wasLocked = lock.isLocked();
    lock.acquire().addCallback([&overtook](auto&&) { overtook = true; });
  });

  lock.release();

  CHECK(wasLocked);
  CHECK_FALSE(overtook);
  lock.release();
  CHECK(overtook);
}

TEST_CASE("a hundred thousand waiters that release in turn cost no stack [DEFERRED-73]") {
  const ReportedErrors errors;
  constexpr int kWaiters = 100'000;
  DeferredLock lock;
  lock.acquire();
  int served = 0;
  for (int i = 0; i < kWaiters; ++i) {
    lock.acquire().addCallback([&served](DeferredSemaphore& mine) {
      ++served;
      mine.release();
    });
  }

  lock.release();

  CHECK(served == kWaiters);
  CHECK_FALSE(lock.isLocked());
}

TEST_CASE("a nested release is served when its callback is done [DEFERRED-73]") {
  const ReportedErrors errors;
  DeferredLock lock;
  lock.acquire();
  std::string log;
  lock.acquire().addCallback([&log](DeferredSemaphore& mine) {
    log += "a(";
    mine.release();
    log += ")";
  });
  lock.acquire().addCallback([&log](auto&&) { log += "b"; });

  lock.release();

  CHECK(log == "a()b");
}

TEST_CASE("a release too many and a semaphore of nothing are refused [DEFERRED-74]") {
  DeferredLock lock;
  DeferredSemaphore semaphore(2);
  semaphore.acquire();
  semaphore.release();

  CHECK_THROWS_AS(lock.release(), std::logic_error);
  CHECK_THROWS_AS(semaphore.release(), std::logic_error);
  CHECK_THROWS_AS(DeferredSemaphore(0), std::invalid_argument);
  CHECK(semaphore.tokens() == 2);
}

TEST_CASE("a cancelled waiter leaves the line, and no permit goes to it [DEFERRED-76]") {
  const ReportedErrors errors;
  DeferredSemaphore semaphore(1);
  semaphore.acquire();
  std::string log;
  const Acquired cancelled = semaphore.acquire();
  const Acquired next = semaphore.acquire();
  const auto note = [&log](const char* name) {
    return [&log, name](const Result<std::reference_wrapper<DeferredSemaphore>>& result) {
      log += name;
      log += result.isValue() ? "+ " : result.failure().check<CancelledError>() ? "- " : "? ";
    };
  };
  cancelled.addBoth(note("first"));
  next.addBoth(note("second"));

  cancelled.cancel();
  CHECK(semaphore.waiting() == 1);
  semaphore.release();
  semaphore.release();

  CHECK(log == "first- second+ ");
  CHECK(semaphore.tokens() == 1);
}

TEST_CASE("a cancel after the acquisition changes nothing [DEFERRED-77]") {
  const ReportedErrors errors;
  DeferredLock lock;
  const Acquired atOnce = lock.acquire();
  const Acquired later = lock.acquire();

  atOnce.cancel();
  CHECK(lock.isLocked());
  lock.release();
  later.cancel();

  CHECK(lock.isLocked());
}

TEST_CASE("a waiter may outlive its semaphore and be cancelled then [DEFERRED-76]") {
  const ReportedErrors errors;
  std::optional<DeferredSemaphore> semaphore(std::in_place, 1);
  semaphore->acquire();
  const Acquired waiting = semaphore->acquire();
  semaphore.reset();
  bool failed = false;
  waiting.addBoth([&failed](const auto& result) { failed = !result.isValue(); });

  waiting.cancel();

  CHECK(failed);
}

namespace {

Deferred<void> hold(DeferredSemaphore& semaphore, Deferred<void> until) {
  const DeferredPermit permit = co_await semaphore.hold();
  co_await until;
}

}  // namespace

TEST_CASE("a coroutine's permit goes with its scope, an exception goes on [DEFERRED-81]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    CAPTURE(fails);
    DeferredLock lock;
    const Deferred<void> until;
    std::string seen = "fine";
    const Deferred<void> done = hold(lock, until);
    done.addErrback([&seen](const Failure& failure) { seen = failure.message(); });
    CHECK(lock.isLocked());

    if (fails) {
      until.errback(std::runtime_error("no"));
    } else {
      until.callback();
    }

    CHECK_FALSE(lock.isLocked());
    CHECK(seen == (fails ? "std::runtime_error: no" : "fine"));
  }
}

TEST_CASE("a coroutine cancelled in line takes no permit [DEFERRED-76] [DEFERRED-81]") {
  const ReportedErrors errors;
  DeferredLock lock;
  lock.acquire();
  bool cancelled = false;
  const Deferred<void> done = hold(lock, succeed());
  done.addErrback<CancelledError>([&cancelled](const CancelledError&) { cancelled = true; });

  done.cancel();
  lock.release();

  CHECK(cancelled);
  CHECK_FALSE(lock.isLocked());
}
