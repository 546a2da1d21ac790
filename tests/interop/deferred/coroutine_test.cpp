// Coroutines that return a Deferred: how they run and how they end.
#include "plait/coroutine.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

Deferred<int> add(Deferred<int> left, Deferred<int> right, std::string& log) {
  log += "begun ";
  const int a = co_await std::move(left);
  log += "left ";
  const int b = co_await std::move(right);
  log += "right ";
  co_return a + b;
}

Deferred<int> sumOfFired(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await succeed(1);
  co_return sum;
}

Deferred<int> sumOf(const std::vector<Deferred<int>>& members) {
  int sum = 0;
  for (const Deferred<int>& each : members) sum += co_await each;
  co_return sum;
}

Deferred<int> nest(int depth, Deferred<int> innermost) {
  if (depth == 0) co_return co_await innermost;
  co_return co_await nest(depth - 1, innermost) + 1;
}

struct OddError final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Deferred<std::string> typeOf(Deferred<int> awaited) {
  try {
    co_await awaited;
    co_return "value";
  } catch (const OddError& error) {
    co_return std::string("odd ") + error.what();
  } catch (int number) {
    co_return std::to_string(number);
  }
}

Deferred<void> failAtOnce(bool throws) {
  if (throws) throw OddError("at once");
  co_return;
}

Deferred<void> failLater(Deferred<void> gate) {
  co_await gate;
  throw OddError("later");
}

Deferred<std::unique_ptr<int>> makeUnique(Deferred<std::unique_ptr<int>> source) {
  std::unique_ptr<int> value = co_await std::move(source);
  ++*value;
  co_return value;
}

Deferred<void> keep(std::shared_ptr<int> local, Deferred<void> gate) {
  const std::shared_ptr<int> copy = local;
  co_await std::move(gate);
}

Deferred<void> waitTwice(std::string& log) {
  co_await 1s;
  log += "1 ";
  co_await 500ms;
  log += "2 ";
}

Deferred<int> awaitTwice(Deferred<int> d) {
  const int first = co_await d;
  co_return first + co_await d;
}

struct Ticket {
  int number;
};
Deferred<int> toDeferred(const Ticket& ticket) { return succeed(ticket.number); }
Deferred<int> redeem(Ticket ticket) { co_return co_await ticket; }

std::string failureOf(const Deferred<void>& d) {
  std::string seen = "pending";
  d.addBoth([&seen](const Result<void>& result) {
    seen = result.isValue() ? "value" : result.failure().message();
  });
  return seen;
}

}  // namespace

TEST_CASE(
    "a coroutine runs from the call to its first wait, and on when that fires [DEFERRED-82]") {
  const ReportedErrors errors;
  const Deferred<int> left;
  const Deferred<int> right;
  std::string log;
  int sum = 0;

  const Deferred<int> done = add(left, right, log);
  done.addCallback([&sum](int value) { sum = value; });
  CHECK(log == "begun ");
  left.callback(1);
  CHECK(log == "begun left ");
  right.callback(2);

  CHECK(log == "begun left right ");
  CHECK(sum == 3);
}

TEST_CASE("awaiting what has fired neither suspends nor costs stack [DEFERRED-82]") {
  const ReportedErrors errors;
  int sum = 0;

  sumOfFired(100'000).addCallback([&sum](int value) { sum = value; });

  CHECK(sum == 100'000);
}

TEST_CASE("waits that are fired one after the other cost no stack [DEFERRED-82]") {
  const ReportedErrors errors;
  constexpr int kMembers = 100'000;
  const std::vector<Deferred<int>> members(kMembers);
  int sum = 0;
  sumOf(members).addCallback([&sum](int value) { sum = value; });

  for (const Deferred<int>& each : members) each.callback(1);

  CHECK(sum == kMembers);
}

TEST_CASE("the end of a deep nest of coroutines costs no stack [DEFERRED-82]") {
  const ReportedErrors errors;
  constexpr int kDepth = 2000;  // the calls themselves nest
  const Deferred<int> innermost;
  int seen = 0;
  nest(kDepth, innermost).addCallback([&seen](int value) { seen = value; });

  innermost.callback(1);

  CHECK(seen == kDepth + 1);
}

TEST_CASE("a failure is thrown at the wait with its own type [DEFERRED-83]") {
  const ReportedErrors errors;
  const Deferred<int> later;
  std::string log;
  const auto note = [&log](const std::string& text) { log += text + ";"; };

  typeOf(fail<int>(OddError("one"))).addCallback(note);
  typeOf(fail<int>(std::make_exception_ptr(7))).addCallback(note);
  typeOf(later).addCallback(note);
  later.errback(OddError("two"));

  CHECK(log == "odd one;7;odd two;");
}

TEST_CASE("durations and what has a toDeferred() can be awaited [DEFERRED-83]") {
  const ReportedErrors errors;
  LoopScope loop;
  std::string log;
  int number = 0;
  redeem({5}).addCallback([&number](int value) { number = value; });
  const Deferred<void> done = waitTwice(log);

  CHECK(number == 5);
  CHECK(log.empty());
  loop.runUntil([&done] { return done.isCalled(); });

  CHECK(log == "1 2 ");
}

TEST_CASE("what leaves a coroutine is its failure, what it returns the value [DEFERRED-84]") {
  const ReportedErrors errors;
  const Deferred<void> gate;
  const Deferred<void> later = failLater(gate);
  gate.callback();
  auto source = succeed(std::make_unique<int>(4));
  int moved = 0;
  makeUnique(std::move(source)).addCallback([&moved](const std::unique_ptr<int>& value) {
    moved = *value;
  });

  CHECK(failureOf(failAtOnce(false)) == "value");
  CHECK(failureOf(failAtOnce(true)).find("at once") != std::string::npos);
  CHECK(failureOf(later).find("later") != std::string::npos);
  CHECK(moved == 5);
}

TEST_CASE("a coroutine's failure that nobody takes is reported once [DEFERRED-84]") {
  ReportedErrors errors;

  failAtOnce(true);

  const std::vector<std::string> texts = errors.take();
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].find("at once") != std::string::npos);
}

TEST_CASE("awaiting takes the result, and awaiting it again is an error in there [DEFERRED-83]") {
  const ReportedErrors errors;
  bool chained = false;

  awaitTwice(succeed(1)).addErrback<AlreadyChainedError>([&chained](const AlreadyChainedError&) {
    chained = true;
    return 0;
  });

  CHECK(chained);
}

TEST_CASE("an ended coroutine has destroyed its locals before the callbacks [DEFERRED-91]") {
  const ReportedErrors errors;
  const auto local = std::make_shared<int>(0);
  const Deferred<void> gate;
  long uses = 0;
  const Deferred<void> done = keep(local, gate);
  done.addCallback([&] { uses = local.use_count(); });
  CHECK(local.use_count() == 3);

  gate.callback();

  CHECK(uses == 1);
}

TEST_CASE("a coroutine whose Deferred was dropped runs on and goes at its end [DEFERRED-91]") {
  const ReportedErrors errors;
  const auto local = std::make_shared<int>(0);
  const Deferred<void> gate;
  keep(local, gate);
  CHECK(local.use_count() == 3);

  gate.callback();

  CHECK(local.use_count() == 1);
}

TEST_CASE("a coroutine that nothing can resume sees it and goes [DEFERRED-91]") {
  ReportedErrors errors;
  const auto local = std::make_shared<int>(0);
  std::optional<Deferred<void>> gate(std::in_place);
  const Deferred<void> done = keep(local, *gate);

  gate.reset();

  CHECK(local.use_count() == 1);
  CHECK(failureOf(done).find("BrokenDeferredError") != std::string::npos);
}
