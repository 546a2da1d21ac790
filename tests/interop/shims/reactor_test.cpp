// The reactor: triggers, callWhenRunning, react().
#include "plait/reactor.h"

#include <signal.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "plait/defer_later.h"
#include "plait/deferred.h"
#include "plait/greenlet.h"
#include "plait/report.h"

using namespace plait;
using namespace std::chrono_literals;

namespace {

// Takes what is reported while it lives, on the thread that runs the reactor.
class Reported final {
 public:
  Reported()
      : before_(setErrorSink([this](const ErrorReport& report) {
          text += report.context + ": " + describe(report.error) + "\n";
        })) {}
  Reported(const Reported&) = delete;
  Reported& operator=(const Reported&) = delete;
  ~Reported() { setErrorSink(std::move(before_)); }

  std::string text;

 private:
  ErrorSink before_;
};

}  // namespace

TEST_CASE("run() calls startup, what waited for it, and shutdown, in order [BRIDGE-53]") {
  std::string log;
  reactor().addSystemEventTrigger("before", "startup", [&log] { log += "start "; });
  reactor().addSystemEventTrigger("before", "shutdown", [&log] { log += "end "; });
  reactor().callWhenRunning([&log] { log += "first "; });
  reactor().callWhenRunning([&log] {
    log += "second ";
    reactor().callWhenRunning([&log] {
      log += "nested ";
      reactor().stop();
    });
  });

  reactor().run(false);

  CHECK(log == "start first second nested end ");
}

TEST_CASE("a thread may call into the reactor and stop it [BRIDGE-53]") {
  std::thread thread;
  std::thread::id seen;
  reactor().callWhenRunning([&] {
    thread = std::thread([&seen] {
      reactor().callFromThread([&seen] { seen = std::this_thread::get_id(); });
      reactor().stop();
    });
  });

  reactor().run(false);
  thread.join();

  CHECK(seen == std::this_thread::get_id());
}

TEST_CASE("signals stop it if they are to [BRIDGE-53]") {
  bool ended = false;
  reactor().addSystemEventTrigger("after", "shutdown", [&ended] { ended = true; });
  reactor().callWhenRunning([] { ::raise(SIGTERM); });

  reactor().run();

  CHECK(ended);
}

TEST_CASE("phases come in order, and a Deferred of before holds up the rest [BRIDGE-54]") {
  std::string log;
  reactor().addSystemEventTrigger("after", "shutdown", [&log] { log += "after "; });
  reactor().addSystemEventTrigger("during", "shutdown", [&log] {
    log += "during ";
    return deferLater(1h);
  });
  reactor().addSystemEventTrigger("before", "shutdown", [&log] {
    log += "before ";
    return deferLater(1ms, [&log] { log += "fired "; });
  });
  reactor().addSystemEventTrigger("before", "shutdown", [&log] {
    sleep(1ms);
    log += "blocked ";
  });
  reactor().callWhenRunning([] { reactor().stop(); });

  reactor().run(false);

  CHECK(log.ends_with("during after "));
  CHECK(log.starts_with("before "));
  CHECK(log.find("fired ") < log.find("during "));
  CHECK(log.find("blocked ") < log.find("during "));
}

TEST_CASE("what a trigger throws is reported, and the others are called [BRIDGE-54]") {
  Reported reported;
  bool called = false;
  reactor().addSystemEventTrigger("before", "startup", [] { throw std::runtime_error("bad"); });
  reactor().addSystemEventTrigger("before", "startup", [&called] { called = true; });
  reactor().addSystemEventTrigger("during", "shutdown", [] { throw std::range_error("worse"); });
  reactor().callWhenRunning([] { reactor().stop(); });

  reactor().run(false);

  CHECK(called);
  CHECK(reported.text.find("std::runtime_error: bad") != std::string::npos);
  CHECK(reported.text.find("std::range_error: worse") != std::string::npos);
}

TEST_CASE("a removed trigger is not called, unknown ones are refused [BRIDGE-54]") {
  bool called = false;
  const auto id =
      reactor().addSystemEventTrigger("during", "startup", [&called] { called = true; });
  reactor().removeSystemEventTrigger(id);
  CHECK_THROWS_AS(reactor().removeSystemEventTrigger(id), std::out_of_range);
  CHECK_THROWS_AS(reactor().addSystemEventTrigger("amid", "startup", [] {}), std::invalid_argument);
  CHECK_THROWS_AS(reactor().addSystemEventTrigger("before", "lunch", [] {}), std::invalid_argument);
  reactor().callWhenRunning([] { reactor().stop(); });

  reactor().run(false);

  CHECK_FALSE(called);
}

TEST_CASE("it may run again, with triggers of its own, and not twice at once [BRIDGE-55]") {
  int started = 0;
  bool refused = false;
  reactor().addSystemEventTrigger("before", "startup", [&started] { ++started; });
  for (int i = 0; i < 2; ++i) {
    reactor().callWhenRunning([&refused] {
      CHECK(reactor().isRunning());
      std::thread([&refused] {
        try {
          reactor().run(false);
        } catch (const std::logic_error&) {
          refused = true;
        }
      }).join();
      reactor().stop();
    });
    reactor().run(false);
  }

  CHECK(started == 1);
  CHECK(refused);
  CHECK_FALSE(reactor().isRunning());
}

TEST_CASE("a reactor that does not run refuses calls [BRIDGE-55]") {
  CHECK_FALSE(reactor().isRunning());
  CHECK_THROWS_AS(reactor().stop(), ReactorStopped);
  CHECK_THROWS_AS(reactor().loop(), ReactorStopped);
  CHECK_THROWS_AS(reactor().callFromThread([] {}), ReactorStopped);
  CHECK_THROWS_AS(reactor().suggestThreadPoolSize(0), std::invalid_argument);
}

TEST_CASE("react() runs until its function or Deferred has ended [BRIDGE-56]") {
  bool ended = false;

  CHECK(react([] { sleep(1ms); }) == 0);
  CHECK(react([] { return 5; }) == 5);
  CHECK(react([&ended] { return deferLater(1ms, [&ended] { ended = true; }); }) == 0);
  CHECK(react([] { return deferLater(1ms, [] { return 7; }); }) == 7);

  CHECK(ended);
  CHECK_FALSE(reactor().isRunning());
}

TEST_CASE("react() reports an error and returns 1 [BRIDGE-56]") {
  Reported reported;

  CHECK(react([] { throw std::runtime_error("thrown"); }) == 1);
  CHECK(react([]() -> Deferred<int> { return fail<int>(std::range_error("failed")); }) == 1);

  CHECK(reported.text.find("thrown") != std::string::npos);
  CHECK(reported.text.find("failed") != std::string::npos);
}
