// Corners that the bridges once got wrong.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "deferred_support.h"
#include "fiber_test.h"
#include "plait/background.h"
#include "plait/call_later.h"
#include "plait/cooperator.h"
#include "plait/coroutine.h"
#include "plait/defer_later.h"
#include "plait/defer_to_thread.h"
#include "plait/deferred.h"
#include "plait/deferred_list.h"
#include "plait/deferred_queue.h"
#include "plait/deferred_semaphore.h"
#include "plait/event.h"
#include "plait/eventual_result.h"
#include "plait/looping_call.h"
#include "plait/reactor.h"
#include "plait/time_source.h"
#include "plait/timeout.h"
#include "plait/wait_for_all.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "race: a winner that has fired cancels the members behind it [DEFERRED-69]") {
  int cancels = 0;
  const Deferred<int> pending([&cancels](const Deferred<int>&) { ++cancels; });
  int winner = -1;

  race(std::vector<Deferred<int>>{succeed(1), pending})
      .addCallback([&winner](FirstResult<int> first) { winner = first.value; });

  CHECK(winner == 1);
  CHECK(cancels == 1);
}

FIBER_TEST_ON("sim",
              "all(good, spent) leaves nothing that writes into the dead frame [BRIDGE-41]") {
  const Deferred<int> good;
  const Deferred<int> spent = succeed(2);
  spent.addCallback([](int) {});

  CHECK_THROWS_AS(all(good, spent), AlreadyChainedError);
  settle();

  if (!good.isCalled()) good.callback(1);
}

FIBER_TEST_ON("sim",
              "Cooperator::stop ends tasks that are paused or wait for a Deferred [BRIDGE-59]") {
  Cooperator cooperator;
  std::string seen;
  std::optional<Deferred<void>> gate;
  auto waiting = cooperator.cooperate([&gate]() -> std::optional<Deferred<void>> {
    gate.emplace();
    return *gate;
  });
  auto paused = cooperator.cooperate([] { return true; });
  settle();
  paused.pause();
  settle();
  waiting.whenDone().addErrback<TaskStopped>([&seen](const TaskStopped&) { seen += 'w'; });
  paused.whenDone().addErrback<TaskStopped>([&seen](const TaskStopped&) { seen += 'p'; });

  cooperator.stop();
  settle();
  if (gate && !gate->isCalled()) gate->callback();
  settle();

  CHECK(waiting.isDone());
  CHECK(paused.isDone());
  CHECK(seen.size() == 2);
}

FIBER_TEST_ON("sim", "Cooperator::stop from a step ends that task, too [BRIDGE-59]") {
  auto cooperator = std::make_shared<Cooperator>();
  auto task = cooperator->cooperate([cooperator] {
    cooperator->stop();
    return true;
  });
  std::string seen;
  task.whenDone().addErrback<TaskStopped>([&seen](const TaskStopped&) { seen += 's'; });

  settle();

  CHECK(seen == "s");
}

FIBER_TEST_ON("sim", "a step that stops its own task keeps what it has captured [BRIDGE-59]") {
  Cooperator cooperator;
  const auto task = std::make_shared<std::optional<CooperativeTask>>();
  std::string seen;
  const auto alive = std::make_shared<std::string>("alive, and long enough to be on the heap");
  const std::weak_ptr<std::string> watch = alive;
  task->emplace(cooperator.cooperate([&task, &seen, watch, kept = std::string(*alive)] {
    (*task)->stop();
    seen = kept;
    return true;
  }));
  (*task)->whenDone().addErrback<TaskStopped>([](const TaskStopped&) {});

  settle();

  CHECK(seen == *alive);
}

FIBER_TEST_ON("sim", "a cooperative task does not keep alive what it waits for [BRIDGE-19]") {
  Cooperator cooperator;
  std::string seen;
  auto task =
      cooperator.cooperate([]() -> std::optional<Deferred<void>> { return Deferred<void>(); });
  task.whenDone().addErrback([&seen](const Failure& failure) {
    if (failure.check<BrokenDeferredError>() != nullptr) seen += 'b';
  });

  settle();

  CHECK(seen == "b");
}

FIBER_TEST_ON("sim", "a LoopingCall whose f is ended by its own bare Timeout ends [DEFERRED-100]") {
  ExpectedErrors errors;
  int calls = 0;
  std::string seen;
  LoopingCall call([&calls] {
    if (++calls < 2) return;
    const Timeout timeout(1s);
    sleep(1h);
  });
  call.start(1s).addErrback([&seen](const Failure& failure) { seen = failure.message(); });

  sleep(10s);
  errors.take();

  CHECK_FALSE(call.isRunning());
  CHECK_FALSE(seen.empty());
  if (call.isRunning()) call.stop();
}

FIBER_TEST_ON("sim", "cancel after stop() waits for f as stop() does [DEFERRED-100]") {
  const Deferred<void> work;
  LoopingCall call([&work] { return work; });
  const Deferred<void> done = call.start(1s);
  call.stop();

  done.cancel();

  CHECK_FALSE(done.isCalled());
  work.callback();
  CHECK(done.isCalled());
  done.addErrback([](const Failure&) {});
}

FIBER_TEST_ON("sim", "cancelling a LoopingCall twice waits for f all the same [DEFERRED-100]") {
  const Deferred<void> work;
  LoopingCall call([&work] { return work; });
  const Deferred<void> done = call.start(1s);
  done.cancel();

  done.cancel();

  CHECK_FALSE(done.isCalled());
  work.callback();
  CHECK(done.isCalled());
  done.addErrback([](const Failure&) {});
}

FIBER_TEST_ON("sim", "a callback that has released may block on acquire [BRIDGE-21]") {
  DeferredSemaphore semaphore(1);
  semaphore.acquire();
  bool got = false;
  semaphore.acquire()
      .addCallback([&](DeferredSemaphore& same) {
        same.release();
        waitForDeferred(same.acquire(), 1s);
        got = true;
      })
      .addErrback([](const Failure&) {});

  semaphore.release();

  CHECK(got);
}

FIBER_TEST_ON("sim", "a callback of get() may put and block on get [BRIDGE-21]") {
  DeferredQueue<int> queue;
  int got = 0;
  queue.get()
      .addCallback([&](int) {
        queue.put(2);
        got = waitForDeferred(queue.get(), 1s);
      })
      .addErrback([](const Failure&) {});

  queue.put(1);

  CHECK(got == 2);
}

namespace {

struct Fussy {
  explicit Fussy(int n) {
    if (n < 0) throw std::runtime_error("negative");
  }
};

Deferred<Fussy> makeFussy(int n) { co_return n; }

}  // namespace

TEST_CASE("co_return of a value whose making throws is a failure [DEFERRED-84]") {
  const int status = inChild([] {
    run([] {
      std::string seen;
      makeFussy(-1)
          .addCallback([&seen](Fussy) { seen = "value"; })
          .addErrback([&seen](const Failure& failure) { seen = failure.message(); });
      if (seen != "std::runtime_error: negative") throw std::runtime_error("seen: " + seen);
    });
    return 0;
  });

  CHECK(status == 0);
}

TEST_CASE("a kill in what a permit's release runs does not end the process [DEFERRED-81]") {
  const int status = inChild([] {
    run([] {
      DeferredSemaphore semaphore(1);
      const auto holder = spawn([&semaphore] {
        const DeferredPermit permit = waitForDeferred(semaphore.hold());
        yield();
      });
      yield();
      semaphore.acquire().addCallback([](auto&&) { sleep(1h); }).addErrback([](const Failure&) {});
      settle();
      holder.kill();
      settle();
    });
    return 0;
  });

  CHECK(status == 0);
}

TEST_CASE("react() survives a stop() from elsewhere while main is parked [BRIDGE-56]") {
  const int status = inChild([] {
    return react([] {
             callLater(0s, [] { reactor().stop(); });
             sleep(1h);
           }) == 1
               ? 0
               : 2;
  });

  CHECK(status == 0);
}

TEST_CASE(
    "blockingCallFromThread is released at the end, though the Deferred is kept [BRIDGE-35]") {
  const int status = inChild([] {
    const Deferred<int> kept;
    std::string seen;
    std::thread thread;
    run([&] {
      bool asked = false;
      thread = std::thread([&, loop = LoopHandle()] {
        try {
          blockingCallFromThread(loop, [&] {
            asked = true;
            return kept;
          });
        } catch (const ReactorStopped&) {
          seen = "stopped";
        }
      });
      while (!asked) yield();
    });
    thread.join();
    return seen == "stopped" ? 0 : 1;
  });

  CHECK(status == 0);
}

TEST_CASE("a job blocked on the loop is released before the run waits for the job [BRIDGE-35]") {
  const int status = inChild([] {
    std::string seen;
    run([&] {
      bool asked = false;
      spawn([&] {
        waitForDeferred(deferToThread([&, loop = LoopHandle()] {
          try {
            blockingCallFromThread(loop, [&] {
              asked = true;
              return deferLater(1h);
            });
          } catch (const ReactorStopped&) {
            seen = "stopped";
          }
        }));
      });
      while (!asked) yield();
    });
    return seen == "stopped" ? 0 : 1;
  });

  CHECK(status == 0);
}

// --- found while the green suite was written

TEST_CASE("what a timer holds at the run's end goes with it [DEFERRED-113]") {
  const auto life = std::make_shared<int>(0);
  run(onKernel("sim"), [&] {
    deferLater(1h).addCallback([life] {});
    Deferred<int> d;
    d.addCallback([life](int) {});
    callLater(1h, [d] {});
    settle();
  });

  CHECK(life.use_count() == 1);  // 3
}

TEST_CASE(
    "a thread blocked on a Deferred that a timer would fire is released at the end [BRIDGE-35]") {
  const int status = inChild([] {
    std::string seen;
    std::thread thread;
    run([&] {
      bool asked = false;
      thread = std::thread([&, loop = LoopHandle()] {
        try {
          blockingCallFromThread(loop, [&asked] {
            asked = true;
            return deferLater(1h);
          });
        } catch (const ReactorStopped&) {
          seen = "stopped";
        }
      });
      while (!asked) yield();
    });
    thread.join();
    return seen == "stopped" ? 0 : 1;
  });

  CHECK(status == 0);  // -14: hangs in thread.join()
}

Deferred<void> keep(std::shared_ptr<int> life) {
  const std::shared_ptr<int> mine = life;
  co_await 1h;
}
TEST_CASE("a coroutine that awaits time at the run's end goes with it [DEFERRED-91]") {
  const auto life = std::make_shared<int>(0);
  run([&life] {
    keep(life);
    settle();
  });

  CHECK(life.use_count() == 1);  // 3
}

TEST_CASE("a forked child of a process with a background may set up its own [BRIDGE-40]") {
  setup();
  const int status = inChild([] {
    setup();
    const int value = waitFor(kForever, [] { return 3; });
    shutdown();
    return value == 3 ? 0 : 1;
  });

  CHECK(status == 0);  // -14: setup() hangs
  shutdown();
}

// --- probes that fail (P3..P10)

TEST_CASE("all() of the own greenlet is an error at once [BRIDGE-23]") {
  const int status = inChild([] {
    try {
      run([] {
        std::optional<Greenlet<void>> self;
        self = spawn([&] {
          try {
            all(*self);
          } catch (const std::logic_error&) {
          }
        });
        self->join();
      });
    } catch (const DeadlockError& e) {
      return 5;
    }
    return 0;
  });
  CHECK(status == 0);
}
TEST_CASE("a callback that waits for its own Deferred is refused [BRIDGE-23]") {
  const int status = inChild([] {
    bool ok = false;
    run([&ok] {
      auto a = spawn([] {
        const Deferred<int> d;
        d.addCallback([&d](int v) { return v + waitForDeferred(d); });
        d.addErrback([](const Failure&) { return 0; });
        d.callback(1);
      });
      settle();
      ok = a.kill(1s);
    });
    return ok ? 0 : 1;
  });
  CHECK(status == 0);
}
TEST_CASE("a waiter on a paused Deferred can be killed [BRIDGE-10]") {
  const int status = inChild([] {
    bool ok = false;
    run([&ok] {
      auto a = spawn([] {
        const Deferred<int> d;
        d.pause();
        d.callback(1);
        waitForDeferred(d);
      });
      settle();
      ok = a.kill(1s);
    });
    return ok ? 0 : 1;
  });
  CHECK(status == 0);
}
TEST_CASE("a LoopingCall is not started in its own function [DEFERRED-100]") {
  Clock clock;
  int calls = 0;
  std::optional<LoopingCall> call;
  call.emplace(
      [&] {
        ++calls;
        call->stop();
        CHECK_THROWS_AS(call->start(1s), std::logic_error);
      },
      clock);
  bool isOver = false;

  call->start(1s).addCallback([&isOver] { isOver = true; });
  clock.advance(2s);

  CHECK(calls == 1);
  CHECK(isOver);
}

FIBER_TEST_ON("sim", "a race cancelled by a loser that the winner cancels is won [DEFERRED-69]") {
  std::optional<Deferred<FirstResult<int>>> out;
  const Deferred<int> a([&](const Deferred<int>&) { out->cancel(); });
  const Deferred<int> b;
  std::string seen;
  out = race(std::vector<Deferred<int>>{a, b});
  out->addBoth([&](const Result<FirstResult<int>>& r) {
    seen = r.isValue() ? "value" : r.failure().message();
    return FirstResult<int>{0, 0};
  });
  b.callback(1);
  settle();
  CHECK(seen == "value");
  out.reset();
}
FIBER_TEST_ON("sim", "a LoopingCall killed in its first call is stopped [DEFERRED-100]") {
  std::optional<LoopingCall> call;
  call.emplace([] { sleep(1h); });
  auto g = spawn([&] { call->start(1s); });
  settle();
  g.kill();
  CHECK_FALSE(call->isRunning());
  call.reset();
}

TEST_CASE("a forked child that waits for the parent's EventualResult is told [BRIDGE-40]") {
  setup();
  const auto pending = runInReactor([] { Event().wait(); });
  const int status = inChild([&pending] {
    try {
      pending.wait(100ms);  // for ever: hangs
    } catch (const ReactorStopped&) {
      return 0;
    } catch (const TimeoutError&) {
      return 1;
    }
    return 2;
  });

  CHECK(status == 0);  // 1
  pending.cancel();
  shutdown();
}

FIBER_TEST_ON("sim", "a kill that is pending when the wait begins waits for its end [BRIDGE-10]") {
  int cancels = 0;
  const Deferred<int> work([&cancels](const Deferred<int>&) {
    ++cancels;
    return CancelAnswer::later;
  });
  int seen = 0;
  bool wentOn = false;
  const auto waiter = spawn([&] {
    current().requestKill();
    seen = waitForDeferred(Deferred<int>(work));
    yield();
    wentOn = true;
  });

  settle();
  const bool waited = !waiter.isReady();
  work.callback(3);
  waiter.join();

  CHECK(waited);
  CHECK(cancels == 1);
  CHECK(seen == 3);
  CHECK_FALSE(wentOn);
  CHECK(waiter.isKilled());
}
