// setup(), shutdown() and what threads do with a reactor in the background.
#include "plait/background.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "child_process.h"
#include "plait/call_later.h"
#include "plait/defer_later.h"
#include "plait/defer_to_thread.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/reactor.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

class Running final {
 public:
  Running() { setup(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { shutdown(); }
};

}  // namespace

TEST_CASE("a program of threads has a reactor in the background [BRIDGE-57]") {
  const std::thread::id here = std::this_thread::get_id();
  const Running running;
  setup();
  CHECK(reactor().isRunning());

  std::thread::id there;
  const int value = waitFor(kForever, [&there] {
    there = std::this_thread::get_id();
    sleep(1ms);
    return 4;
  });
  const std::string text =
      waitFor(kForever, [] { return deferLater(1ms, [] { return std::string("text"); }); });
  waitFor(kForever, [] {});

  CHECK(value == 4);
  CHECK(text == "text");
  CHECK(there != here);
}

TEST_CASE("an error comes to the thread that waits [BRIDGE-57]") {
  const Running running;

  CHECK_THROWS_AS(waitFor(kForever, [] { throw std::range_error("no"); }), std::range_error);
}

TEST_CASE("an idle background is no deadlock, and a pending wait ends with it [BRIDGE-57]") {
  std::string seen;
  std::optional<EventualResult<void>> result;
  {
    const Running running;
    std::atomic<bool> begun = false;
    result = runInReactor([&begun] {
      begun = true;
      begun.notify_all();
      Event().wait();
    });
    begun.wait(false);
  }

  CHECK_THROWS_AS(result->wait(), ReactorStopped);
  CHECK_FALSE(reactor().isRunning());
}

TEST_CASE("it may be set up again after a shutdown [BRIDGE-57]") {
  for (int i = 0; i < 3; ++i) {
    const Running running;
    CHECK(waitFor(kForever, [i] { return i; }) == i);
  }
  shutdown();

  CHECK_THROWS_AS(runInReactor([] {}), ReactorStopped);
}

TEST_CASE("shutdown() calls the triggers [BRIDGE-57] [BRIDGE-54]") {
  std::string log;
  {
    const Running running;
    waitFor(kForever, [&log] {
      reactor().addSystemEventTrigger("before", "shutdown", [&log] { log += "end"; });
    });
  }

  CHECK(log == "end");
}

TEST_CASE("shutdown() on the loop is refused [BRIDGE-57]") {
  const Running running;

  CHECK_THROWS_AS(waitFor(kForever, [] { shutdown(); }), std::logic_error);
}

TEST_CASE("a runtime that cannot start says why [BRIDGE-57]") {
  RunOptions options;
  options.kernel = "nonesuch";

  CHECK_THROWS(setup(options));

  CHECK_FALSE(reactor().isRunning());
  const Running running;
  CHECK(waitFor(kForever, [] { return 1; }) == 1);
}

TEST_CASE("noSetup() and setup() exclude each other [BRIDGE-57]") {
  const int status = inChild([] {
    setup();
    try {
      noSetup();
      return 1;
    } catch (const std::logic_error&) {
    }
    shutdown();
    noSetup();
    try {
      setup();
      return 2;
    } catch (const std::logic_error&) {
    }
    return 0;
  });

  CHECK(status == 0);
}

TEST_CASE("a wait that is out of time cancels what it waited for [BRIDGE-58]") {
  const Running running;
  int atWork = 0;

  CHECK_THROWS_AS(waitFor(1ms,
                          [&atWork] {
                            struct Note {
                              int& count;
                              explicit Note(int& c) : count(c) { ++count; }
                              ~Note() { --count; }
                            };
                            const Note note(atWork);
                            Event().wait();
                          }),
                  TimeoutError);
  // Behind the cancel, whether that came before the call began or after.
  const int left = waitFor(kForever, [&atWork] {
    yield();
    return atWork;
  });

  CHECK(left == 0);
}

TEST_CASE("a wait in the reactor is refused, and may go through a thread [BRIDGE-22]") {
  const Running running;

  CHECK_THROWS_AS(waitFor(kForever, [] { waitFor(kForever, [] {}); }), std::logic_error);
  const int value = waitFor(
      kForever, [] { return deferToThread([] { return waitFor(kForever, [] { return 6; }); }); });

  CHECK(value == 6);
}

TEST_CASE("a forked child has no background runtime [BRIDGE-40]") {
  const Running running;
  const auto pending = runInReactor([] { Event().wait(); });

  const int status = inChild([] {
    if (reactor().isRunning()) return 1;
    try {
      runInReactor([] {});
      return 2;
    } catch (const ReactorStopped& error) {
      if (std::string(error.what()).find("fork") == std::string::npos) return 3;
    }
    shutdown();
    return 0;
  });

  CHECK(status == 0);
  pending.cancel();
}

TEST_CASE("a runtime in the background leaves SIGINT to the program [PROCESS-17]") {
  CHECK(inChild([] {
          ::signal(SIGINT, SIG_DFL);
          const Running running;
          waitFor(kForever, [] { return 0; });
          struct sigaction action{};
          ::sigaction(SIGINT, nullptr, &action);
          return action.sa_handler == SIG_DFL ? 7 : 8;
        }) == 7);
}
