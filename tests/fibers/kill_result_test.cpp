// What a kill throws, and what a joiner gets.
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "kills.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/queue.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

struct NoStandardException {
  int value;
};

}  // namespace

TEST_CASE("a kill through a handle that outlived the run does nothing [KILL-1] [KILL-6]") {
  std::optional<Greenlet<int>> ended;
  run([&ended] {
    ended = spawn([] { return 3; });
    ended->join();
  });

  CHECK_NOTHROW(ended->requestKill());
  CHECK_NOTHROW(ended->kill());
  CHECK_NOTHROW(ended->kill(1h));
  CHECK_NOTHROW(ended->kill(error(std::runtime_error("late"))));
  CHECK(ended->get() == 3);
}

FIBER_TEST("a target that ends by itself before the kill reaches it keeps its result [KILL-6]") {
  Queue<int> queue;
  const auto target = spawn([&queue] { return queue.get(); });
  yield();

  queue.put(5);
  target.kill();

  CHECK_FALSE(target.isKilled());
  CHECK(target.get() == 5);
}

FIBER_TEST("killing one that has ended keeps its result and does not switch [KILL-6]") {
  const auto good = spawn([] { return 1; });
  const auto bad = spawn([]() -> int { throw std::runtime_error("mine"); });
  joinAll({good, bad});
  bool hasSwitched = false;
  const AnyGreenlet other = spawn([&hasSwitched] { hasSwitched = true; });

  for (const auto& ended : {good, bad}) {
    ended.kill();
    ended.kill(1h);
    ended.kill(error(std::logic_error("too late")));
  }

  CHECK_FALSE(hasSwitched);
  CHECK(good.get() == 1);
  CHECK_THROWS_WITH(bad.get(), "mine");
  other.join();
}

FIBER_TEST("a fiber that kills itself is struck in that very call [KILL-7]") {
  std::string steps;

  const AnyGreenlet one = spawn([&steps] {
    try {
      current().kill();
    } catch (const GreenletExit&) {
      steps += "kill ";
    }
  });
  const AnyGreenlet two = spawn([&steps] {
    try {
      current().kill(1h);
    } catch (const GreenletExit&) {
      steps += "period ";
    }
  });
  const AnyGreenlet three = spawn([&steps] {
    try {
      current().kill(error(NoStandardException{3}));
    } catch (const NoStandardException& e) {
      steps += "error " + std::to_string(e.value);
    }
  });
  joinAll({one, two, three});

  CHECK(steps == "kill period error 3");
}

FIBER_TEST("a fiber that kills itself inside a shield is struck after it [KILL-7] [KILL-19]") {
  const auto kills = {+[](const AnyGreenlet& g) { g.kill(); },
                      +[](const AnyGreenlet& g) { g.kill(1h); },
                      +[](const AnyGreenlet& g) { g.kill(error(NoStandardException{1})); }};
  for (const auto kill : kills) {
    std::string steps;
    const auto target = spawn([&] {
      {
        const CancelShield shield;
        kill(current());
        yield();
        steps += "shielded ";
      }
      yield();
      steps += "never";
    });

    target.join();

    CHECK(steps == "shielded ");
    CHECK_FALSE(target.isSuccessful());
    static_cast<void>(target.exception());
  }
}

FIBER_TEST("requestKill on oneself returns, and strikes at the next blocking call [KILL-7]") {
  std::string steps;

  const AnyGreenlet target = spawn([&steps] {
    current().requestKill();
    steps += "returned ";
    yield();
    steps += "never";
  });
  target.join();

  CHECK(steps == "returned ");
  CHECK(target.isKilled());
}

// --- what is thrown and what a joiner gets ---

FIBER_TEST("a kill in flight is no std::exception [KILL-8]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    try {
      Event().wait();
    } catch (const std::exception&) {
      steps += "std ";
    } catch (const GreenletExit&) {
      steps += "exit";
    }
  });
  yield();

  target.kill();

  CHECK(steps == "exit");
}

FIBER_TEST("who ends by GreenletExit was killed, whoever threw it; never reported [KILL-9]") {
  const auto killed = spawn([] { Event().wait(); });
  const auto quitting = spawn([] { throw GreenletExit(); });
  const auto dropped = spawn([] { throw GreenletExit(); }).id();
  yield();

  killed.kill();

  for (const auto& greenlet : {killed, quitting}) {
    CHECK(greenlet.isKilled());
    CHECK_FALSE(greenlet.isSuccessful());
    CHECK_THROWS_AS(greenlet.get(), GreenletKilled);
    CHECK_THROWS_AS(greenlet.get(), CancelledError);
    CHECK_THROWS_AS(greenlet.get(), std::exception);
  }
  CHECK(dropped != 0);
}

FIBER_TEST("kill with an exception throws exactly that one, and get gives it [KILL-10]") {
  std::string steps;
  const auto target = spawn([&steps] {
    try {
      Event().wait();
    } catch (const std::exception&) {
      steps += "std ";
      throw;
    } catch (const NoStandardException& e) {
      steps += "own " + std::to_string(e.value);
      throw;
    }
  });
  yield();

  target.kill(error(NoStandardException{4}));

  CHECK(steps == "own 4");
  CHECK_FALSE(target.isKilled());
  CHECK_THROWS_AS(target.get(), NoStandardException);
}

FIBER_TEST("an exception of a kill that nobody takes is reported once [KILL-10]") {
  ExpectedErrors errors;
  {
    const AnyGreenlet target = parked();
    target.kill(error(std::runtime_error("killed so")));
  }

  const std::vector<std::string> reports = errors.take(1);

  REQUIRE(reports.size() == 1);
  CHECK(reports[0].ends_with("std::runtime_error: killed so"));
}

FIBER_TEST("a target that catches a kill and returns has ended well [KILL-11]") {
  const auto target = spawn([] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
    }
    return 8;
  });
  yield();

  target.kill();

  CHECK(target.isSuccessful());
  CHECK_FALSE(target.isKilled());
  CHECK(target.get() == 8);
}
