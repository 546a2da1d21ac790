// When callbacks are destroyed, and what they may destroy themselves.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

TEST_CASE("a callback is destroyed when it has run, not with its chain [DEFERRED-112]") {
  const ReportedErrors errors;
  auto first = std::make_shared<int>(0);
  auto skipped = std::make_shared<int>(0);
  bool isGone = false;
  const Deferred<int> d;
  d.addCallback([first](int value) { return value; });
  d.addErrback([skipped](const Failure&) { return 0; });
  d.addCallback([&](int) { isGone = first.use_count() == 1 && skipped.use_count() == 1; });
  CHECK(first.use_count() == 2);

  d.callback(1);

  CHECK(isGone);
}

TEST_CASE("a callback that throws is destroyed before the next one runs [DEFERRED-112]") {
  const ReportedErrors errors;
  auto captured = std::make_shared<int>(0);
  long uses = 0;
  const Deferred<int> d;
  d.addCallback([captured](int) -> int { throw std::runtime_error("no luck"); });
  d.addErrback([&](const Failure&) {
    uses = captured.use_count();
    return 0;
  });

  d.callback(1);

  CHECK(uses == 1);
}

TEST_CASE("callbacks that wait are destroyed with their chain, after they broke [DEFERRED-112]") {
  const ReportedErrors errors;
  auto captured = std::make_shared<int>(0);
  {
    const Deferred<int> d;
    d.addCallback([captured](int value) { return value; });
    d.addErrback([captured](const Failure&) { return 0; });
    CHECK(captured.use_count() == 3);
  }

  CHECK(captured.use_count() == 1);
}

TEST_CASE("a callback may drop the last handle of its own Deferred [DEFERRED-114]") {
  const ReportedErrors errors;
  std::string log;
  auto d = std::make_unique<Deferred<int>>();
  d->addCallback([&](int value) {
    d.reset();
    log += "a";
    return value + 1;
  });
  d->addCallback([&](int value) { return log += std::to_string(value), value; });

  d->callback(1);

  CHECK(log == "a2");
}

TEST_CASE("a late callback may drop the handle that it was added through [DEFERRED-114]") {
  const ReportedErrors errors;
  int seen = 0;
  auto d = std::make_unique<Deferred<int>>(succeed(3));

  d->addCallback([&](int value) {
    d.reset();
    seen = value;
    return value;
  });

  CHECK(seen == 3);
}

TEST_CASE("a Deferred without handles may still wait for another one [DEFERRED-114]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> inner;
  auto d = std::make_unique<Deferred<int>>();
  d->addCallback([&](int) {
    d.reset();
    return inner;
  });
  d->addCallback([&](int value) { log += std::to_string(value); });
  d->callback(1);
  CHECK(log.empty());

  inner.callback(7);

  CHECK(log == "7");
}
