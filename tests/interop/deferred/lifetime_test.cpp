// How chains end, and when what they own is destroyed.
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

template <class T>
void noteBroken(const Deferred<T>& d, std::string& into) {
  d.addBoth([&into](const Result<T>& result) {
    const bool isBroken =
        !result.isValue() && result.failure().template check<BrokenDeferredError>() != nullptr;
    into += isBroken ? "broken " : "? ";
  });
}

}  // namespace

TEST_CASE("without a loop a Deferred breaks when its last handle goes [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  noteBroken(d, log);
  Deferred<int> copy = d;

  d = succeed(0);
  CHECK(log.empty());
  copy = succeed(0);

  CHECK(log == "broken ");
}

TEST_CASE("on a loop a Deferred breaks in a turn of its own [DEFERRED-110]") {
  LoopScope scope;
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  noteBroken(d, log);

  d = succeed(0);
  CHECK(log.empty());
  scope.settle();

  CHECK(log == "broken ");
}

TEST_CASE("the broken error names the Deferred [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string text;
  Deferred<int> d;
  const std::string place = "lifetime_test.cpp:" + std::to_string(__LINE__ - 1);
  d.addErrback<BrokenDeferredError>([&text](const BrokenDeferredError& error) {
    text = error.what();
    return 0;
  });

  d = succeed(0);

  CHECK(text.find(place) != std::string::npos);
}

TEST_CASE("whoever waits for a dropped Deferred sees it broken [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> inner;
  const Deferred<int> outer;
  outer.addCallback([held = inner](int) mutable { return std::move(held); });
  noteBroken(outer, log);
  outer.callback(0);
  CHECK(log.empty());

  inner = succeed(0);

  CHECK(log == "broken ");
}

TEST_CASE("a callback that returns the last handle of an unfired one breaks [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  const Deferred<int> outer;
  outer.addCallback([](int) { return Deferred<int>(); });
  noteBroken(outer, log);

  outer.callback(0);

  CHECK(log == "broken ");
}

TEST_CASE("an outer Deferred needs no handle while it waits [DEFERRED-110]") {
  const ReportedErrors errors;
  int seen = 0;
  const Deferred<int> inner;
  {
    const Deferred<int> outer = succeed(0).addCallback([&](int) { return inner; });
    outer.addCallback([&seen](int value) { seen = value; });
  }

  inner.callback(4);

  CHECK(seen == 4);
}

TEST_CASE("a canceller is not called for a Deferred that breaks [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  {
    const Deferred<int> d([&log](const Deferred<int>&) { log += "cancelled "; });
    noteBroken(d, log);
  }

  CHECK(log == "broken ");
}

TEST_CASE("one that is paused for ever breaks too, and its value goes [DEFERRED-110]") {
  const ReportedErrors errors;
  std::string log;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = value;
  Deferred<std::shared_ptr<int>> d;
  noteBroken(d, log);
  d.pause();
  d.callback(std::move(value));
  CHECK_FALSE(watch.expired());

  d = Deferred<std::shared_ptr<int>>();

  CHECK(log == "broken ");
  CHECK(watch.expired());
}

TEST_CASE("a broken Deferred that nobody handles is reported [DEFERRED-110] [DEFERRED-39]") {
  ReportedErrors errors;
  {
    const Deferred<int> d;
    d.addCallback([](int value) { return value; });
  }

  const std::vector<std::string> reports = errors.take();

  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("BrokenDeferredError") != std::string::npos);
}

TEST_CASE("a Deferred that nobody added to goes in silence [DEFERRED-110]") {
  ReportedErrors errors;
  {
    const Deferred<int> d;
  }

  CHECK(errors.take().empty());
}

TEST_CASE("a broken chain goes on as its errbacks say, over a pending one too [DEFERRED-110]") {
  LoopScope scope;
  const ReportedErrors errors;
  const Deferred<int> pending;
  int seen = 0;
  {
    const Deferred<int> d;
    d.addErrback([&pending](const Failure&) { return pending; });
    d.addCallback([&seen](int value) { seen = value; });
  }
  scope.settle();

  pending.callback(6);

  CHECK(seen == 6);
}

TEST_CASE("what was dropped breaks before its loop is gone [DEFERRED-110]") {
  std::string log;
  {
    LoopScope scope;
    const Deferred<int> d;
    noteBroken(d, log);
  }

  CHECK(log == "broken ");
}
