// std::stop_token and kills, both ways.
#include <stop_token>

#include <memory>
#include <optional>
#include <thread>

#include "fiber_test.h"
#include "plait/deferred.h"
#include "plait/event.h"
#include "plait/future.h"
#include "plait/greenlet.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;

FIBER_TEST("a stop request from a thread kills the greenlet [BRIDGE-45]") {
  std::stop_source source;
  const auto victim = spawn([] { Event().wait(); });
  const KillOnStop killer(source.get_token(), victim);
  settle();

  std::thread([&source] { source.request_stop(); }).join();
  victim.join();

  CHECK(victim.isKilled());
}

FIBER_TEST("a stop request that came before kills, too [BRIDGE-45]") {
  std::stop_source source;
  source.request_stop();
  bool ran = false;
  const auto victim = spawn([&ran] {
    Event().wait();
    ran = true;
  });

  const KillOnStop killer(source.get_token(), victim);
  victim.join();

  CHECK(victim.isKilled());
  CHECK_FALSE(ran);
}

FIBER_TEST("a KillOnStop that has gone kills nobody [BRIDGE-45]") {
  std::stop_source early;
  std::stop_source late;
  Event gate;
  const auto greenlet = spawn([&gate] {
    gate.wait();
    return 1;
  });
  {
    const KillOnStop first(early.get_token(), greenlet);
    const KillOnStop second(late.get_token(), greenlet);
    // On its way already when the KillOnStop goes.
    early.request_stop();
  }

  late.request_stop();
  settle();
  gate.set();

  CHECK(greenlet.get() == 1);
}

FIBER_TEST("a stop request for a greenlet that has ended does nothing [BRIDGE-45]") {
  std::stop_source source;
  const auto greenlet = spawn([] { return 1; });
  const KillOnStop killer(source.get_token(), greenlet);
  greenlet.join();

  source.request_stop();
  settle();

  CHECK(greenlet.get() == 1);
}

FIBER_TEST(
    "a stop request kills what waits for a Deferred, and so cancels it "
    "[BRIDGE-10] [BRIDGE-45]") {
  std::stop_source source;
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const auto waiter = spawn([&d] { waitForDeferred(d); });
  const KillOnStop killer(source.get_token(), waiter);
  settle();

  source.request_stop();
  waiter.join();

  CHECK(waiter.isKilled());
  CHECK(cancels == 1);
}

FIBER_TEST("the token of a greenlet is asked to stop at its kill, at once [BRIDGE-46]") {
  const auto victim = spawn([] { Event().wait(); });
  const std::stop_token token = stopTokenOf(victim);
  bool called = false;
  const std::stop_callback callback(token, [&called] { called = true; });
  settle();
  CHECK_FALSE(token.stop_requested());

  victim.requestKill();

  CHECK(token.stop_requested());
  CHECK(called);
  victim.join();
}

FIBER_TEST("a greenlet that ends by itself asks nobody to stop [BRIDGE-46]") {
  const auto greenlet = spawn([] {});
  const std::stop_token token = stopTokenOf(greenlet);

  greenlet.join();

  CHECK_FALSE(token.stop_requested());
}

FIBER_TEST("the token of one that was killed before says so [BRIDGE-46]") {
  const auto victim = spawn([] { Event().wait(); });
  settle();
  victim.kill();

  CHECK(stopTokenOf(victim).stop_requested());
}
