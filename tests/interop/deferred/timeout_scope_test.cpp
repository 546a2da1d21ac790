// What a timeout covers.
#include <chrono>
#include <stdexcept>
#include <string>
#include <type_traits>
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

static_assert(!std::is_base_of_v<TimeoutError, CancelledError>);
static_assert(!std::is_base_of_v<CancelledError, TimeoutError>);

}  // namespace

TEST_CASE("an errback before the timeout sees the cancel and may swallow it [DEFERRED-57]") {
  const ReportedErrors errors;
  for (const bool swallows : {false, true}) {
    CAPTURE(swallows);
    Clock clock;
    std::string log;
    const Deferred<int> d;
    d.addErrback([&log, swallows](const Failure& failure) -> int {
      log += "before: " + textOf(failure) + ", ";
      if (swallows) return 5;
      failure.raise();
    });
    d.addTimeout(10s, clock);
    note(d, log);

    clock.advance(10s);

    CHECK(log == (swallows ? "before: cancelled, 5" : "before: cancelled, timed out"));
  }
}

TEST_CASE("a timeout covers a Deferred returned before its place and none after [DEFERRED-57]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  const Deferred<int> before;
  const Deferred<int> after;
  const Deferred<int> d;
  d.addCallback([&](int) { return before; });
  d.addTimeout(10s, clock);
  d.addCallback([&](int) { return after; });
  note(d, seen);
  d.callback(0);
  CHECK(clock.pending() == 1);

  before.callback(1);
  CHECK(clock.pending() == 0);
  clock.advance(20s);
  CHECK_FALSE(after.isCalled());
  after.callback(2);

  CHECK(seen == "2");
}

TEST_CASE("of two timeouts the shorter one ends the Deferred [DEFERRED-57]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  const Deferred<int> d;
  d.addTimeout(5s, clock);
  d.addTimeout(2s, clock);
  note(d, seen);

  clock.advance(2s);

  CHECK(seen == "timed out");
  CHECK(clock.pending() == 0);
}

TEST_CASE("at the expiry the Deferred that is waited for is cancelled [DEFERRED-58]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  int cancels = 0;
  const Deferred<int> inner([&cancels](const Deferred<int>&) { ++cancels; });
  const Deferred<int> d = succeed(0).addCallback([&](int) { return inner; });
  note(d.addTimeout(3s, clock), seen);

  clock.advance(3s);

  CHECK(cancels == 1);
  CHECK(seen == "timed out");
}

TEST_CASE("a handler for a timeout lets a cancel pass, and the other way [DEFERRED-59]") {
  const ReportedErrors errors;
  Clock clock;
  std::string log;
  const Deferred<int> cancelled;
  const Deferred<int> expired;
  cancelled.addErrback<TimeoutError>([&log](const TimeoutError&) { return log += "!", 0; });
  note(cancelled, log);
  expired.addTimeout(1s, clock);
  expired.addErrback<CancelledError>([&log](const CancelledError&) { return log += "!", 0; });
  note(expired, log);

  cancelled.cancel();
  clock.advance(1s);

  CHECK(log == "cancelledtimed out");
}

TEST_CASE("a Deferred that goes with its timeout pending ends the timer [DEFERRED-52]") {
  const ReportedErrors errors;
  Clock clock;
  std::string seen;
  Deferred<int> d;
  d.addTimeout(1s, clock);
  note(d, seen);

  d = succeed(0);

  CHECK(seen.find("BrokenDeferredError") != std::string::npos);
  CHECK(clock.pending() == 0);
}

TEST_CASE("a timeout through a spent handle is refused and leaves no timer [DEFERRED-102]") {
  const ReportedErrors errors;
  Clock clock;
  const Deferred<int> d;
  const Deferred<void> after = d.addCallback([](int) {});

  CHECK_THROWS_AS(d.addTimeout(1s, clock), AlreadyChainedError);

  CHECK(clock.pending() == 0);
  d.callback(1);
}

TEST_CASE("without a clock a timeout runs on the loop's time [DEFERRED-53]") {
  LoopScope scope;
  const ReportedErrors errors;
  std::string seen;
  const Deferred<int> d;
  note(d.addTimeout(3600s), seen);

  scope.runUntil([&seen] { return !seen.empty(); });

  CHECK(seen == "timed out");
}
