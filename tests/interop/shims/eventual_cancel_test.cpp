// Cancelling an EventualResult.
#include <pthread.h>
#include <signal.h>

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

#include "fiber_test.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/eventual_result.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/run.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// Runs f on a thread of its own, and this fiber's loop meanwhile.
template <class F>
void onThread(F f) {
  Event done;
  std::thread thread([&done, &f, loop = LoopHandle()] {
    f(loop);
    loop.callFromThread([&done] { done.set(); });
  });
  done.wait();
  thread.join();
}

}  // namespace

FIBER_TEST("a cancel right after the submission keeps it from running [BRIDGE-38]") {
  bool ran = false;
  bool cancelled = false;
  Event submitted;
  std::thread thread([&, loop = LoopHandle()] {
    std::optional<EventualResult<void>> result;
    std::atomic<bool> busy = false;
    std::atomic<bool> free = false;
    // While the loop is busy nothing begins.
    loop.callFromThread([&] {
      busy = true;
      busy.notify_all();
      free.wait(false);
    });
    busy.wait(false);
    result = runInReactor(loop, [&ran] { ran = true; });
    result->cancel();
    free = true;
    free.notify_all();
    try {
      result->wait();
    } catch (const CancelledError&) {
      cancelled = true;
    }
    loop.callFromThread([&submitted] { submitted.set(); });
  });
  submitted.wait();
  thread.join();

  CHECK(cancelled);
  CHECK_FALSE(ran);
}

FIBER_TEST("a cancel at work kills the greenlet, and waits for its end [BRIDGE-38]") {
  bool cleaned = false;
  bool killed = false;
  onThread([&](const LoopHandle& loop) {
    std::atomic<bool> begun = false;
    const auto result = runInReactor(loop, [&] {
      begun = true;
      begun.notify_all();
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        yield();
        cleaned = true;
        throw;
      }
    });
    begun.wait(false);
    result.cancel();
    try {
      result.wait();
    } catch (const GreenletKilled&) {
      killed = cleaned;
    }
    result.cancel();
  });

  CHECK(killed);
}

FIBER_TEST("a cancel at work goes to the Deferred that was returned [BRIDGE-38]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  onThread([&](const LoopHandle& loop) {
    const auto result = runInReactor(loop, [&d] { return d; });
    runInReactor(loop, [] { settle(); }).wait();
    result.cancel();
    CHECK_THROWS_AS(result.wait(), CancelledError);
  });

  CHECK(cancels == 1);
}
