// Errors that nobody waits for: each is reported exactly once.
#include "plait/report.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;

namespace {

Greenlet<int> failing(const char* what) {
  return spawn([what]() -> int { throw std::runtime_error(what); });
}

// What reaches the loop's sink while it lives.
class Sink final {
 public:
  explicit Sink(ErrorSink f) : before_(setErrorSink(std::move(f))) {}
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() { setErrorSink(std::move(before_)); }

 private:
  ErrorSink before_;
};

}  // namespace

FIBER_TEST("an error without a handle is reported once, when its fiber ends [LOOP-10]") {
  ExpectedErrors errors;

  failing("lost");
  settle();

  CHECK(errors.take(1).size() == 1);
}

FIBER_TEST("an error is reported once when the last of its handles is gone [LOOP-10]") {
  ExpectedErrors errors;
  {
    const auto one = failing("kept");
    const AnyGreenlet two = one;
    settle();
    CHECK(errors.take(0).empty());
  }

  CHECK(errors.take(1).size() == 1);
}

FIBER_TEST("an error that somebody took is not reported [LOOP-10]") {
  {
    CHECK_THROWS_AS(failing("get").get(), std::runtime_error);
    const auto looked = failing("looked at");
    looked.join();
    CHECK(looked.exception() != nullptr);
    CHECK_THROWS_AS(joinAllOrThrow(std::vector{failing("joinAll")}), std::runtime_error);
    failing("linked").linkException([](const AnyGreenlet&) {});
    TaskGroup group;
    group.spawn([] { throw std::runtime_error("group"); });
    CHECK_THROWS_AS(group.join(), std::runtime_error);
  }
  settle();
}

FIBER_TEST("a report has the exception, with its notes [LOOP-10]") {
  ExpectedErrors errors;

  spawn({.name = "noted"}, [] {
    Error error(std::errc::io_error, "reading the list");
    error.addNote("for user 7");
    throw error;
  });

  const std::vector<std::string> reports = errors.take(1);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'noted'") != std::string::npos);
  CHECK(reports[0].find("plait::Error: reading the list") != std::string::npos);
  CHECK(reports[0].find("for user 7") != std::string::npos);
}

FIBER_TEST("an error of a callback is reported once, and others go on [LOOP-9]") {
  ExpectedErrors errors;
  bool wasCalled = false;

  const unsigned line = __LINE__ + 1;
  callSoon([] { throw std::runtime_error("callback"); });
  callSoon([&wasCalled] { wasCalled = true; });
  settle();

  const std::vector<std::string> reports = errors.take(1);
  CHECK(wasCalled);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("report_test.cpp:" + std::to_string(line)) != std::string::npos);
}

FIBER_TEST("an error of a callback that has parked is reported once too [LOOP-9]") {
  ExpectedErrors errors;

  callSoon([] {
    yield();
    throw std::runtime_error("later");
  });
  settle();

  CHECK(errors.take(1).size() == 1);
}

FIBER_TEST("a sink that throws harms nothing [LOOP-11]") {
  int calls = 0;
  {
    const Sink sink([&calls](const ErrorReport&) {
      ++calls;
      throw std::runtime_error("from the sink");
    });
    failing("one");
    callSoon([] { throw std::runtime_error("two"); });
    settle();
  }

  CHECK(calls == 2);
}

FIBER_TEST("a sink may ask who runs, spawn and drop handles [LOOP-11]") {
  int calls = 0;
  int spawned = 0;
  {
    const Sink sink([&](const ErrorReport&) {
      ++calls;
      static_cast<void>(current().name());
      spawn([&spawned] { ++spawned; });
    });
    for (int i = 0; i < 5; ++i) failing("dropped");
    settle();
    // With a stack of its own size nobody takes over, it is given back.
    for (int i = 0; i < 5; ++i) {
      spawn({.stackBytes = 512 * 1024}, [] { throw std::runtime_error("dropped"); });
      settle();
    }
  }

  CHECK(calls == 10);
  CHECK(spawned == 10);
}

FIBER_TEST("a sink may block [LOOP-11]") {
  int begun = 0;
  int ended = 0;
  {
    const Sink sink([&](const ErrorReport&) {
      ++begun;
      spawn([] { yield(); }).join();
      for (int i = 0; i < 3; ++i) yield();
      ++ended;
    });
    for (int i = 0; i < 5; ++i) failing("dropped");
    settle();
    for (int i = 0; i < 5; ++i) {
      spawn({.stackBytes = 512 * 1024}, [] { throw std::runtime_error("dropped"); });
      settle();
    }
  }

  CHECK(begun == 10);
  CHECK(ended == 10);
}

TEST_CASE("an error in a handle that outlives the run is reported once, at its end [LOOP-10]") {
  std::vector<std::string> reports;
  ErrorSink before = setErrorSink(
      [&reports](const ErrorReport& report) { reports.push_back(describe(report.error)); });
  {
    std::optional<AnyGreenlet> handle;
    run([&handle] {
      handle = failing("outlived");
      handle->join();
    });
    CHECK(reports.empty());
  }
  setErrorSink(std::move(before));

  CHECK(reports == std::vector<std::string>{"std::runtime_error: outlived"});
}

TEST_CASE(
    "the error of a fiber that the end of a run unwinds is reported once [LOOP-10] [LOOP-16]") {
  int reports = 0;
  RunOptions options;
  options.errorSink = [&reports](const ErrorReport&) { ++reports; };

  run(options, [] {
    spawn([] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        throw std::runtime_error("cleanup failed");
      }
    });
    yield();
  });

  CHECK(reports == 1);
}

TEST_CASE("what leaves main is thrown by run and not reported [LOOP-12]") {
  int reports = 0;
  RunOptions options;
  options.errorSink = [&reports](const ErrorReport&) { ++reports; };

  CHECK_THROWS_WITH_AS(run(options, [] { throw std::runtime_error("out"); }), "out",
                       std::runtime_error);

  CHECK(reports == 0);
}
