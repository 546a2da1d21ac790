// Failure and Result.
#include "plait/failure.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

struct Left {
  virtual ~Left() = default;
  int left = 1;
};
struct Right {
  virtual ~Right() = default;
  int right = 2;
};
struct Both : Left, Right {};
struct Hidden : private Right {};

}  // namespace

TEST_CASE("check() finds what a handler would catch, and nothing else [DEFERRED-120]") {
  const Failure failure(std::out_of_range("far"));

  REQUIRE(failure.check<std::logic_error>() != nullptr);
  CHECK(std::string(failure.check<std::logic_error>()->what()) == "far");
  CHECK(failure.check<std::exception>() != nullptr);
  CHECK(failure.check<std::out_of_range>() != nullptr);
  CHECK(failure.check<std::runtime_error>() == nullptr);
  CHECK(failure.check<int>() == nullptr);
}

TEST_CASE("check() finds a second base where it is, and no private one [DEFERRED-120]") {
  const Failure failure{Both()};
  const Failure number{42};

  REQUIRE(failure.check<Right>() != nullptr);
  CHECK(failure.check<Right>()->right == 2);
  CHECK(failure.check<Left>()->left == 1);
  CHECK(Failure{Hidden()}.check<Right>() == nullptr);
  REQUIRE(number.check<int>() != nullptr);
  CHECK(*number.check<int>() == 42);
  CHECK(number.check<long>() == nullptr);
}

TEST_CASE("trap() throws on what it was not asked for [DEFERRED-120]") {
  const Failure failure(std::out_of_range("far"));

  CHECK(std::string(failure.trap<std::logic_error>().what()) == "far");
  CHECK((failure.trap<std::runtime_error, std::logic_error>()) == 1);
  CHECK((failure.trap<std::exception, std::logic_error>()) == 0);
  CHECK_THROWS_AS(failure.trap<std::runtime_error>(), std::out_of_range);
  CHECK_THROWS_AS((failure.trap<int, std::runtime_error>()), std::out_of_range);
}

TEST_CASE("a failure can be raised again and again, and its copies share it [DEFERRED-120]") {
  const Failure failure(std::runtime_error("no luck"));
  const Failure copy = failure;

  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(failure.raise(), std::runtime_error);

  CHECK(copy.exception() == failure.exception());
  CHECK(copy.message() == "std::runtime_error: no luck");
}

TEST_CASE("a failure is of the exception being handled, or of none at all [DEFERRED-120]") {
  std::string text;
  try {
    throw std::runtime_error("handled");
  } catch (...) {
    text = Failure().message();
  }

  CHECK(text == "std::runtime_error: handled");
  CHECK_THROWS_AS(Failure(), std::logic_error);
  CHECK_THROWS_AS(Failure{std::exception_ptr{}}, std::invalid_argument);
}

TEST_CASE("a typed errback runs for its type and lets others pass [DEFERRED-121]") {
  const ReportedErrors errors;
  std::string log;
  Deferred<int> d;
  d.addErrback<std::runtime_error>([&log](const std::runtime_error&) {
    log += "runtime ";
    return 1;
  });
  d.addErrback<std::logic_error>([&log](const std::logic_error& error) {
    log += error.what();
    return 2;
  });
  d.addErrback<std::exception>([&log](const std::exception&) {
    log += "too late";
    return 3;
  });
  int seen = 0;
  d.addCallback([&seen](int value) { seen = value; });

  d.errback(std::out_of_range("far"));

  CHECK(log == "far");
  CHECK(seen == 2);
}

TEST_CASE("what a typed errback throws goes on instead [DEFERRED-121]") {
  const ReportedErrors errors;
  std::string text;
  const Deferred<int> d = fail<int>(std::out_of_range("far"));

  d.addErrback<std::logic_error>(
      [](const std::logic_error& error) -> int { throw std::runtime_error(error.what()); });
  d.addErrback([&text](const Failure& failure) {
    text = failure.message();
    return 0;
  });

  CHECK(text == "std::runtime_error: far");
}

TEST_CASE("a result is a value or a failure, and a failed one throws it [DEFERRED-122]") {
  Result<std::unique_ptr<int>> good = std::make_unique<int>(3);
  const Result<int> bad = Failure(std::out_of_range("far"));
  const Result<void> nothing;
  const Result<void> failed = Failure(std::runtime_error("no luck"));

  CHECK(good.isValue());
  CHECK(*good.value() == 3);
  const std::unique_ptr<int> taken = std::move(good).value();
  CHECK(*taken == 3);
  CHECK_FALSE(bad);
  CHECK_THROWS_AS(bad.value(), std::out_of_range);
  CHECK(bad.failure().message() == "std::out_of_range: far");
  CHECK(nothing);
  CHECK_NOTHROW(nothing.value());
  CHECK_THROWS_AS(failed.value(), std::runtime_error);
}
