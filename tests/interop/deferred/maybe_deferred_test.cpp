// From functions to Deferreds.
#include "plait/maybe_deferred.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/cancellation.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

class StopRequest final : public Cancellation {
 public:
  const char* reason() const noexcept override { return "stopped by the test"; }
};

std::string outcomeOf(const Deferred<int>& d) {
  const auto text = std::make_shared<std::string>("-");
  d.addBoth([text](const Result<int>& result) {
    *text = result ? std::to_string(result.value()) : result.failure().message();
    return 0;
  });
  return *text;
}

Deferred<int> doubled(Deferred<int> number) { co_return 2 * co_await number; }

}  // namespace

TEST_CASE("maybeDeferred() makes a Deferred of what a function returns [DEFERRED-46]") {
  const ReportedErrors errors;

  CHECK(outcomeOf(maybeDeferred([] { return 1; })) == "1");
  CHECK(outcomeOf(maybeDeferred([](int a, int b) { return a + b; }, 2, 3)) == "5");
  CHECK(outcomeOf(maybeDeferred([]() -> Result<int> { return 4; })) == "4");
  CHECK(maybeDeferred([] {}).isCalled());
  const auto moved =
      maybeDeferred([](std::unique_ptr<int> each) { return each; }, std::make_unique<int>(6));
  int seen = 0;
  moved.addCallback([&seen](const std::unique_ptr<int>& each) { seen = *each; });
  CHECK(seen == 6);
}

TEST_CASE("maybeDeferred() makes a failed one of what a function throws [DEFERRED-46]") {
  const ReportedErrors errors;
  const auto throwing = []() -> int { throw std::runtime_error("no luck"); };
  const auto failing = []() -> Result<int> { return Failure(std::runtime_error("no luck")); };
  const auto never = []() -> Deferred<int> { throw std::runtime_error("no luck"); };

  CHECK(outcomeOf(maybeDeferred(throwing)) == "std::runtime_error: no luck");
  CHECK(outcomeOf(maybeDeferred(failing)) == "std::runtime_error: no luck");
  CHECK(outcomeOf(maybeDeferred(never)) == "std::runtime_error: no luck");
  CHECK_THROWS_AS(maybeDeferred([]() -> int { throw StopRequest(); }), StopRequest);
}

TEST_CASE("maybeDeferred() passes a function's own Deferred on as it is [DEFERRED-46]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const Deferred<int> bad = fail<int>(std::runtime_error("no luck"));

  CHECK(maybeDeferred([&d] { return d; }) == d);
  CHECK(maybeDeferred([&bad] { return bad; }) == bad);
  CHECK(outcomeOf(bad) == "std::runtime_error: no luck");
}

TEST_CASE("a coroutine's Deferred is what maybeDeferred() makes of it [DEFERRED-46]") {
  const ReportedErrors errors;
  const Deferred<int> number;

  const Deferred<int> called = maybeDeferred(doubled, number);
  const Deferred<int> failed = maybeDeferred(doubled, fail<int>(std::runtime_error("no luck")));
  CHECK_FALSE(called.isCalled());
  number.callback(4);

  CHECK(outcomeOf(called) == "8");
  CHECK(outcomeOf(failed) == "std::runtime_error: no luck");
}

TEST_CASE("LogError reports the failure and leaves it unhandled [DEFERRED-48]") {
  ReportedErrors errors;
  {
    const Deferred<int> d = fail<int>(std::runtime_error("no luck"));
    d.addErrback(LogError{"looking up"});
    const Deferred<int> handled = fail<int>(std::runtime_error("once"));
    handled.addErrback(LogError()).addErrback([](const Failure&) { return 0; });
  }

  const std::vector<std::string> reports = errors.take();

  REQUIRE(reports.size() == 3);
  CHECK(reports[0] == "looking up: std::runtime_error: no luck");
  CHECK(reports[1] == "logError: std::runtime_error: once");
  CHECK(reports[2].find("unhandled") != std::string::npos);
}
