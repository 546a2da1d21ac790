// Functions on greenlets for code that lives on Deferreds, and back.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fiber_test.h"
#include "plait/blocking_call.h"
#include "plait/call_later.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/run.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "deferToGreenlet runs a function that may block [BRIDGE-48]") {
  const Deferred<int> d = deferToGreenlet([] {
    sleep(1s);
    return 2;
  });
  const Deferred<int> failing = deferToGreenlet([]() -> int { throw std::range_error("no"); });

  CHECK_THROWS_AS(waitForDeferred(failing), std::range_error);
  CHECK(waitForDeferred(d) == 2);
}

FIBER_TEST_ON("sim",
              "in a pool it begins when there is room, a cancel before takes it out "
              "[BRIDGE-48]") {
  Pool pool(1);
  Event gate;
  std::string log;
  const auto first = deferToGreenletPool(pool, [&] {
    gate.wait();
    log += 'a';
  });
  const auto second = deferToGreenletPool(pool, [&log] { log += 'b'; });
  const auto third = deferToGreenletPool(pool, [&log] { log += 'c'; });
  settle();

  second.cancel();
  CHECK_THROWS_AS(waitForDeferred(second), CancelledError);
  gate.set();
  waitForDeferred(first);
  waitForDeferred(third);

  CHECK(log == "ac");
}

FIBER_TEST_ON("sim", "a cancel at work in a pool kills what works [BRIDGE-48]") {
  Pool pool(1);
  bool killed = false;
  const auto work = deferToGreenletPool(pool, [&killed] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      killed = true;
      throw;
    }
  });
  settle();

  work.cancel();

  CHECK_THROWS_AS(waitForDeferred(work), GreenletKilled);
  CHECK(killed);
}

FIBER_TEST_ON("sim", "functions for one greenlet run in order until one throws [BRIDGE-52]") {
  ExpectedErrors errors;
  std::string log;
  std::vector<detail::UniqueFunction<void()>> functions;
  functions.emplace_back([&log] {
    sleep(1s);
    log += 'a';
  });
  functions.emplace_back([] { throw std::runtime_error("stop"); });
  functions.emplace_back([&log] { log += 'c'; });

  callMultipleInGreenlet(std::move(functions)).join();

  CHECK(log == "a");
  CHECK(errors.take().size() == 1);
}

FIBER_TEST_ON("sim", "handlers of Deferreds become handlers that block [BRIDGE-51]") {
  auto handler = deferredHandler([](int value, const std::string& text) {
    return deferLater(1s, [value, text] { return text + std::to_string(value); });
  });

  CHECK(handler(4, "n=") == "n=4");
  CHECK(blockingCallFromGreenlet([] { return deferLater(1s, [] { return 3; }); }) == 3);
  CHECK(blockingCallFromGreenlet([] { return 5; }) == 5);
  CHECK_THROWS_AS(blockingCallFromGreenlet([] { throw std::range_error("no"); }), std::range_error);
}

namespace {

Deferred<int> awaitGreenlet(Greenlet<int> greenlet) { co_return co_await greenlet + 1; }

}  // namespace

FIBER_TEST_ON("sim", "a coroutine may await a greenlet [BRIDGE-26] [DEFERRED-83]") {
  CHECK(waitForDeferred(awaitGreenlet(spawn([] { return 1; }))) == 2);
}
