// LoopingCall on a Clock.
#include "plait/looping_call.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/time_source.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// "fired", or the failure.
void noteEnd(const Deferred<void>& done, std::string& into) {
  done.addBoth([&into](const Result<void>& result) {
    into = result.isValue() ? "fired" : result.failure().message();
  });
}

}  // namespace

TEST_CASE("a looping call is made now and at every multiple of its interval [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  std::vector<long> at;
  const TimePoint start = clock.now();
  LoopingCall call([&] { at.push_back((clock.now() - start) / 1ms); }, clock);

  call.start(1s);
  CHECK(at == std::vector<long>{0});
  const std::vector<Duration> steps{999ms, 1ms, 500ms, 500ms, 1000ms};
  clock.pump(steps);

  CHECK(at == std::vector<long>{0, 1000, 2000, 3000});
  CHECK(call.isRunning());
  CHECK(call.interval() == 1s);
  call.stop();
}

TEST_CASE("asked not to, it makes no call at once [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  LoopingCall call([&calls] { ++calls; }, clock);

  call.start(1s, false);
  CHECK(calls == 0);
  clock.advance(1s);

  CHECK(calls == 1);
  call.stop();
}

TEST_CASE("ticks that were missed are skipped, and the grid is kept [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  const TimePoint start = clock.now();
  std::string log;
  LoopingCall call(
      [&](int ticks) {
        log += std::to_string((clock.now() - start) / 1ms) + "x" + std::to_string(ticks) + " ";
      },
      clock);
  call.start(1s);

  clock.advance(3500ms);
  clock.advance(500ms);
  clock.advance(1s);

  CHECK(log == "0x1 3500x3 4000x1 5000x1 ");
  call.stop();
}

TEST_CASE("it is never called while what it returned has not fired [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  std::optional<Deferred<int>> work;
  LoopingCall call(
      [&] {
        ++calls;
        return work.emplace();
      },
      clock);
  call.start(1s);

  clock.advance(5500ms);
  CHECK(calls == 1);
  work->callback(0);
  CHECK(calls == 1);
  clock.advance(500ms);

  CHECK(calls == 2);
  call.stop();
  work->callback(0);
}

TEST_CASE("stop() fires the Deferred and ends the calls [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  std::string end;
  LoopingCall call([&calls] { ++calls; }, clock);
  noteEnd(call.start(1s), end);

  call.stop();
  clock.advance(10s);

  CHECK(end == "fired");
  CHECK(calls == 1);
  CHECK(clock.pending() == 0);
  CHECK_FALSE(call.isRunning());
}

TEST_CASE("stop() within the very first call ends it [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  std::string end;
  std::optional<LoopingCall> call;
  call.emplace(
      [&] {
        ++calls;
        call->stop();
      },
      clock);

  noteEnd(call->start(1s), end);
  clock.advance(10s);

  CHECK(end == "fired");
  CHECK(calls == 1);
}

TEST_CASE("stop() while the function is at work fires when that is over [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  const Deferred<void> work;
  std::string end;
  LoopingCall call([&work] { return work; }, clock);
  noteEnd(call.start(1s), end);

  call.stop();
  CHECK(end.empty());
  work.callback();

  CHECK(end == "fired");
  CHECK(clock.pending() == 0);
}

TEST_CASE("a failure ends it, thrown at once or later [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  std::string thrown;
  std::string failed;
  LoopingCall throwing(
      [&calls] {
        if (++calls == 2) throw std::runtime_error("second");
      },
      clock);
  const Deferred<void> work;
  LoopingCall failing([&work] { return work; }, clock);
  noteEnd(throwing.start(1s), thrown);
  noteEnd(failing.start(1s), failed);

  work.errback(std::runtime_error("late"));
  clock.advance(1s);
  clock.advance(9s);

  CHECK(thrown == "std::runtime_error: second");
  CHECK(failed == "std::runtime_error: late");
  CHECK(calls == 2);
  CHECK_FALSE(throwing.isRunning());
  CHECK_FALSE(failing.isRunning());
}

TEST_CASE("cancelling its Deferred stops it [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  LoopingCall call([&calls] { ++calls; }, clock);
  const Deferred<void> done = call.start(1s);
  bool cancelled = false;
  done.addErrback<CancelledError>([&cancelled](const CancelledError&) { cancelled = true; });

  done.cancel();
  clock.advance(10s);

  CHECK(cancelled);
  CHECK(calls == 1);
  CHECK_FALSE(call.isRunning());
  CHECK(clock.pending() == 0);
}

TEST_CASE("a cancel while the function is at work waits for it [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  const Deferred<void> work;
  LoopingCall call([&work] { return work; }, clock);
  const Deferred<void> done = call.start(1s);

  done.cancel();
  CHECK_FALSE(done.isCalled());
  work.callback();

  CHECK(done.isCalled());
  CHECK_FALSE(call.isRunning());
  done.addErrback([](const Failure&) {});
}

TEST_CASE("reset() counts the interval anew [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  LoopingCall call([&calls] { ++calls; }, clock);
  call.start(1s, false);
  clock.advance(900ms);

  call.reset();
  clock.advance(900ms);
  CHECK(calls == 0);
  clock.advance(100ms);

  CHECK(calls == 1);
  call.stop();
}

TEST_CASE("it may be started again, and not while it runs [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  LoopingCall call([&calls] { ++calls; }, clock);
  CHECK_THROWS_AS(call.stop(), std::logic_error);
  CHECK_THROWS_AS(call.reset(), std::logic_error);
  CHECK_THROWS_AS(call.start(-1s), std::invalid_argument);
  call.start(1s);
  CHECK_THROWS_AS(call.start(1s), std::logic_error);
  call.stop();

  std::string end;
  noteEnd(call.start(2s), end);
  clock.advance(2s);
  call.stop();

  CHECK(calls == 3);
  CHECK(end == "fired");
}

TEST_CASE("with no interval it is called once in each turn [DEFERRED-100]") {
  const ReportedErrors errors;
  LoopScope loop;
  int calls = 0;
  int between = 0;
  LoopingCall call([&calls] { ++calls; });
  call.start(0s);

  loop.runUntil([&] {
    ++between;
    return calls == 5;
  });
  call.stop();

  CHECK(between >= 4);
}

TEST_CASE("it lives while it runs, whoever drops it [DEFERRED-100]") {
  const ReportedErrors errors;
  Clock clock;
  int calls = 0;
  std::string end;
  std::optional<Deferred<void>> done;
  {
    LoopingCall call([&calls] { ++calls; }, clock);
    done = call.start(1s);
  }
  noteEnd(*done, end);

  clock.advance(1s);
  clock.advance(1s);
  CHECK(calls == 3);
  done->cancel();

  CHECK(end.find("CancelledError") != std::string::npos);
  CHECK(clock.pending() == 0);
}
