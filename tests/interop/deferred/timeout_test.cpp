// addTimeout(), on a Clock.
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/time_source.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

std::string textOf(const Result<int>& result) {
  if (result) return std::to_string(result.value());
  if (result.failure().check<CancelledError>() != nullptr) return "cancelled";
  if (result.failure().check<TimeoutError>() != nullptr) return "timed out";
  return result.failure().message();
}
void note(const Deferred<int>& d, std::string& into) {
  d.addBoth([&into](const Result<int>& result) {
    into += textOf(result);
    return 0;
  });
}

}  // namespace

TEST_CASE("addTimeout() returns the Deferred it was called on [DEFERRED-51]") {
  const ReportedErrors errors;
  Clock clock;
  const Deferred<int> d;

  const Deferred<int>& same = d.addTimeout(10s, clock);
  const Deferred<int> moved = Deferred<int>(d).addTimeout(10s, clock);

  CHECK(&same == &d);
  CHECK(moved == d);
  CHECK_NOTHROW(d.addCallback([](int value) { return value; }));
  d.callback(1);
}

TEST_CASE("a result before the timeout ends the timer and passes [DEFERRED-52]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    for (const bool custom : {false, true}) {
      CAPTURE(fails);
      CAPTURE(custom);
      Clock clock;
      int cancels = 0;
      int customs = 0;
      std::string seen;
      const Deferred<int> later([&cancels](const Deferred<int>&) { ++cancels; });
      const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
      const auto onTimeout = [&customs](Result<int> result, Duration) {
        ++customs;
        return result;
      };
      custom ? d.addTimeout(10s, onTimeout, clock) : d.addTimeout(10s, clock);
      note(d, seen);
      d.addCallback([&later](int) { return later; });
      CHECK(clock.pending() == 1);
      clock.advance(9s);

      fails ? d.errback(std::runtime_error("no luck")) : d.callback(1);

      CHECK(seen == (fails ? "std::runtime_error: no luck" : "1"));
      CHECK(clock.pending() == 0);
      clock.advance(20s);
      CHECK(cancels == 0);
      CHECK(customs == 0);
      later.callback(0);
    }
  }
}

TEST_CASE("a timeout of one that has fired is no timeout [DEFERRED-52]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  const Deferred<int> d = succeed(2);

  note(d.addTimeout(0s, clock), seen);

  CHECK(seen == "2");
  CHECK(clock.pending() == 0);
}

TEST_CASE("at its expiry a Deferred is cancelled and fails with TimeoutError [DEFERRED-53]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  const Deferred<int> d;
  d.addTimeout(10s, clock);
  d.addErrback<TimeoutError>([&seen](const TimeoutError& error) {
    seen = error.what();
    return 0;
  });

  clock.advance(10s - 1ns);
  CHECK(seen.empty());
  clock.advance(1ns);

  CHECK(seen.find("10") != std::string::npos);
  CHECK_NOTHROW(d.callback(1));
  CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);
}

TEST_CASE("a function of its own decides what an expired one becomes [DEFERRED-54]") {
  const ReportedErrors errors;
  for (const bool succeeds : {false, true}) {
    CAPTURE(succeeds);
    Clock clock;
    std::string log;
    const Deferred<int> d([succeeds](const Deferred<int>& self) {
      if (succeeds) self.callback(7);
    });
    d.addTimeout(
        10s,
        [&log](const Result<int>& result, Duration timeout) {
          log += textOf(result) + (timeout == 10s ? " after 10 s, " : " after?, ");
          return 42;
        },
        clock);
    note(d, log);

    clock.advance(10s);

    CHECK(log == (succeeds ? "7 after 10 s, 42" : "cancelled after 10 s, 42"));
  }
}

TEST_CASE("a function of its own may fail the Deferred by a throw [DEFERRED-54]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  const Deferred<int> d;
  d.addTimeout(
      1s, [](const Result<int>&, Duration) -> int { throw std::runtime_error("too late"); }, clock);
  note(d, seen);

  clock.advance(1s);

  CHECK(seen == "std::runtime_error: too late");
}

TEST_CASE("what the canceller makes of an expiry is passed on [DEFERRED-55]") {
  const ReportedErrors errors;
  Clock clock;
  std::string good;
  std::string bad;
  const Deferred<int> succeeds([](const Deferred<int>& self) { self.callback(7); });
  const Deferred<int> fails(
      [](const Deferred<int>& self) { self.errback(std::runtime_error("aborted")); });
  note(succeeds.addTimeout(1s, clock), good);
  note(fails.addTimeout(1s, clock), bad);

  clock.advance(1s);

  CHECK(good == "7");
  CHECK(bad == "std::runtime_error: aborted");
}

TEST_CASE("a cancel by hand stays a cancel, and ends the timer [DEFERRED-56]") {
  const ReportedErrors errors;
  for (const bool custom : {false, true}) {
    CAPTURE(custom);
    Clock clock;
    int customs = 0;
    std::string seen;
    const Deferred<int> d;
    const auto onTimeout = [&customs](const Result<int>&, Duration) { return ++customs; };
    custom ? d.addTimeout(10s, onTimeout, clock) : d.addTimeout(10s, clock);
    note(d, seen);
    clock.advance(5s);

    d.cancel();

    CHECK(seen == "cancelled");
    CHECK(clock.pending() == 0);
    CHECK(customs == 0);
  }
}
