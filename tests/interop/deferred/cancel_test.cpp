// cancel() of Deferreds without a canceller, and of those that wait.
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

// Adds an errback that notes what came, and swallows it.
void noteFailures(const Deferred<int>& d, std::string& into) {
  d.addErrback([&into](const Failure& failure) {
    into += failure.check<CancelledError>() != nullptr ? "cancelled" : failure.message();
    return -1;
  });
}

}  // namespace

TEST_CASE("cancelling an unfired Deferred fails it within the call [DEFERRED-27] [DEFERRED-37]") {
  const ReportedErrors errors;
  std::string seen;
  const Deferred<int> d;
  noteFailures(d, seen);

  d.cancel();

  CHECK(seen == "cancelled");
  CHECK(d.isCalled());
}

TEST_CASE("one fire after a cancel is dropped, and the next is refused [DEFERRED-28]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    CAPTURE(fails);
    std::string seen;
    int values = 0;
    const Deferred<int> d;
    noteFailures(d, seen);
    d.addCallback([&values](int) { return ++values; });
    d.cancel();

    fails ? d.errback(std::runtime_error("late")) : d.callback(1);

    CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);
    CHECK_THROWS_AS(d.errback(std::runtime_error("later")), AlreadyCalledError);
    CHECK(seen == "cancelled");
    CHECK(values == 1);
  }
}

TEST_CASE("cancelling again is harmless and drops no second fire [DEFERRED-29]") {
  const ReportedErrors errors;
  std::string seen;
  const Deferred<int> d;
  noteFailures(d, seen);

  d.cancel();
  d.cancel();
  d.callback(1);
  d.cancel();

  CHECK_THROWS_AS(d.callback(2), AlreadyCalledError);
  CHECK(seen == "cancelled");
}

TEST_CASE("cancelling a fired Deferred does nothing [DEFERRED-32] [DEFERRED-38]") {
  const ReportedErrors errors;
  int cancels = 0;
  const auto canceller = [&cancels](const Deferred<int>&) { ++cancels; };
  const Deferred<int> fired(canceller);
  const Deferred<int> failed(canceller);
  fired.callback(1);
  failed.errback(std::runtime_error("no luck"));

  CHECK_NOTHROW(fired.cancel());
  CHECK_NOTHROW(failed.cancel());

  int value = 0;
  std::string seen;
  fired.addCallback([&value](int each) { value = each; });
  noteFailures(failed, seen);
  CHECK(cancels == 0);
  CHECK(value == 1);
  CHECK(seen == "std::runtime_error: no luck");
  CHECK_THROWS_AS(fired.callback(2), AlreadyCalledError);
}

TEST_CASE("a cancel goes to the innermost of a nest, and its outcome comes back [DEFERRED-33]") {
  const ReportedErrors errors;
  int outerCancels = 0;
  int innerCancels = 0;
  const Deferred<int> innermost([&](const Deferred<int>& self) {
    ++innerCancels;
    self.errback(std::runtime_error("aborted"));
  });
  const Deferred<int> middle = succeed(0).addCallback([&](int) { return innermost; });
  const Deferred<int> outer([&](const Deferred<int>&) { ++outerCancels; });
  outer.addCallback([&](int) { return middle; });
  std::string seen;
  noteFailures(outer, seen);
  outer.callback(0);

  outer.cancel();

  CHECK(innerCancels == 1);
  CHECK(outerCancels == 0);
  CHECK(seen == "std::runtime_error: aborted");
}

TEST_CASE("the late result of an inner Deferred that was cancelled is dropped [DEFERRED-33]") {
  const ReportedErrors errors;
  std::string seen;
  const Deferred<int> inner;
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return inner; });
  noteFailures(outer, seen);

  outer.cancel();
  CHECK_NOTHROW(inner.callback(1));

  CHECK(seen == "cancelled");
  CHECK_THROWS_AS(inner.callback(2), AlreadyCalledError);
}

TEST_CASE("an inner canceller that makes a value turns the cancel into success [DEFERRED-33]") {
  const ReportedErrors errors;
  const Deferred<int> inner([](const Deferred<int>& self) { self.callback(8); });
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return inner; });
  int seen = 0;
  outer.addCallback([&seen](int value) { seen = value; });

  outer.cancel();

  CHECK(seen == 8);
}

TEST_CASE(
    "after a swallowed cancel the next Deferred of the chain can be cancelled [DEFERRED-33]") {
  const ReportedErrors errors;
  const Deferred<int> first;
  const Deferred<int> second;
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return first; });
  outer.addErrback([&](const Failure&) { return second; });
  std::string seen;
  noteFailures(outer, seen);

  outer.cancel();
  CHECK(seen.empty());
  CHECK_FALSE(second.isCalled());
  outer.cancel();

  CHECK(second.isCalled());
  CHECK(seen == "cancelled");
}

TEST_CASE("a cancel within a running callback of the Deferred does nothing [DEFERRED-35]") {
  const ReportedErrors errors;
  const Deferred<int> later;
  const Deferred<int> d;
  int seen = 0;
  d.addCallback([&](int value) {
    d.cancel();
    return value;
  });
  d.addCallback([&](int) {
    d.cancel();
    return later;
  });
  d.addCallback([&seen](int value) { seen = value; });

  d.callback(1);
  CHECK_FALSE(later.isCalled());
  later.callback(2);

  CHECK(seen == 2);
}

TEST_CASE("a cancel of one that is paused after it was fired does nothing [DEFERRED-35]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  int seen = 0;
  d.addCallback([&seen](int value) { seen = value; });
  d.pause();
  d.callback(1);

  d.cancel();
  d.unpause();

  CHECK(seen == 1);
}

TEST_CASE("cancel() returns before an errback's own Deferred has fired [DEFERRED-37]") {
  const ReportedErrors errors;
  std::string log;
  const Deferred<int> cleanup;
  const Deferred<int> d;
  d.addErrback([&](const Failure&) {
    log += "errback ";
    return cleanup;
  });
  d.addCallback([&](int) { log += "after "; });

  d.cancel();
  log += "returned ";
  cleanup.callback(0);

  CHECK(log == "errback returned after ");
}

TEST_CASE("a cancel is never an error for what is done, taken or broken [DEFERRED-38]") {
  const ReportedErrors errors;
  const Deferred<int> taken = succeed(1);
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return taken; });
  const Deferred<int> spent;
  const Deferred<void> after = spent.addCallback([](int) {});
  spent.callback(1);

  CHECK_NOTHROW(taken.cancel());
  CHECK_NOTHROW(outer.cancel());
  CHECK_NOTHROW(spent.cancel());
  CHECK_NOTHROW(after.cancel());
}
