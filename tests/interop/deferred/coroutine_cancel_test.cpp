// Cancelling coroutines.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "deferred_support.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

Deferred<int> both(Deferred<int> first, Deferred<int> second) {
  const int a = co_await std::move(first);
  co_return a + co_await std::move(second);
}

Deferred<int> through(Deferred<int> inner) { co_return co_await std::move(inner); }

enum class Answer { error, value, cleanup };

Deferred<int> translate(Deferred<int> awaited, Answer answer, Deferred<void> cleanup) {
  bool cancelled = false;
  try {
    co_return co_await std::move(awaited);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  if (cancelled && answer == Answer::error) throw std::runtime_error("translated");
  if (answer == Answer::cleanup) co_await std::move(cleanup);
  co_return 9;
}

Deferred<int> cancelsItself(std::shared_ptr<Deferred<int>> self, Deferred<int> gate,
                            Deferred<int> last) {
  co_await std::move(gate);
  self->cancel();
  co_return co_await std::move(last);
}

Deferred<int> counting(int& cancels) {
  return Deferred<int>([&cancels](const Deferred<int>&) { ++cancels; });
}

void note(const Deferred<int>& d, std::string& into) {
  d.addBoth([&into](const Result<int>& result) {
    into = result.isValue()                                      ? std::to_string(result.value())
           : result.failure().check<CancelledError>() != nullptr ? "cancelled"
                                                                 : result.failure().message();
    return 0;
  });
}

}  // namespace

TEST_CASE("a cancel goes to what the coroutine awaits now [DEFERRED-86] [DEFERRED-87]") {
  const ReportedErrors errors;
  for (const bool isSecond : {false, true}) {
    CAPTURE(isSecond);
    int firstCancels = 0;
    int secondCancels = 0;
    const Deferred<int> first = counting(firstCancels);
    std::string seen;
    const Deferred<int> second = counting(secondCancels);
    const Deferred<int> done = both(first, second);
    note(done, seen);
    if (isSecond) first.callback(1);

    done.cancel();

    CHECK(firstCancels == (isSecond ? 0 : 1));
    CHECK(secondCancels == (isSecond ? 1 : 0));
    CHECK(seen == "cancelled");
  }
}

TEST_CASE("a cancel goes through coroutines that await each other [DEFERRED-86]") {
  const ReportedErrors errors;
  int cancels = 0;
  std::string seen;
  const Deferred<int> innermost = counting(cancels);
  const Deferred<int> done = through(through(through(innermost)));
  note(done, seen);

  done.cancel();

  CHECK(cancels == 1);
  CHECK(seen == "cancelled");
}

TEST_CASE("a coroutine may make another error or a value of its cancel [DEFERRED-88]") {
  const ReportedErrors errors;
  std::string error;
  std::string value;
  const Deferred<int> first;
  const Deferred<int> second;
  const Deferred<int> failing = translate(first, Answer::error, Deferred<void>());
  const Deferred<int> succeeding = translate(second, Answer::value, Deferred<void>());
  note(failing, error);
  note(succeeding, value);

  failing.cancel();
  succeeding.cancel();

  CHECK(error == "std::runtime_error: translated");
  CHECK(value == "9");
}

TEST_CASE("its Deferred waits for a cancel that takes time [DEFERRED-89]") {
  const ReportedErrors errors;
  const Deferred<int> slow([](const Deferred<int>&) { return CancelAnswer::later; });
  std::string seen;
  const Deferred<int> done = through(slow);
  note(done, seen);

  done.cancel();
  CHECK(seen.empty());
  CHECK_FALSE(done.isCalled());
  slow.callback(3);

  CHECK(seen == "3");
}

TEST_CASE("a swallowed cancel lets it go on, the next one is for the next wait [DEFERRED-90]") {
  const ReportedErrors errors;
  int cancels = 0;
  const Deferred<void> cleanup([&cancels](const Deferred<void>&) { ++cancels; });
  std::string seen;
  const Deferred<int> awaited;
  const Deferred<int> done = translate(awaited, Answer::cleanup, cleanup);
  note(done, seen);

  done.cancel();
  CHECK(seen.empty());
  CHECK(cancels == 0);
  done.cancel();

  CHECK(cancels == 1);
  CHECK(seen == "cancelled");
}

TEST_CASE("its cleanup after a cancel may come to its end [DEFERRED-89] [DEFERRED-90]") {
  const ReportedErrors errors;
  const Deferred<void> cleanup;
  std::string seen;
  const Deferred<int> awaited;
  const Deferred<int> done = translate(awaited, Answer::cleanup, cleanup);
  note(done, seen);

  done.cancel();
  cleanup.callback();

  CHECK(seen == "9");
}

TEST_CASE("a cancel while it runs is for what it awaits next [DEFERRED-86]") {
  const ReportedErrors errors;
  int cancels = 0;
  const Deferred<int> gate;
  const auto self = std::make_shared<Deferred<int>>();
  std::string seen;
  const Deferred<int> last = counting(cancels);
  *self = cancelsItself(self, gate, last);
  note(*self, seen);

  gate.callback(0);
  *self = Deferred<int>();

  CHECK(cancels == 1);
  CHECK(seen == "cancelled");
}

TEST_CASE("cancelling a coroutine that has ended does nothing [DEFERRED-86]") {
  const ReportedErrors errors;
  const Deferred<int> gate;
  std::string seen;
  const Deferred<int> done = through(gate);
  gate.callback(4);

  done.cancel();
  note(done, seen);

  CHECK(seen == "4");
}

TEST_CASE("a late fire of what was cancelled is dropped once [DEFERRED-87]") {
  const ReportedErrors errors;
  const Deferred<int> gate;
  std::string seen;
  const Deferred<int> done = through(gate);
  note(done, seen);
  done.cancel();

  CHECK_NOTHROW(gate.callback(1));

  CHECK(seen == "cancelled");
  CHECK_THROWS_AS(gate.callback(2), AlreadyCalledError);
}

TEST_CASE("one that fires the Deferred of a coroutine by hand is told apart [DEFERRED-84]") {
  const ReportedErrors errors;
  const Deferred<int> gate;
  std::string seen;
  const Deferred<int> done = through(gate);
  note(done, seen);

  done.callback(1);
  CHECK(seen.empty());
  gate.callback(2);

  CHECK(seen == "1");
}
