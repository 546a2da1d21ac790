// Several at once, locks and queues, coroutines, time.
#include <chrono>
#include <optional>

#include "plait/coroutine.h"
#include "plait/defer_later.h"
#include "plait/deferred_list.h"
#include "plait/deferred_queue.h"
#include "plait/deferred_semaphore.h"
#include "plait/looping_call.h"
#include "plait/maybe_deferred.h"
#include "plait/time_source.h"
#include "scenarios.h"

namespace plait::stories {
namespace {

using namespace std::chrono_literals;

long secondsOf(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::seconds>(clock.now().time_since_epoch()).count();
}

void allOfThem(const Teller& tell) {
  std::vector<Deferred<int>> ds(3);
  auto all = gatherResults(ds);
  all.addCallback(tell.value("all"));
  ds[2].callback(3);
  ds[0].callback(1);
  ds[1].callback(2);
}

void firstError(const Teller& tell) {
  std::vector<Deferred<int>> ds(3);
  auto all = gatherResults(ds, true);
  all.addErrback([&](const Failure& failure) {
    const FirstError& error = failure.trap<FirstError>();
    tell("failure", className(failure), error.index());
    tell("sub", className(error.subFailure()));
    return std::vector<int>();
  });
  ds[1].errback(Boom());
  ds[2].errback(Other());
  ds[0].callback(1);
}

void listOfOutcomes(const Teller& tell) {
  std::vector<Deferred<int>> ds(2);
  deferredList(ds).addCallback([&](const std::vector<Result<int>>& results) {
    for (const Result<int>& each : results) {
      if (each.isValue()) {
        tell("value", each.value());
      } else {
        tell("failure", className(each.failure()));
      }
    }
  });
  ds[1].callback(2);
  ds[0].errback(Boom());
}

void firstValue(const Teller& tell) {
  std::vector<Deferred<int>> ds(2);
  deferredListFirst(ds).addCallback([&](const auto& outcome) {
    const auto& first = std::get<FirstResult<int>>(outcome);
    tell("first", first.value, "of", first.index);
  });
  ds[0].errback(Boom());
  ds[1].callback(2);
}

void emptyList(const Teller& tell) {
  gatherResults(std::vector<Deferred<int>>()).addCallback(tell.value("all"));
}

void cancelAll(const Teller& tell) {
  std::vector<Deferred<int>> ds;
  for (int i = 0; i < 2; ++i) {
    ds.emplace_back([&tell, i](const Deferred<int>&) { tell("canceller", i); });
  }
  auto all = gatherResults(ds, true);
  all.addErrback([&](const Failure& failure) {
    tell("failure", className(failure), failure.trap<FirstError>().index());
    return std::vector<int>();
  });
  all.cancel();
}

void lock(const Teller& tell) {
  DeferredLock lock;
  for (int i = 0; i < 3; ++i) {
    lock.acquire().addCallback([&tell, i](DeferredSemaphore&) { tell("has it", i); });
  }
  tell("release");
  lock.release();
  tell("release");
  lock.release();
  lock.release();
  tell("locked", lock.isLocked());
}

void lockCancelled(const Teller& tell) {
  DeferredLock lock;
  lock.acquire();
  const auto waiting = lock.acquire().addCallback([](DeferredSemaphore&) { return 1; });
  waiting.addErrback(tell.recover("waiting", 0));
  lock.acquire().addCallback([&](DeferredSemaphore&) { tell("third has it"); });
  waiting.cancel();
  lock.release();
}

void lockRun(const Teller& tell) {
  DeferredLock lock;
  Deferred<int> work;
  lock.run([work] { return work; }).addErrback(tell.recover("run", 0));
  tell("locked", lock.isLocked());
  work.errback(Boom());
  tell("locked", lock.isLocked());
}

void semaphore(const Teller& tell) {
  DeferredSemaphore semaphore(2);
  for (int i = 0; i < 4; ++i) {
    semaphore.acquire().addCallback([&tell, i](DeferredSemaphore&) { tell("has it", i); });
  }
  tell("tokens", semaphore.tokens());
  semaphore.release();
  semaphore.release();
}

void queue(const Teller& tell) {
  DeferredQueue<int> queue(1, 2);
  queue.get().addCallback(tell.value("first"));
  queue.get().addCallback(tell.value("second"));
  tell.attempt("third get", [&] { queue.get(); });
  queue.put(1);
  queue.put(2);
  queue.put(3);
  tell.attempt("put", [&] { queue.put(4); });
  queue.get().addCallback(tell.value("kept"));
}

void queueCancelled(const Teller& tell) {
  DeferredQueue<int> queue;
  const Deferred<int> waiting = queue.get();
  waiting.addErrback(tell.recover("waiting", 0));
  waiting.cancel();
  queue.put(1);
  queue.get().addCallback(tell.value("next"));
}

Deferred<int> sum(const Teller tell, Deferred<int> a, Deferred<int> b) {
  tell("begins");
  const int x = co_await std::move(a);
  tell("got", x);
  const int y = co_await std::move(b);
  co_return x + y;
}

void coroutine(const Teller& tell) {
  Deferred<int> a;
  sum(tell, a, succeed(5)).addCallback(tell.value("sum"));
  tell("called");
  a.callback(2);
}

Deferred<int> translates(const Teller tell, Deferred<int> d) {
  try {
    co_await std::move(d);
  } catch (const Boom&) {
    tell("caught");
    throw Other();
  }
  co_return 1;
}

void coroutineError(const Teller& tell) {
  Deferred<int> d;
  translates(tell, d).addErrback(tell.recover("result", 0));
  d.errback(Boom());
}

Deferred<int> goesOn(const Teller tell, Deferred<int> first, Deferred<int> second) {
  try {
    co_await std::move(first);
  } catch (const CancelledError&) {
    tell("first was cancelled");
  }
  co_return co_await std::move(second);
}

void coroutineCancelled(const Teller& tell) {
  Deferred<int> first([&](const Deferred<int>&) { tell("canceller"); });
  Deferred<int> second;
  const auto result = goesOn(tell, first, second);
  result.addCallback(tell.value("result"));
  result.cancel();
  tell("goes on");
  second.callback(3);
}

Deferred<int> cleansUp(const Teller tell, Deferred<int> work, Deferred<void> ending) {
  std::exception_ptr cancelled;
  try {
    co_return co_await std::move(work);
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
    tell("cleans up");
  }
  co_await std::move(ending);
  tell("clean");
  std::rethrow_exception(cancelled);
}

void coroutineSlowCancel(const Teller& tell) {
  Deferred<int> work;
  Deferred<void> ending;
  const auto result = cleansUp(tell, work, ending);
  result.addErrback(tell.recover("result", 0));
  result.cancel();
  tell("not yet");
  ending.callback();
}

void clock(const Teller& tell) {
  Clock clock;
  clock.callLater(3s, [&] { tell("three"); });
  clock.callLater(1s, [&] {
    tell("one");
    clock.callLater(1s, [&] { tell("two"); });
  });
  DelayedCall later = clock.callLater(2s, [&] { tell("never"); });
  later.cancel();
  clock.advance(1s);
  tell("advanced");
  clock.pump(std::vector<Duration>{1s, 1s});
}

void looping(const Teller& tell) {
  Clock clock;
  int count = 0;
  std::optional<LoopingCall> loop;
  loop.emplace(
      [&] {
        tell("tick at", secondsOf(clock));
        if (++count == 4) loop->stop();
      },
      clock);
  loop->start(10s).addCallback([&] { tell("stopped"); });
  for (const Duration each : {10s, 5s, 27s, 3s, 10s, 10s}) clock.advance(each);
}

void loopingWaits(const Teller& tell) {
  Clock clock;
  std::vector<Deferred<void>> waits;
  LoopingCall loop(
      [&] {
        tell("tick at", secondsOf(clock));
        return waits.emplace_back();
      },
      clock);
  loop.start(10s, false).addCallback([&] { tell("stopped"); });
  clock.advance(10s);
  clock.advance(25s);
  waits[0].callback();
  clock.advance(5s);
  loop.stop();
  tell("asked to stop");
  waits[1].callback();
}

void loopingFails(const Teller& tell) {
  Clock clock;
  LoopingCall loop([] { throw Boom(); }, clock);
  loop.start(1s).addErrback(
      [&](const Failure& failure) { tell("loop", "failure", className(failure)); });
  tell("running", loop.isRunning());
}

void later(const Teller& tell) {
  Clock clock;
  deferLater(clock, 5s, [] { return 4; }).addCallback(tell.value("then"));
  const auto cancelled = deferLater(clock, 3s, [&] {
    tell("never");
    return 0;
  });
  cancelled.addErrback(tell.recover("cancelled", 0));
  cancelled.cancel();
  clock.advance(4s);
  tell("four");
  clock.advance(1s);
}

void maybe(const Teller& tell) {
  maybeDeferred([] { return 2; }).addCallback(tell.value("value"));
  maybeDeferred([]() -> int { throw Boom(); }).addErrback(tell.recover("error", 0));
  maybeDeferred([] { return succeed(3); }).addCallback(tell.value("deferred"));
}

}  // namespace

const std::vector<Story> kWorkStories = {
    {"all_of_them", allOfThem},
    {"first_error", firstError},
    {"list_of_outcomes", listOfOutcomes},
    {"first_value", firstValue},
    {"empty_list", emptyList},
    {"cancel_all", cancelAll},
    {"lock", lock},
    {"lock_cancelled", lockCancelled},
    {"lock_run", lockRun},
    {"semaphore", semaphore},
    {"queue", queue},
    {"queue_cancelled", queueCancelled},
    {"coroutine", coroutine},
    {"coroutine_error", coroutineError},
    {"coroutine_cancelled", coroutineCancelled},
    {"coroutine_slow_cancel", coroutineSlowCancel},
    {"clock", clock},
    {"looping", looping},
    {"looping_waits", loopingWaits},
    {"looping_fails", loopingFails},
    {"later", later},
    {"maybe", maybe},
};

}  // namespace plait::stories
