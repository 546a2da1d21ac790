// Failures that nobody took, and what debugging tells.
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

class DebuggingScope final {
 public:
  explicit DebuggingScope(bool on = true) : before_(isDebugging()) { setDebugging(on); }
  DebuggingScope(const DebuggingScope&) = delete;
  DebuggingScope& operator=(const DebuggingScope&) = delete;
  ~DebuggingScope() { setDebugging(before_); }

 private:
  bool before_;
};

std::string refusalOf(const Deferred<int>& fired) {
  try {
    fired.callback(9);
  } catch (const AlreadyCalledError& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a failure left in a chain is reported when the last handle goes [DEFERRED-39]") {
  ReportedErrors errors;
  Deferred<int> d;
  const unsigned line = __LINE__ - 1;
  Deferred<int> copy = d;

  d.errback(std::runtime_error("no luck"));
  d = succeed(0);
  CHECK(errors.take().empty());
  copy = succeed(0);
  const std::vector<std::string> reports = errors.take();

  REQUIRE(reports.size() == 1);
  CHECK(has(reports[0], ("unhandled_test.cpp:" + std::to_string(line)).c_str()));
  CHECK(has(reports[0], "std::runtime_error: no luck"));
}

TEST_CASE("what the last callback throws is reported, and a cancel too [DEFERRED-39]") {
  ReportedErrors errors;
  {
    const Deferred<int> d;
    d.addCallback([](int) -> int { throw std::logic_error("thrown"); });
    d.callback(1);
    const Deferred<int> cancelled;
    cancelled.cancel();
  }

  const std::vector<std::string> reports = errors.take();

  REQUIRE(reports.size() == 2);
  CHECK(has(reports[0], "CancelledError"));
  CHECK(has(reports[1], "thrown"));
}

TEST_CASE("a failure in an outer Deferred that nobody holds is reported once [DEFERRED-39]") {
  ReportedErrors errors;
  {
    const Deferred<int> inner;
    succeed(0).addCallback([&](int) { return inner; });
    inner.errback(std::runtime_error("no luck"));
    CHECK(errors.take().size() == 1);
  }

  CHECK(errors.take().empty());
}

TEST_CASE("a failure that became a value, or went elsewhere, is no report [DEFERRED-40]") {
  ReportedErrors errors;
  {
    const Deferred<int> handled = fail<int>(std::runtime_error("a"));
    handled.addErrback([](const Failure&) { return 0; });
    const Deferred<int> returned = fail<int>(std::runtime_error("b"));
    const Deferred<int> outer = succeed(0).addCallback([&](int) { return returned; });
    outer.addErrback([](const Failure&) { return 0; });
    const Deferred<int> chained;
    const Deferred<int> target;
    chained.chainDeferred(target);
    target.addErrback([](const Failure&) { return 0; });
    chained.errback(std::runtime_error("c"));
    const Deferred<int> inner;
    const Deferred<int> waiting = succeed(0).addCallback([&](int) { return inner; });
    waiting.addErrback([](const Failure&) { return 0; });
    inner.errback(std::runtime_error("d"));
  }

  CHECK(errors.take().empty());
}

TEST_CASE("a failure that was taken is reported by the one that has it [DEFERRED-40]") {
  ReportedErrors errors;
  const Deferred<int> inner = fail<int>(std::runtime_error("no luck"));

  {
    const Deferred<int> outer = succeed(0).addCallback([&](int) { return inner; });
  }

  CHECK(errors.take().size() == 1);
}

TEST_CASE("a report has type and message, and the stacks while debugging [DEFERRED-41]") {
  for (const bool debugging : {false, true}) {
    CAPTURE(debugging);
    const DebuggingScope scope(debugging);
    ReportedErrors errors;
    {
      const Deferred<int> d = fail<int>(std::runtime_error("no luck"));
    }

    const std::vector<std::string> reports = errors.take();

    REQUIRE(reports.size() == 1);
    CHECK(has(reports[0], "std::runtime_error: no luck"));
    CHECK(has(reports[0], "C: Deferred was created") == debugging);
    CHECK(has(reports[0], "I: First Invoker was") == debugging);
  }
}

TEST_CASE("a late errback still prevents the report [DEFERRED-42]") {
  ReportedErrors errors;
  {
    Deferred<int> d = fail<int>(std::runtime_error("no luck"));
    const Deferred<int> kept = d;
    d = succeed(0);

    kept.addErrback([](const Failure&) { return 0; });
  }

  CHECK(errors.take().empty());
}

TEST_CASE("AlreadyCalledError has both stacks while debugging, else none [DEFERRED-43]") {
  const ReportedErrors errors;
  for (const bool debugging : {false, true}) {
    CAPTURE(debugging);
    const DebuggingScope scope(debugging);
    CHECK(isDebugging() == debugging);
    const Deferred<int> d;
    d.callback(1);

    const std::string text = refusalOf(d);

    CHECK(has(text, "C: Deferred was created") == debugging);
    CHECK(has(text, "I: First Invoker was") == debugging);
  }
}

TEST_CASE("debugging may be switched at any time in a Deferred's life [DEFERRED-43]") {
  const ReportedErrors errors;
  for (int switches = 0; switches < 8; ++switches) {
    CAPTURE(switches);
    const DebuggingScope scope((switches & 1) != 0);
    const Deferred<int> d;
    setDebugging((switches & 2) != 0);
    d.addErrback([](const Failure&) { return 0; });
    d.cancel();
    setDebugging((switches & 4) != 0);
    d.callback(1);

    CHECK_FALSE(refusalOf(d).empty());
  }
}

TEST_CASE("one exception may fail many Deferreds, each with the same object [DEFERRED-45]") {
  const ReportedErrors errors;
  const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("shared"));
  std::vector<Deferred<int>> all(3);
  std::vector<std::exception_ptr> seen;
  for (const Deferred<int>& d : all) {
    d.addCallback([](int value) { return value; });
    d.addErrback([](const Failure& failure) -> int { failure.raise(); });
    d.addErrback([&seen](const Failure& failure) {
      seen.push_back(failure.exception());
      return 0;
    });
  }

  for (const Deferred<int>& d : all) d.errback(error);

  CHECK(seen == std::vector<std::exception_ptr>{error, error, error});
  CHECK(Failure(error).message() == "std::runtime_error: shared");
}

TEST_CASE("the text of a Deferred tells what has become of it [DEFERRED-49]") {
  const ReportedErrors errors;
  const Deferred<int> d;
  const std::string place = "unhandled_test.cpp:" + std::to_string(__LINE__ - 1);

  CHECK(d.toString().starts_with("Deferred<int> created at"));
  CHECK(has(d.toString(), place.c_str()));
  CHECK(d.toString().ends_with("not fired"));
  d.addCallback([&d](int value) {
    CHECK(d.toString().ends_with("running its callbacks"));
    return value;
  });
  d.pause();
  d.callback(1);
  CHECK(d.toString().ends_with("paused"));
  d.unpause();
  CHECK(d.toString().ends_with("has a value"));
  d.addCallback([](int) -> int { throw std::runtime_error("no luck"); });
  CHECK(d.toString().ends_with("failed: std::runtime_error: no luck"));
  const Deferred<int> outer = succeed(0).addCallback([&d](int) { return d; });
  CHECK(d.toString().ends_with("its result was taken"));
  outer.addErrback([](const Failure&) { return 0; });
}
