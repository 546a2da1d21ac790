// Deferreds with a canceller.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

void noteFailures(const Deferred<int>& d, std::string& into) {
  d.addErrback([&into](const Failure& failure) {
    into += failure.check<CancelledError>() != nullptr ? "cancelled" : failure.message();
    return -1;
  });
}

}  // namespace

TEST_CASE("a canceller is called once with its Deferred, then it is cancelled [DEFERRED-30]") {
  const ReportedErrors errors;
  int calls = 0;
  bool isThisOne = false;
  bool wasCalled = true;
  Deferred<int> expected = succeed(0);
  const Deferred<int> d([&](const Deferred<int>& self) {
    ++calls;
    isThisOne = self == expected;
    wasCalled = self.isCalled();
  });
  expected = d;
  std::string seen;
  noteFailures(d, seen);

  d.cancel();
  d.cancel();

  CHECK(calls == 1);
  CHECK(isThisOne);
  CHECK_FALSE(wasCalled);
  CHECK(seen == "cancelled");
  CHECK_THROWS_AS(d.callback(1), AlreadyCalledError);
  CHECK_THROWS_AS(d.errback(std::runtime_error("late")), AlreadyCalledError);
}

TEST_CASE("a canceller may fire a value or a failure of its own [DEFERRED-31]") {
  const ReportedErrors errors;
  const Deferred<int> good([](const Deferred<int>& self) { self.callback(4); });
  const Deferred<int> bad(
      [](const Deferred<int>& self) { self.errback(std::runtime_error("aborted")); });
  int value = 0;
  std::string seen;
  good.addCallback([&value](int each) { value = each; });
  noteFailures(bad, seen);

  good.cancel();
  bad.cancel();

  CHECK(value == 4);
  CHECK(seen == "std::runtime_error: aborted");
  CHECK_THROWS_AS(good.callback(5), AlreadyCalledError);
}

TEST_CASE("a canceller may add callbacks, pause and cancel again [DEFERRED-30]") {
  const ReportedErrors errors;
  std::string seen;
  int calls = 0;
  const Deferred<int> d([&](const Deferred<int>& self) {
    ++calls;
    self.pause();
    noteFailures(self, seen);
    self.cancel();
  });

  d.cancel();
  CHECK(seen.empty());
  d.unpause();

  CHECK(calls == 1);
  CHECK(seen == "cancelled");
}

TEST_CASE("what a canceller throws is reported and the Deferred ends as cancelled [DEFERRED-34]") {
  ReportedErrors errors;
  std::string seen;
  const Deferred<int> d([](const Deferred<int>&) { throw std::runtime_error("no way to cancel"); });
  noteFailures(d, seen);

  CHECK_NOTHROW(d.cancel());

  CHECK(seen == "cancelled");
  const std::vector<std::string> reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("canceller") != std::string::npos);
  CHECK(reports[0].find("no way to cancel") != std::string::npos);
}

TEST_CASE("a canceller that fires and then throws leaves its result [DEFERRED-34]") {
  ReportedErrors errors;
  int value = 0;
  const Deferred<int> d([](const Deferred<int>& self) {
    self.callback(4);
    throw std::runtime_error("and yet");
  });
  d.addCallback([&value](int each) { value = each; });

  CHECK_NOTHROW(d.cancel());

  CHECK(value == 4);
  CHECK(errors.take().size() == 1);
}

TEST_CASE("a canceller is gone before the first callback runs [DEFERRED-36]") {
  const ReportedErrors errors;
  for (const std::string how : {"callback", "errback", "cancel"}) {
    CAPTURE(how);
    auto captured = std::make_shared<int>(0);
    const std::weak_ptr<int> watch = captured;
    const Deferred<int> d([captured = std::move(captured)](const Deferred<int>&) {});
    bool isGone = false;
    d.addBoth([&](const Result<int>&) { isGone = watch.expired(); });
    REQUIRE_FALSE(watch.expired());

    if (how == "callback") d.callback(1);
    if (how == "errback") d.errback(std::runtime_error("no luck"));
    if (how == "cancel") d.cancel();

    CHECK(isGone);
  }
}

TEST_CASE("a canceller that was not called goes with its Deferred [DEFERRED-36]") {
  const ReportedErrors errors;
  int calls = 0;
  auto captured = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = captured;

  {
    const Deferred<int> d(
        [captured = std::move(captured), &calls](const Deferred<int>&) { ++calls; });
  }

  CHECK(watch.expired());
  CHECK(calls == 0);
}

TEST_CASE("a canceller that drops the last handle outside ends the Deferred [DEFERRED-30]") {
  const ReportedErrors errors;
  std::string seen;
  std::unique_ptr<Deferred<int>> d;
  d = std::make_unique<Deferred<int>>([&d](const Deferred<int>&) { d.reset(); });
  noteFailures(*d, seen);

  const Deferred<int>* const handle = d.get();
  handle->cancel();

  CHECK(seen == "cancelled");
}

TEST_CASE("a canceller may drop and cancel other Deferreds [DEFERRED-30]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> dropped;
  const Deferred<int> cancelled;
  dropped.addErrback<BrokenDeferredError>([&log](const BrokenDeferredError&) {
    log += "broken ";
    return 0;
  });
  noteFailures(cancelled, log);
  const Deferred<int> d([&](const Deferred<int>&) {
    dropped = succeed(0);
    cancelled.cancel();
    log += " and ";
  });
  noteFailures(d, log);

  d.cancel();

  CHECK(log == "broken cancelled and cancelled");
}

TEST_CASE("a canceller that answers later leaves the end to the work [DEFERRED-123]") {
  const ReportedErrors errors;
  int calls = 0;
  const Deferred<int> d([&calls](const Deferred<int>&) {
    ++calls;
    return CancelAnswer::later;
  });
  int value = 0;
  d.addCallback([&value](int each) { value = each; });

  d.cancel();
  d.cancel();
  CHECK(calls == 2);
  CHECK_FALSE(d.isCalled());
  d.callback(6);

  CHECK(value == 6);
  CHECK_THROWS_AS(d.callback(7), AlreadyCalledError);
}

TEST_CASE("an outer Deferred ends when an inner canceller's work has ended [DEFERRED-123]") {
  const ReportedErrors errors;
  const Deferred<int> inner([](const Deferred<int>&) { return CancelAnswer::later; });
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return inner; });
  std::string seen;
  noteFailures(outer, seen);

  outer.cancel();
  CHECK(seen.empty());
  inner.errback(std::runtime_error("cleaned up"));

  CHECK(seen == "std::runtime_error: cleaned up");
}
