// The beginning and the end of a run.
#include "plait/run.h"

#include <functional>
#include <latch>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "at_end.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/queue.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// Options whose reports are written down.
RunOptions reportingTo(std::vector<std::string>& reports) {
  RunOptions options;
  options.errorSink = [&reports](const ErrorReport& report) {
    reports.push_back(report.context + ": " + describe(report.error));
  };
  return options;
}

}  // namespace

TEST_CASE("run returns what its function returns, 0 for nothing [LOOP-12]") {
  int number = 5;
  const auto reference = [&number]() -> int& { return number; };

  CHECK(run([] {}) == 0);
  CHECK(run([] { return std::string("text"); }) == "text");
  CHECK(*run([] { return std::make_unique<int>(4); }) == 4);
  CHECK(std::is_same_v<decltype(run(reference)), int&>);
  CHECK(run([] {
          yield();
          return 9;
        }) == 9);
}

TEST_CASE("run throws what leaves its function, the same object [LOOP-12]") {
  const void* thrown = nullptr;

  try {
    run([&thrown] {
      try {
        throw std::out_of_range("main's");
      } catch (const std::out_of_range& e) {
        thrown = &e;
        throw;
      }
    });
    FAIL("it did not throw");
  } catch (const std::out_of_range& e) {
    CHECK(&e == thrown);
  }
  CHECK_THROWS_AS(run([] { throw 1; }), int);
  CHECK_THROWS_AS(run(onKernel("sim"),
                      [] {
                        const Timeout timeout(1ms);
                        sleep(1h);
                      }),
                  TimeoutError);
}

TEST_CASE("run throws GreenletKilled when its fiber was killed [LOOP-12]") {
  CHECK_THROWS_AS(run([] {
                    const AnyGreenlet main = current();
                    spawn([main] { main.requestKill(); });
                    Event().wait();
                  }),
                  GreenletKilled);
  CHECK_THROWS_AS(run([] { throw GreenletExit(); }), GreenletKilled);
}

FIBER_TEST("a run inside a run is an error that harms nothing [LOOP-18]") {
  bool hasRun = false;
  const auto nested = [&hasRun] { run([&hasRun] { hasRun = true; }); };

  CHECK_THROWS_AS(nested(), std::logic_error);
  spawn([&] { CHECK_THROWS_AS(nested(), std::logic_error); }).join();
  callSoon([&] { CHECK_THROWS_AS(nested(), std::logic_error); });
  settle();

  CHECK_FALSE(hasRun);
  CHECK(spawn([] { return 3; }).get() == 3);
}

TEST_CASE("off a loop, what needs one says so [LOOP-18]") {
  CHECK_THROWS_AS(spawn([] {}), std::logic_error);
  CHECK_THROWS_AS(spawnLater(1s, [] {}), std::logic_error);
  CHECK_THROWS_AS(yield(), std::logic_error);
  CHECK_THROWS_AS(sleep(1s), std::logic_error);
  CHECK_THROWS_AS(current(), std::logic_error);
  CHECK_THROWS_AS(Timeout(1s), std::logic_error);
  CHECK_THROWS_AS(CancelShield(), std::logic_error);
  CHECK_THROWS_AS(Event().wait(), std::logic_error);
  CHECK_THROWS_AS(callSoon([] {}), std::logic_error);
  CHECK_THROWS_WITH_AS(Queue<int>().get(), doctest::Contains("plait::run()"), std::logic_error);
}

TEST_CASE("the same thread can run again and finds a fresh loop [LOOP-18]") {
  for (int i = 0; i < 20; ++i) {
    bool wasDropped = true;
    run([&wasDropped] {
      callLater(1h, [&wasDropped] { wasDropped = false; });
      spawn([] { Event().wait(); });
      yield();
    });
    CHECK(wasDropped);
  }
  CHECK_THROWS_AS(run([] { throw 1; }), int);
  CHECK(run([] { return current().name(); }) == "main");
}

TEST_CASE("threads run at the same time, each its own loop [LOOP-18]") {
  std::vector<int> results(3);
  std::vector<std::thread> threads;
  std::latch inside(3);

  for (int& result : results) {
    threads.emplace_back([&result, &inside] {
      result = run([&inside] {
        inside.arrive_and_wait();  // nobody goes on before all three run
        int sum = 0;
        std::vector<Greenlet<int>> all;
        for (int i = 0; i < 100; ++i) {
          all.push_back(spawn([i] {
            yield();
            return i;
          }));
        }
        for (const auto& greenlet : all) sum += greenlet.get();
        return sum;
      });
    });
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(results == std::vector<int>(3, 4950));
}

// --- the end ---

TEST_CASE("every other fiber is unwound before run returns, new ones too [LOOP-16]") {
  std::set<std::string> steps;

  run([&steps] {
    const AtEnd mains([&steps] { steps.insert("main"); });
    spawn([&steps] {
      const AtEnd end([&steps] {
        yield();
        steps.insert("parked");
        spawn([&steps] {
          steps.insert("began though too late");
        }).link([&steps](const AnyGreenlet& born) {
          steps.insert(born.isKilled() ? "born killed" : "lived");
        });
      });
      Event().wait();
    });
    spawn([&steps] {
      const CancelShield shield;
      for (int i = 0; i < 5; ++i) yield();
      steps.insert("shielded");
    });
    yield();
  });

  CHECK(steps == std::set<std::string>{"born killed", "main", "parked", "shielded"});
}

TEST_CASE("what one fiber of a run waits for another ends well when all are killed [LOOP-16]") {
  int unwound = 0;

  run([&unwound] {
    AnyGreenlet last = spawn([] { Event().wait(); });
    for (int i = 0; i < 10; ++i) {
      last = spawn([last, &unwound] {
        const AtEnd end([last, &unwound] {
          const CancelShield shield;
          last.join();
          ++unwound;
        });
        last.join();
      });
    }
    yield();
  });

  CHECK(unwound == 10);
}

TEST_CASE("a fiber that waits shielded for nothing is reported once, run returns [LOOP-17]") {
  std::vector<std::string> reports;
  AnyGreenlet handle;

  run(reportingTo(reports), [&handle] {
    handle = spawn({.name = "stubborn"}, [] {
      const CancelShield shield;
      Event().wait();
    });
    yield();
  });

  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'stubborn' (spawned at ") != std::string::npos);
  CHECK(reports[0].find("Event::wait") != std::string::npos);
}

TEST_CASE("a fiber that swallows its kills without end is reported once [LOOP-17] [KILL-16]") {
  std::vector<std::string> reports;

  int strikes = 0;
  const int result = run(reportingTo(reports), [&strikes] {
    spawn({.name = "deaf"}, [&strikes] {
      for (;;) {
        try {
          Event().wait();
        } catch (...) {
          ++strikes;
        }
      }
    });
    spawn([] { Event().wait(); });
    yield();
    return 4;
  });

  CHECK(result == 4);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'deaf' (spawned at ") != std::string::npos);
  CHECK(reports[0].find("it swallowed 1000 kills") != std::string::npos);
  CHECK(strikes == 1000);
}

TEST_CASE("callbacks that call each other without end do not keep a run [LOOP-17]") {
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    callSoon(again);
  };

  run([&again] {
    again();
    yield();
  });

  CHECK(calls > 0);
}

TEST_CASE("a handle of a fiber that refused to end can be used after the run [LOOP-17]") {
  std::vector<std::string> reports;
  AnyGreenlet handle;
  run(reportingTo(reports), [&handle] {
    handle = spawn([] {
      const CancelShield shield;
      Event().wait();
    });
    yield();
  });
  REQUIRE(reports.size() == 1);

  CHECK_NOTHROW(handle.requestKill());
  CHECK_NOTHROW(handle.requestKill(std::make_exception_ptr(1)));
  CHECK_NOTHROW(static_cast<void>(handle.name()));
  run([&handle] { CHECK_NOTHROW(handle.kill(0s)); });
}

TEST_CASE("an unknown kernel is refused by name") {
  CHECK_THROWS_WITH_AS(run(onKernel("abacus"), [] {}), doctest::Contains("'abacus'"), Error);
}
