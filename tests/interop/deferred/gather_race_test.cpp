// gatherResults and race over Deferreds.
#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/deferred_list.h"

using namespace plait;
using namespace plait::test;

namespace {

using Members = std::vector<Deferred<int>>;

Deferred<int> counting(int& cancels) {
  return Deferred<int>([&cancels](const Deferred<int>&) { ++cancels; });
}

// "2=7", or the failure.
void note(const Deferred<FirstResult<int>>& winner, std::string& into) {
  winner
      .addCallback([&into](const FirstResult<int>& first) {
        into = std::to_string(first.index) + "=" + std::to_string(first.value);
      })
      .addErrback([&into](const Failure& failure) {
        into = failure.check<CancelledError>() != nullptr ? "cancelled" : failure.message();
      });
}

}  // namespace

TEST_CASE("gathered values come in the order of the list [DEFERRED-65]") {
  const ReportedErrors errors;
  const Members members(3);
  std::vector<int> seen;
  gatherResults(members).addCallback(
      [&seen](std::vector<int> values) { seen = std::move(values); });

  members[2].callback(3);
  members[0].callback(1);
  CHECK(seen.empty());
  members[1].callback(2);

  CHECK(seen == std::vector{1, 2, 3});
}

TEST_CASE("gathering nothing but ends is a Deferred of nothing [DEFERRED-65]") {
  const ReportedErrors errors;
  const std::vector<Deferred<void>> members(2);
  bool isOver = false;
  gatherResults(members).addCallback([&isOver] { isOver = true; });

  members[1].callback();
  CHECK_FALSE(isOver);
  members[0].callback();

  CHECK(isOver);
}

TEST_CASE("the first failure ends the gathering while the others run on [DEFERRED-65]") {
  ReportedErrors errors;
  int cancels = 0;
  std::size_t index = 99;
  {
    const Members members{counting(cancels), counting(cancels), counting(cancels)};
    gatherResults(members).addErrback<FirstError>([&index](const FirstError& error) {
      index = error.index();
      return std::vector<int>();
    });

    members[1].errback(std::runtime_error("first"));
    CHECK(index == 1);
    members[0].callback(1);
    members[2].errback(std::runtime_error("later"));
  }

  CHECK(cancels == 0);
  const std::vector<std::string> texts = errors.take();
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("later") != std::string::npos);
}

TEST_CASE("consumed errors of a gathering are not reported [DEFERRED-65]") {
  const ReportedErrors errors;
  const Members members(2);
  gatherResults(members, true).addErrback([](const Failure&) { return std::vector<int>(); });

  members[0].errback(std::runtime_error("first"));
  members[1].errback(std::runtime_error("later"));

  CHECK(members[1].isCalled());
}

TEST_CASE("cancelling a gathering cancels all [DEFERRED-66]") {
  const ReportedErrors errors;
  int cancels = 0;
  const Members members{counting(cancels), counting(cancels)};
  const auto gathered = gatherResults(members, true);
  std::size_t index = 99;
  gathered.addErrback<FirstError>([&index](const FirstError& error) {
    CHECK(error.subFailure().check<CancelledError>() != nullptr);
    index = error.index();
    return std::vector<int>();
  });

  gathered.cancel();

  CHECK(cancels == 2);
  CHECK(index == 0);
}

TEST_CASE("a cancelled gathering has the values that the cancellers make [DEFERRED-66]") {
  const ReportedErrors errors;
  const auto making = [](int value) {
    return Deferred<int>([value](const Deferred<int>& self) { self.callback(value); });
  };
  const Members members{making(1), making(2)};
  const auto gathered = gatherResults(members);
  std::vector<int> seen;
  gathered.addCallback([&seen](const std::vector<int>& values) { return seen = values; });

  gathered.cancel();

  CHECK(seen == std::vector{1, 2});
}

TEST_CASE("errors of a list tell index and failure, and compare by them [DEFERRED-67]") {
  const Failure failure(std::runtime_error("no luck"));
  const Failure other(std::runtime_error("no luck"));
  const FirstError error(failure, 3);

  CHECK(std::string(error.what()).find("number 3") != std::string::npos);
  CHECK(std::string(error.what()).find("no luck") != std::string::npos);
  CHECK(error == FirstError(failure, 3));
  CHECK_FALSE(error == FirstError(failure, 2));
  CHECK_FALSE(error == FirstError(other, 3));
}

TEST_CASE("members count once, whatever their Deferreds do afterwards [DEFERRED-68]") {
  const ReportedErrors errors;
  const Members members(2);
  bool isOver = false;
  const auto gathered = gatherResults(members);
  gathered.addCallback([&isOver](std::vector<int> values) {
    isOver = true;
    return values;
  });
  members[0].callback(1);

  CHECK_THROWS_AS(members[0].callback(1), AlreadyCalledError);
  members[0].cancel();

  CHECK_FALSE(isOver);
  members[1].callback(2);
  CHECK(isOver);
}

TEST_CASE("the first value wins a race, and the others are cancelled before [DEFERRED-69]") {
  const ReportedErrors errors;
  std::string log;
  const auto member = [&log](char name) {
    return Deferred<int>([&log, name](const Deferred<int>&) { log += name; });
  };
  const Members members{member('a'), member('b'), member('c')};
  race(members).addCallback([&log](const FirstResult<int>& first) {
    log += "->" + std::to_string(first.index) + "=" + std::to_string(first.value);
  });

  members[1].callback(7);

  CHECK(log == "ac->1=7");
}

TEST_CASE("a failure loses a race [DEFERRED-69]") {
  const ReportedErrors errors;
  const Members members(3);
  std::string seen;
  note(race(members), seen);

  members[0].errback(std::runtime_error("no"));
  CHECK(seen.empty());
  members[2].callback(3);

  CHECK(seen == "2=3");
  CHECK(members[1].isCalled());
}

TEST_CASE("a race of failures has them in the order of the list [DEFERRED-70]") {
  const ReportedErrors errors;
  const Members members(2);
  std::string seen;
  race(members).addErrback<FailureGroup>([&seen](const FailureGroup& group) {
    for (const Failure& each : group.failures()) seen += each.message() + ';';
    return FirstResult<int>{0, 0};
  });

  members[1].errback(std::runtime_error("b"));
  members[0].errback(std::runtime_error("a"));

  CHECK(seen == "std::runtime_error: a;std::runtime_error: b;");
}

TEST_CASE("what losers come to after their cancel is dropped [DEFERRED-71]") {
  const ReportedErrors errors;
  std::string seen;
  const Deferred<int> making([](const Deferred<int>& self) { self.callback(8); });
  const Deferred<int> failing(
      [](const Deferred<int>& self) { self.errback(std::runtime_error("broken off")); });
  const Deferred<int> slow([](const Deferred<int>&) { return CancelAnswer::later; });
  const Deferred<int> winner;
  note(race(Members{making, failing, slow, Deferred<int>(), winner}), seen);

  winner.callback(5);
  slow.errback(std::runtime_error("late"));

  CHECK(seen == "4=5");
}

TEST_CASE("a cancelled race cancels all and fails when they have ended [DEFERRED-71]") {
  const ReportedErrors errors;
  int cancels = 0;
  std::string seen;
  const Deferred<int> making([](const Deferred<int>& self) { self.callback(8); });
  const Deferred<int> slow([&cancels](const Deferred<int>&) {
    ++cancels;
    return CancelAnswer::later;
  });
  const Members members{counting(cancels), making, slow};
  const auto winner = race(members);
  note(winner, seen);

  winner.cancel();
  CHECK(seen.empty());
  slow.callback(3);

  CHECK(cancels == 2);
  CHECK(seen == "cancelled");
}
