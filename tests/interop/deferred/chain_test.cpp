// The order in which callbacks run, and which of them.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/cancellation.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

using Log = std::vector<std::string>;

class StopRequest final : public Cancellation {
 public:
  const char* reason() const noexcept override { return "stopped by the test"; }
};

}  // namespace

TEST_CASE("callbacks run in the order added, each with the result of the one before [DEFERRED-1]") {
  const ReportedErrors errors;
  Log log;
  Deferred<int> d;
  d.addCallback([&log](int value) {
    log.push_back("first " + std::to_string(value));
    return value + 1;
  });
  d.addCallback([&log](int value) {
    log.push_back("second " + std::to_string(value));
    return value;
  });

  d.callback(1);

  CHECK(log == Log{"first 1", "second 2"});
}

TEST_CASE("a pair runs one of its two, and what the first throws goes to the next [DEFERRED-2]") {
  const ReportedErrors errors;
  Log log;
  const auto pair = [&log](const Deferred<int>& d, const std::string& name) {
    d.addCallbacks(
        [&log, name](int value) -> int {
          log.push_back(name + " value");
          if (value == 1) throw std::runtime_error("one");
          return value;
        },
        [&log, name](const Failure& failure) {
          log.push_back(name + " " + failure.message());
          return 2;
        });
  };
  Deferred<int> d;
  pair(d, "a");
  pair(d, "b");
  pair(d, "c");

  d.callback(1);

  CHECK(log == Log{"a value", "b std::runtime_error: one", "c value"});
}

TEST_CASE("a single function lets the other outcome pass [DEFERRED-3] [DEFERRED-4]") {
  const ReportedErrors errors;
  for (const bool fails : {false, true}) {
    CAPTURE(fails);
    Log log;
    Deferred<int> d;
    d.addErrback([&log](const Failure& failure) -> int {
      log.push_back("errback");
      failure.raise();
    });
    d.addCallback([&log](int value) {
      log.push_back("callback");
      return value;
    });
    d.addBoth([&log](Result<int> result) {
      log.push_back("both");
      return result;
    });
    Result<int> end = 0;
    d.addBoth([&end](Result<int> result) { end = std::move(result); });

    if (fails) d.errback(std::runtime_error("no luck"));
    if (!fails) d.callback(5);

    CHECK(log == Log{fails ? "errback" : "callback", "both"});
    CHECK(end.isValue() == !fails);
    if (end) CHECK(end.value() == 5);
    if (!end) CHECK(end.failure().message() == "std::runtime_error: no luck");
  }
}

TEST_CASE("what is passed over keeps the identity of value and exception [DEFERRED-4]") {
  const ReportedErrors errors;
  const auto error = std::make_exception_ptr(std::runtime_error("the one"));
  std::exception_ptr seen;
  auto value = std::make_shared<int>(1);
  std::shared_ptr<int> got;
  Deferred<std::shared_ptr<int>> failed;
  Deferred<std::shared_ptr<int>> fired;
  const auto pass = [](std::shared_ptr<int> each) { return each; };
  const auto catching = [](const Failure&) { return std::make_shared<int>(0); };
  failed.addCallback(pass).addCallback(pass).addErrback([&seen](const Failure& failure) {
    seen = failure.exception();
    return std::make_shared<int>(0);
  });
  fired.addErrback(catching).addErrback(catching).addCallback(
      [&got](std::shared_ptr<int> each) { got = std::move(each); });

  failed.errback(error);
  fired.callback(value);

  CHECK(seen == error);
  CHECK(got == value);
}

TEST_CASE("an errback that returns a value brings the chain back to success [DEFERRED-5]") {
  const ReportedErrors errors;
  int seen = 0;
  Deferred<int> d;
  d.addErrback([](const Failure&) { return 7; });
  d.addCallback([&seen](int value) { return seen = value; });

  d.errback(std::runtime_error("no luck"));

  CHECK(seen == 7);
}

TEST_CASE("an errback that throws, or returns a failure, replaces the failure [DEFERRED-5]") {
  const ReportedErrors errors;
  Log log;
  Deferred<int> d;
  d.addErrback([](const Failure&) -> int { throw std::runtime_error("second"); });
  d.addErrback([&log](const Failure& failure) {
    log.push_back(failure.message());
    return Failure(std::logic_error("third"));
  });
  d.addErrback([&log](const Failure& failure) {
    log.push_back(failure.message());
    return 0;
  });

  d.errback(std::runtime_error("first"));

  CHECK(log == Log{"std::runtime_error: second", "std::logic_error: third"});
}

TEST_CASE("a callback fails its chain by a throw and by a returned failure alike [DEFERRED-5]") {
  const ReportedErrors errors;
  Log log;
  const auto seen = [&log](const Failure& failure) {
    log.push_back(failure.message());
    return 0;
  };
  Deferred<int> throws;
  Deferred<int> returns;
  throws.addCallback([](int) -> int { throw std::runtime_error("thrown"); }).addErrback(seen);
  returns.addCallback([](int) -> Result<int> { return Failure(std::runtime_error("returned")); })
      .addErrback(seen);

  throws.callback(1);
  returns.callback(1);

  CHECK(log == Log{"std::runtime_error: thrown", "std::runtime_error: returned"});
}

TEST_CASE("exceptions of every type become failures, and none leaves callback() [DEFERRED-6]") {
  const ReportedErrors errors;
  Log log;
  const auto firing = [&log](auto thrown) {
    Deferred<int> d;
    d.addCallback([thrown](int) -> int { throw thrown; });
    d.addErrback([&log](const Failure& failure) {
      log.push_back(failure.message());
      return 0;
    });
    CHECK_NOTHROW(d.callback(1));
  };

  firing(std::runtime_error("std"));
  firing(42);
  firing(std::string("text"));
  firing("literal");

  REQUIRE(log.size() == 4);
  CHECK(log[0] == "std::runtime_error: std");
  CHECK(log[1] == "int");
}

TEST_CASE("a cancellation leaves callback() and the chain goes on as cancelled [DEFERRED-6]") {
  LoopScope scope;
  const ReportedErrors errors;
  Log log;
  Deferred<int> d;
  d.addCallback([](int) -> int { throw StopRequest(); });
  d.addErrback<CancelledError>([&log](const CancelledError& error) {
    log.push_back(error.what());
    return 3;
  });
  d.addCallback([&log](int value) {
    log.push_back(std::to_string(value));
    return value;
  });

  CHECK_THROWS_AS(d.callback(1), StopRequest);
  scope.settle();

  REQUIRE(log.size() == 2);
  CHECK(log[0].find("stopped by the test") != std::string::npos);
  CHECK(log[1] == "3");
}

TEST_CASE(
    "a cancellation from the innermost of a nest leaves every chain able to run [DEFERRED-6]") {
  LoopScope scope;
  const ReportedErrors errors;
  Log log;
  Deferred<int> inner;
  Deferred<int> outer;
  outer.addCallback([inner](int) { return inner; });
  outer.addBoth([](const Result<int>&) -> int { throw StopRequest(); });
  outer.addErrback<CancelledError>([&log](const CancelledError&) {
    log.push_back("outer");
    return 1;
  });
  outer.callback(1);

  CHECK_THROWS_AS(inner.callback(2), StopRequest);
  scope.settle();
  outer.addCallback([&log](int) { log.push_back("added later"); });

  CHECK(log == Log{"outer", "added later"});
}
