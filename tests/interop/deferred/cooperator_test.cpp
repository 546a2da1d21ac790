// Cooperator and its tasks.
#include "plait/cooperator.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/time_source.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

void noteEnd(const Deferred<void>& done, std::string& into) {
  done.addBoth([&into](const Result<void>& result) {
    into += result.isValue()                                   ? "done "
            : result.failure().check<TaskStopped>() != nullptr ? "stopped "
                                                               : result.failure().message();
  });
}

}  // namespace

TEST_CASE("tasks share the turns step by step [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  std::string log;
  int a = 0;
  int b = 0;
  const auto first = cooperator.cooperate([&] {
    log += 'a';
    return ++a < 3;
  });
  const auto second = cooperator.cooperate([&] {
    log += 'b';
    return ++b < 2;
  });
  CHECK(log.empty());

  loop.runUntil([&] { return first.isDone() && second.isDone(); });

  CHECK(log == "ababa");
}

TEST_CASE("a step that took the slice lets the loop go on before the next [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator(loopTime(), 0s);
  int steps = 0;
  int turns = 0;
  const auto task = cooperator.cooperate([&steps] { return ++steps < 10; });

  loop.runUntil([&] {
    ++turns;
    return task.isDone();
  });

  CHECK(steps == 10);
  CHECK(turns > 10);
}

TEST_CASE("a step's Deferred holds up its own task alone [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  const Deferred<void> gate;
  int waits = 0;
  int steps = 0;
  const auto waiting = cooperator.cooperate([&]() -> std::optional<Deferred<void>> {
    if (++waits == 2) return std::nullopt;
    return gate;
  });
  const auto busy = cooperator.cooperate([&] { return ++steps < 10; });

  loop.runUntil([&] { return busy.isDone(); });
  CHECK(waits == 1);
  gate.callback();
  loop.runUntil([&] { return waiting.isDone(); });

  CHECK(waits == 2);
}

TEST_CASE("whenDone() tells any number of times how a task has ended [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  auto fine = cooperator.cooperate([] { return false; });
  auto throwing = cooperator.cooperate([]() -> bool { throw std::runtime_error("no "); });
  auto failing = cooperator.cooperate(
      []() -> std::optional<Deferred<void>> { return fail<void>(std::runtime_error("late ")); });
  std::string end;
  noteEnd(fine.whenDone(), end);
  noteEnd(throwing.whenDone(), end);

  loop.settle();
  noteEnd(fine.whenDone(), end);
  noteEnd(failing.whenDone(), end);

  CHECK(end == "done std::runtime_error: no done std::runtime_error: late ");
}

TEST_CASE("a paused task makes no step until as many resumes [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  int steps = 0;
  auto task = cooperator.cooperate([&] { return ++steps < 3; });
  task.pause();
  task.pause();

  loop.settle();
  task.resume();
  loop.settle();
  CHECK(steps == 0);
  task.resume();
  loop.settle();

  CHECK(steps == 3);
  CHECK_THROWS_AS(task.resume(), std::logic_error);
}

TEST_CASE("a task paused while its step waits goes on after both [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  const Deferred<void> gate;
  int steps = 0;
  auto task = cooperator.cooperate([&]() -> std::optional<Deferred<void>> {
    if (++steps == 2) return std::nullopt;
    return gate;
  });
  loop.settle();

  task.pause();
  gate.callback();
  loop.settle();
  CHECK(steps == 1);
  task.resume();
  loop.settle();

  CHECK(steps == 2);
  CHECK(task.isDone());
}

TEST_CASE("a stopped task makes no step and cancels what it waits for [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  int cancels = 0;
  int steps = 0;
  const Deferred<void> work([&cancels](const Deferred<void>&) { ++cancels; });
  auto task = cooperator.cooperate([&]() -> std::optional<Deferred<void>> {
    ++steps;
    return work;
  });
  std::string end;
  noteEnd(task.whenDone(), end);
  loop.settle();

  task.stop();
  loop.settle();

  CHECK(end == "stopped ");
  CHECK(cancels == 1);
  CHECK(steps == 1);
  CHECK_THROWS_AS(task.stop(), std::logic_error);
}

TEST_CASE("a watcher that is cancelled leaves the task alone [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  int steps = 0;
  auto task = cooperator.cooperate([&] { return ++steps < 3; });
  const Deferred<void> watcher = task.whenDone();
  std::string end;
  noteEnd(watcher, end);

  watcher.cancel();
  loop.settle();

  CHECK(end.find("CancelledError") != std::string::npos);
  CHECK(steps == 3);
  CHECK(task.isDone());
}

TEST_CASE("a stopped Cooperator ends the tasks that are ready [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  std::string end;
  noteEnd(cooperator.coiterate([] { return true; }), end);
  noteEnd(cooperator.coiterate([] { return true; }), end);

  cooperator.stop();
  loop.settle();

  CHECK(end == "stopped stopped ");
  CHECK_FALSE(cooperator.isRunning());
}

TEST_CASE("a Cooperator lives as long as its tasks [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  int steps = 0;
  std::string end;
  noteEnd(coiterate([&] { return ++steps < 5; }), end);

  loop.settle();

  CHECK(steps == 5);
  CHECK(end == "done ");
}

TEST_CASE("what a task captured goes with its end [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  const auto alive = std::make_shared<int>(0);
  std::optional<CooperativeTask> task(cooperate([alive] { return false; }));
  CHECK(alive.use_count() == 2);

  loop.settle();

  CHECK(task->isDone());
  CHECK(alive.use_count() == 1);
}

TEST_CASE("tasks that are left when their clock goes are dropped [BRIDGE-59]") {
  const ReportedErrors errors;
  const auto alive = std::make_shared<int>(0);
  std::string end;
  {
    Clock clock;
    Cooperator cooperator(clock);
    noteEnd(cooperator.coiterate([alive] { return true; }), end);
  }

  CHECK(alive.use_count() == 1);
  CHECK(end.find("BrokenDeferredError") != std::string::npos);
}

TEST_CASE("a task whose step returns a Deferred that was taken fails [BRIDGE-59]") {
  const ReportedErrors errors;
  LoopScope loop;
  Cooperator cooperator;
  const Deferred<void> taken;
  taken.addCallback([] { return 1; });
  std::string seen;

  cooperator.coiterate([taken]() -> std::optional<Deferred<void>> { return taken; })
      .addErrback<AlreadyChainedError>([&seen](const AlreadyChainedError&) { seen = "taken"; });
  loop.settle();

  CHECK(seen == "taken");
}
