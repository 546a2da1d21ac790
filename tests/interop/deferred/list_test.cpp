// deferredList, deferredListFirst and gatherResults.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/deferred_list.h"

using namespace plait;
using namespace plait::test;

namespace {

using Members = std::vector<Deferred<int>>;

// "1 2 std::runtime_error: no": what each member has come to.
std::string textOf(const std::vector<Result<int>>& results) {
  std::string text;
  for (const Result<int>& each : results) {
    if (!text.empty()) text += ' ';
    text += each.isValue() ? std::to_string(each.value()) : each.failure().message();
  }
  return text;
}

void note(const Deferred<std::vector<Result<int>>>& list, std::string& into) {
  list.addCallback([&into](const std::vector<Result<int>>& results) { into = textOf(results); })
      .addErrback([&into](const Failure& failure) { into = failure.message(); });
}

// A member that counts its cancels and fails by them.
Deferred<int> counting(int& cancels) {
  return Deferred<int>([&cancels](const Deferred<int>&) { ++cancels; });
}

}  // namespace

TEST_CASE("a list fires when the last has, in the order of the list [DEFERRED-60]") {
  const ReportedErrors errors;
  std::string seen;
  const Members members(3);
  note(deferredList(members), seen);

  members[2].callback(3);
  members[0].errback(std::runtime_error("no"));
  CHECK(seen.empty());
  members[1].callback(2);

  CHECK(seen == "std::runtime_error: no 2 3");
}

TEST_CASE("members that have fired are taken in at the call [DEFERRED-60] [DEFERRED-68]") {
  const ReportedErrors errors;
  std::string all;
  std::string mixed;
  const Deferred<int> late;
  note(deferredList(Members{succeed(1), fail<int>(std::runtime_error("no"))}), all);
  note(deferredList(Members{succeed(1), late, succeed(3)}), mixed);

  CHECK(all == "1 std::runtime_error: no");
  CHECK(mixed.empty());
  late.callback(2);

  CHECK(mixed == "1 2 3");
}

TEST_CASE("a list of members that can only be moved hands them on [DEFERRED-60]") {
  const ReportedErrors errors;
  const std::vector<Deferred<std::unique_ptr<int>>> members(2);
  int sum = 0;
  deferredList(members).addCallback([&sum](std::vector<Result<std::unique_ptr<int>>> results) {
    for (auto& each : results) sum += *std::move(each).value();
  });

  members[1].callback(std::make_unique<int>(2));
  members[0].callback(std::make_unique<int>(1));

  CHECK(sum == 3);
}

TEST_CASE("an empty list fires at once, an empty wait for the first never [DEFERRED-61]") {
  const ReportedErrors errors;
  std::string seen = "untouched";
  bool gathered = false;

  note(deferredList(Members()), seen);
  gatherResults(Members()).addCallback(
      [&gathered](const std::vector<int>& values) { gathered = values.empty(); });
  const auto first = deferredListFirst(Members());
  const auto winner = race(Members());

  CHECK(seen.empty());
  CHECK(gathered);
  CHECK_FALSE(first.isCalled());
  CHECK_FALSE(winner.isCalled());
}

TEST_CASE("the first value and its index, while the others run on [DEFERRED-62]") {
  const ReportedErrors errors;
  int cancels = 0;
  const Members members{counting(cancels), counting(cancels), counting(cancels)};
  std::size_t index = 99;
  int value = 0;
  deferredListFirst(members).addCallback([&](auto outcome) {
    index = std::get<0>(outcome).index;
    value = std::get<0>(outcome).value;
  });

  members[2].errback(std::runtime_error("no"));
  members[1].callback(7);
  CHECK_NOTHROW(members[0].callback(8));

  CHECK(index == 1);
  CHECK(value == 7);
  CHECK(cancels == 0);
}

TEST_CASE("without a first value all results come [DEFERRED-62]") {
  const ReportedErrors errors;
  const Members members(2);
  std::string seen;
  deferredListFirst(members).addCallback(
      [&](auto outcome) { seen = textOf(std::get<1>(outcome)); });

  members[1].errback(std::runtime_error("b"));
  members[0].errback(std::runtime_error("a"));

  CHECK(seen == "std::runtime_error: a std::runtime_error: b");
}

TEST_CASE("fireOnOneErrback ends the list at the first failure [DEFERRED-62]") {
  const ReportedErrors errors;
  const Members members(3);
  const Members fine(2);
  std::size_t index = 99;
  std::string seen;
  deferredList(members, {.fireOnOneErrback = true})
      .addErrback<FirstError>([&](const FirstError& error) {
        index = error.index();
        seen = error.subFailure().message();
        return std::vector<Result<int>>();
      });
  std::string all;
  note(deferredList(fine, {.fireOnOneErrback = true}), all);

  members[0].callback(1);
  members[2].errback(std::runtime_error("no"));
  members[1].callback(2);
  fine[0].callback(1);
  fine[1].callback(2);

  CHECK(index == 2);
  CHECK(seen == "std::runtime_error: no");
  CHECK(all == "1 2");
}

TEST_CASE("a member's result is the list's [DEFERRED-63]") {
  const ReportedErrors errors;
  const Deferred<int> number;
  const Deferred<void> nothing;
  const auto numbers = deferredList(Members{number});
  const auto nothings = deferredList(std::vector<Deferred<void>>{nothing});

  CHECK_THROWS_AS(number.addCallback([](int value) { return value; }), AlreadyChainedError);
  CHECK_THROWS_AS(nothing.addCallback([] {}), AlreadyChainedError);
  CHECK_THROWS_AS(deferredList(Members{number}), AlreadyChainedError);
}

TEST_CASE("a failure after the end is reported unless it is consumed [DEFERRED-63]") {
  ReportedErrors errors;
  for (const bool consumes : {false, true}) {
    CAPTURE(consumes);
    {
      const Members members(2);
      deferredList(members, {.fireOnOneErrback = true, .consumeErrors = consumes})
          .addErrback([](const Failure&) { return std::vector<Result<int>>(); });
      members[0].errback(std::runtime_error("first"));

      members[1].errback(std::runtime_error("second"));
    }

    const std::vector<std::string> texts = errors.take();
    REQUIRE(texts.size() == (consumes ? 0 : 1));
    if (!consumes) CHECK(texts[0].find("std::runtime_error: second") != std::string::npos);
  }
}

TEST_CASE("failures within a list are in its results and not reported [DEFERRED-63]") {
  const ReportedErrors errors;
  std::string seen;
  {
    const Members members(1);
    note(deferredList(members), seen);
    members[0].errback(std::runtime_error("no"));
  }

  CHECK(seen == "std::runtime_error: no");
}

TEST_CASE("cancelling a list cancels every member that is left [DEFERRED-64]") {
  const ReportedErrors errors;
  int cancels = 0;
  std::string seen;
  const Members members{succeed(1), counting(cancels), counting(cancels)};
  Members given = members;
  const auto list = deferredList(given);
  note(list, seen);
  given.clear();

  list.cancel();

  CHECK(cancels == 2);
  CHECK(list.isCalled());
  CHECK(seen.starts_with("1 plait::CancelledError"));
}

TEST_CASE("a canceller that throws keeps no other member from its cancel [DEFERRED-64]") {
  ReportedErrors errors;
  int cancels = 0;
  const Deferred<int> bad([](const Deferred<int>&) { throw std::runtime_error("bad"); });
  const Members members{bad, counting(cancels)};
  const auto list = deferredList(members);
  std::string seen;
  note(list, seen);

  list.cancel();

  CHECK(cancels == 1);
  CHECK_FALSE(seen.empty());
  CHECK(errors.take().size() == 1);
}

TEST_CASE("a list that waits for a slow cancel fires with what comes of it [DEFERRED-64]") {
  const ReportedErrors errors;
  const Deferred<int> slow([](const Deferred<int>&) { return CancelAnswer::later; });
  const Members members{slow, Deferred<int>()};
  const auto list = deferredList(members);
  std::string seen;
  note(list, seen);

  list.cancel();
  CHECK(seen.empty());
  slow.callback(5);

  CHECK(seen.starts_with("5 plait::CancelledError"));
}

TEST_CASE("a list that has fired cancels nothing [DEFERRED-64]") {
  const ReportedErrors errors;
  int cancels = 0;
  const Members members{Deferred<int>(), counting(cancels)};
  const auto failed = deferredList(members, {.fireOnOneErrback = true, .consumeErrors = true});
  failed.addErrback([](const Failure&) { return std::vector<Result<int>>(); });
  const Members others{Deferred<int>(), counting(cancels)};
  const auto first = deferredListFirst(others);
  members[0].errback(std::runtime_error("no"));
  others[0].callback(1);

  failed.cancel();
  first.cancel();

  CHECK(cancels == 0);
}

TEST_CASE("a list with a member that was taken takes nothing from the others [DEFERRED-63]") {
  const ReportedErrors errors;
  const Deferred<int> good;
  const Deferred<int> taken = succeed(2);
  taken.addCallback([](int) {});
  int seen = 0;

  CHECK_THROWS_AS(gatherResults(std::vector<Deferred<int>>{good, taken}), AlreadyChainedError);

  good.addCallback([&seen](int value) { seen = value; });
  good.callback(4);
  CHECK(seen == 4);
}
