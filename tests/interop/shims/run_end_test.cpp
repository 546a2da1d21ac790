// A run that ends with all kinds of things pending, and runs that cannot go on.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cooperator.h"
#include "plait/defer_later.h"
#include "plait/defer_to_thread.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/eventual_result.h"
#include "plait/greenlet.h"
#include "plait/looping_call.h"
#include "plait/run.h"
#include "plait/thread_pool.h"
#include "plait/wait_for_all.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

std::string deadlockOf(const std::function<void()>& main) {
  try {
    run(main);
  } catch (const DeadlockError& error) {
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A thread that waits for what never comes, and what it was told.
class WaitingThread final {
 public:
  template <class F>
  explicit WaitingThread(F f)
      : thread_([this, f = std::move(f), loop = LoopHandle()] {
          try {
            f(loop);
          } catch (const ReactorStopped&) {
            told_ = "stopped";
          } catch (const std::exception& error) {
            told_ = error.what();
          }
        }) {}
  std::string join() {
    thread_.join();
    return told_;
  }

 private:
  std::string told_ = "returned";
  std::thread thread_;
};

}  // namespace

TEST_CASE("Deferreds, loops and fibers that are pending go with their run [BRIDGE-35]") {
  const auto life = std::make_shared<int>(0);
  int made = 0;
  run(onKernel("sim"), [&] {
    LoopingCall([life] {}).start(1s);
    spawn([life] { waitForDeferred(deferLater(1h)); });
    spawn([life] { all(deferLater(1h), deferLater(2h)); });
    deferToGreenlet([life] { Event().wait(); }).addBoth([life](const Result<void>&) {});
    waitForGreenlet(spawnLater(1h, [life] {})).addBoth([life](const Result<void>&) {});
    ++made;
    settle();
  });

  CHECK(made == 1);
  CHECK(life.use_count() == 1);
}

TEST_CASE("a fiber that waits on another's Deferred at the end is killed [BRIDGE-35]") {
  std::string log;
  std::optional<Deferred<int>> kept;
  run([&] {
    kept.emplace();
    spawn([&] {
      try {
        waitForDeferred(*kept);
      } catch (const GreenletExit&) {
        log = "killed";
        throw;
      }
    });
    settle();
  });

  CHECK(log == "killed");
  CHECK(kept->isCalled());
}

TEST_CASE("a Deferred may outlive its run and be fired after it [BRIDGE-35]") {
  std::optional<Deferred<int>> kept;
  int seen = 0;
  run([&] {
    kept.emplace();
    kept->addCallback([&seen](int value) { return seen = value; });
  });

  kept->callback(3);

  CHECK(seen == 3);
}

TEST_CASE("a job of a thread that outlives the run leaves no trace [BRIDGE-35] [BRIDGE-49]") {
  ThreadPool pool;
  std::atomic<bool> begun = false;
  std::atomic<bool> open = false;
  const auto life = std::make_shared<int>(0);
  run([&] {
    deferToThreadPool(pool, [&, life] {
      begun = true;
      begun.notify_all();
      open.wait(false);
      return 1;
    }).addBoth([life](const Result<int>&) {});
    begun.wait(false);
  });

  open = true;
  open.notify_all();
  pool.stop();

  CHECK(life.use_count() == 1);
}

TEST_CASE("a run waits for the job whose waiter lends it its frame [BRIDGE-10] [BRIDGE-35]") {
  std::atomic<bool> begun = false;
  std::atomic<bool> open = false;
  bool unwound = false;
  std::thread opener;
  run(onKernel("uring"), [&] {
    spawn([&] {
      std::string frame = "lent";
      struct Unwound {
        bool* flag;
        ~Unwound() { *flag = true; }
      };
      const Unwound note{&unwound};
      waitForDeferred(deferToThread([&] {
        begun = true;
        begun.notify_all();
        open.wait(false);
        return frame.size();
      }));
      yield();
    });
    settle();
    begun.wait(false);
    opener = std::thread([&open] {
      open = true;
      open.notify_all();
    });
  });
  opener.join();

  CHECK(unwound);
}

TEST_CASE("threads that wait at the end of a run are released [BRIDGE-35] [BRIDGE-37]") {
  std::optional<WaitingThread> onFiber;
  std::optional<WaitingThread> blocked;
  run([&] {
    int asked = 0;
    onFiber.emplace([&](const LoopHandle& loop) {
      runInReactor(loop, [&asked] {
        ++asked;
        Event().wait();
      }).wait();
    });
    blocked.emplace([&](const LoopHandle& loop) {
      blockingCallFromThread(loop, [&asked] {
        ++asked;
        Event().wait();
      });
    });
    while (asked < 2) yield();
    settle();
  });

  CHECK(onFiber->join() == "stopped");
  CHECK(blocked->join() == "stopped");
}

TEST_CASE("a thread whose Deferred outlives the run is released, too [BRIDGE-35] [BRIDGE-37]") {
  const Deferred<int> kept;
  std::optional<WaitingThread> thread;
  run([&] {
    int asked = 0;
    thread.emplace([&](const LoopHandle& loop) {
      runInReactor(loop, [&] {
        ++asked;
        return kept;
      }).wait();
    });
    while (asked < 1) yield();
    settle();
  });

  CHECK(thread->join() == "stopped");
}

TEST_CASE("a fiber that refuses to end holds up no thread that waits for it [BRIDGE-35]") {
  std::optional<WaitingThread> thread;
  bool finished = false;
  run([&] {
    int asked = 0;
    thread.emplace([&](const LoopHandle& loop) {
      runInReactor(loop, [&] {
        ++asked;
        const CancelShield shield;
        // Only the thread, once released, lets this fiber end.
        deferToThread([&thread] {
          return thread->join() == "stopped";
        }).addCallback([&finished](bool wasStopped) { finished = wasStopped; });
        while (!finished) sleep(1ms);
      }).wait();
    });
    while (asked < 1) yield();
  });

  CHECK(finished);
}

TEST_CASE("fibers that wait for each other's Deferreds are a deadlock [BRIDGE-24]") {
  const std::string text = deadlockOf([] {
    std::optional<AnyGreenlet> first;
    std::optional<AnyGreenlet> second;
    const auto wait = [](std::optional<AnyGreenlet>& other) {
      yield();
      waitForDeferred(detail::whenEnded(*other, std::source_location::current()));
    };
    first = spawn({.name = "first"}, [&] { wait(second); });
    second = spawn({.name = "second"}, [&] { wait(first); });
    first->join();
  });

  CHECK(contains(text, "'first'"));
  CHECK(contains(text, "'second'"));
  CHECK(contains(text, "waits in waitForDeferred for the Deferred created at "));
  const std::size_t fires = text.find("' (spawned at", text.find(", which "));
  CHECK(fires != std::string::npos);
  CHECK(contains(text, " fires"));
}

TEST_CASE("a run whose fibers wait for what nobody can fire is a deadlock [BRIDGE-25]") {
  const std::string text = deadlockOf([] {
    const Deferred<int> kept;
    waitForDeferred(kept);
  });

  CHECK(contains(text, "waits in waitForDeferred for the Deferred created at "));
  CHECK(contains(text, "run_end_test.cpp"));
}

TEST_CASE("timers, pool jobs and handles elsewhere may still fire [BRIDGE-25]") {
  CHECK(deadlockOf([] { waitForDeferred(deferLater(1ms)); }).empty());
  CHECK(deadlockOf([] { waitForDeferred(deferToThread([] {})); }).empty());
  CHECK(deadlockOf([] {
          const Deferred<void> d;
          std::thread thread(
              [&d, loop = LoopHandle()] { loop.callFromThread([&d] { d.callback(); }); });
          waitForDeferred(d);
          thread.join();
        }).empty());
}

TEST_CASE("a timeout of the wait keeps a run from being a deadlock [BRIDGE-25]") {
  CHECK(deadlockOf([] {
          const Deferred<int> kept;
          CHECK_THROWS_AS(waitForDeferred(kept, 1ms), TimeoutError);
        }).empty());
}
