// Handles: which of them are good for what, as the type of a chain changes.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/shared_deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

std::string toText(int value) { return std::to_string(value); }
int toNumber(const std::string& text) { return std::stoi(text); }

// Every way to add through it is refused.
void checkSpent(const Deferred<int>& d) {
  CHECK_THROWS_AS(d.addCallback([](int value) { return value; }), AlreadyChainedError);
  CHECK_THROWS_AS(d.addCallback(toText), AlreadyChainedError);
  CHECK_THROWS_AS(d.addErrback([](const Failure&) { return 0; }), AlreadyChainedError);
  CHECK_THROWS_AS(d.addErrback<Error>([](const Error&) { return 0; }), AlreadyChainedError);
  CHECK_THROWS_AS(d.addBoth([](Result<int> result) { return result; }), AlreadyChainedError);
  CHECK_THROWS_AS(d.share(), AlreadyChainedError);
  CHECK_THROWS_AS(d.chainDeferred(Deferred<int>()), AlreadyChainedError);
  Deferred<int> copy = d;
  CHECK_THROWS_AS(std::move(copy).addCallback(toText), AlreadyChainedError);
  CHECK(copy);
}

}  // namespace

TEST_CASE("copies of a handle are one Deferred [DEFERRED-101]") {
  const ReportedErrors errors;
  int seen = 0;
  const Deferred<int> d;
  const Deferred<int> copy = d;
  const Deferred<int> other;

  copy.addCallback([&seen](int value) { return seen = value; });
  d.callback(3);

  CHECK(copy == d);
  CHECK_FALSE(other == d);
  CHECK(copy.isCalled());
  CHECK(seen == 3);
}

TEST_CASE("a handle that was moved from is false, and its use throws [DEFERRED-101]") {
  const ReportedErrors errors;
  Deferred<int> d;
  const Deferred<int> moved = std::move(d);

  CHECK(moved);
  CHECK_FALSE(d);  // NOLINT(bugprone-use-after-move)
  CHECK_THROWS_AS(d.callback(1), std::logic_error);
  CHECK_THROWS_AS(d.addCallback(toText), std::logic_error);
  CHECK_THROWS_AS(d.cancel(), std::logic_error);
  CHECK_THROWS_AS(d.isCalled(), std::logic_error);
  d = succeed(1);
  CHECK(d.isCalled());
}

TEST_CASE("a handle stays good while callbacks keep the type [DEFERRED-102]") {
  const ReportedErrors errors;
  int seen = 0;
  const auto make = [&seen] {
    Deferred<int> d;
    d.addCallback([](int value) { return value + 1; });
    d.addErrback([](const Failure&) { return 0; });
    d.addBoth([](Result<int> result) { return result; });
    const Deferred<int>& same = d.addCallback([&seen](int value) { return seen = value; });
    CHECK(&same == &d);
    return d;
  };

  make().callback(1);

  CHECK(seen == 2);
}

TEST_CASE("a change of type spends every handle from before, at once [DEFERRED-102]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const Deferred<int> copy = d;
  const Deferred<std::string> text = d.addCallback(toText);

  checkSpent(d);
  checkSpent(copy);
  std::string seen;
  text.addCallback([&seen](std::string value) { return seen = std::move(value); });
  d.callback(12);

  CHECK(seen == "12");
  checkSpent(d);
}

TEST_CASE("a handle stays spent when the old type comes back [DEFERRED-102]") {
  const ReportedErrors errors;
  const Deferred<int> first;
  const Deferred<std::string> second = first.addCallback(toText);
  const Deferred<int> third = second.addCallback(toNumber);

  checkSpent(first);
  CHECK_THROWS_AS(second.addCallback(toNumber), AlreadyChainedError);
  int seen = 0;
  third.addCallback([&seen](int value) { return seen = value; });
  first.callback(5);

  CHECK(seen == 5);
  CHECK(third == first);
}

TEST_CASE("a spent handle names the place where its result went [DEFERRED-102]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const unsigned line = __LINE__ + 1;
  const Deferred<std::string> text = d.addCallback(toText);
  std::string message;

  try {
    d.addCallback(toText);
  } catch (const AlreadyChainedError& error) {
    message = error.what();
  }

  CHECK(message.find("view_test.cpp:" + std::to_string(line)) != std::string::npos);
  d.callback(1);
}

TEST_CASE("a refused callback is dropped unrun [DEFERRED-102]") {
  const ReportedErrors errors;
  const Deferred<int> d = succeed(1);
  const Deferred<std::string> text = d.addCallback(toText);
  auto captured = std::make_shared<int>(0);

  CHECK_THROWS_AS(d.addCallback([captured](int value) { return *captured = value; }),
                  AlreadyChainedError);

  CHECK(captured.use_count() == 1);
  CHECK(*captured == 0);
}

TEST_CASE("a value is fired through an original handle only [DEFERRED-103]") {
  const ReportedErrors errors;
  const Deferred<int> first;
  const Deferred<std::string> second = first.addCallback(toText);
  const Deferred<int> third = second.addCallback(toNumber);
  std::string message;

  try {
    second.callback("text");
  } catch (const std::logic_error& error) {
    message = error.what();
  }
  CHECK_THROWS_AS(third.callback(1), std::logic_error);

  CHECK(message.find("basic_string") != std::string::npos);
  CHECK(message.find("Deferred<int>") != std::string::npos);
  CHECK_FALSE(first.isCalled());
  CHECK_NOTHROW(first.callback(2));
}

TEST_CASE("a failure, a cancel and a pause go through every handle [DEFERRED-103]") {
  const ReportedErrors errors;
  for (const bool cancels : {false, true}) {
    CAPTURE(cancels);
    std::string seen;
    const Deferred<int> first;
    const Deferred<std::string> second = first.addCallback(toText);
    const Deferred<void> third = second.addCallback([](const std::string&) {});
    third.addErrback([&seen](const Failure& failure) { seen = failure.message(); });

    third.pause();
    cancels ? second.cancel() : second.callback(Failure(std::runtime_error("no luck")));
    CHECK(seen.empty());
    first.unpause();

    CHECK(seen.find(cancels ? "CancelledError" : "no luck") != std::string::npos);
  }
}

TEST_CASE("who gives its result away is spent [DEFERRED-109]") {
  const ReportedErrors errors;
  const Deferred<int> chained;
  const Deferred<int> shared;
  const Deferred<int> returned;
  const Deferred<int> target;

  chained.chainDeferred(target);
  const SharedDeferred<int> sharing = shared.share();
  const Deferred<int> outer = succeed(0).addCallback([&](int) { return returned; });

  for (const Deferred<int>& each : {chained, shared, returned}) checkSpent(each);
  chained.callback(1);
  shared.callback(2);
  returned.callback(3);
  for (const Deferred<int>& each : {chained, shared, returned}) checkSpent(each);
}

TEST_CASE("a Deferred without a value is spent too when it is shared [DEFERRED-109]") {
  const ReportedErrors errors;
  for (const bool isFired : {false, true}) {
    CAPTURE(isFired);
    const Deferred<void> d;
    if (isFired) d.callback();

    const SharedDeferred<void> shared = d.share();

    CHECK_THROWS_AS(d.addCallback([] {}), AlreadyChainedError);
    CHECK_THROWS_AS(d.share(), AlreadyChainedError);
    if (!isFired) d.callback();
  }
}
