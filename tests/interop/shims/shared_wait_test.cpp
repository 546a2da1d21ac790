// Several fibers that wait for one Deferred.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/deferred.h"
#include "plait/greenlet.h"
#include "plait/shared_deferred.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST_ON("sim", "all waiters get the one value, in the order of their waits [BRIDGE-6]") {
  const Deferred<std::string> d;
  const SharedDeferred<std::string> shared = d.share();
  std::string order;
  std::vector<const std::string*> values;
  std::vector<AnyGreenlet> waiters;
  for (const char name : {'a', 'b', 'c'}) {
    waiters.push_back(spawn([&, name] {
      values.push_back(&waitForDeferred(shared));
      order += name;
    }));
  }
  settle();
  shared.addCallback([&](const std::string& value) {
    values.push_back(&value);
    order += 'f';
  });

  d.callback("value");
  joinAll(waiters);

  CHECK(order == "fabc");
  REQUIRE(values.size() == 4);
  for (const std::string* each : values) CHECK(each == values[0]);
  CHECK(waitForDeferred(shared) == "value");
}

FIBER_TEST_ON("sim", "all waiters get the exception itself [BRIDGE-4] [BRIDGE-6]") {
  const Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  std::vector<const std::exception*> errors;
  std::vector<AnyGreenlet> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(spawn([&] {
      try {
        waitForDeferred(shared);
      } catch (const std::runtime_error& error) {
        errors.push_back(&error);
      }
    }));
  }
  settle();

  const auto error = std::make_exception_ptr(std::runtime_error("no"));
  d.errback(error);
  joinAll(waiters);

  REQUIRE(errors.size() == 3);
  CHECK(errors[0] == errors[1]);
  CHECK(errors[1] == errors[2]);
}

FIBER_TEST_ON("sim", "nothing but an end can be shared, too [BRIDGE-6]") {
  const Deferred<void> d;
  const SharedDeferred<void> shared = d.share();
  int ended = 0;
  const auto first = spawn([&] {
    waitForDeferred(shared);
    ++ended;
  });
  const auto second = spawn([&] {
    waitForDeferred(shared);
    ++ended;
  });
  settle();

  d.callback();
  joinAll(std::vector<AnyGreenlet>{first, second});

  CHECK(ended == 2);
}

FIBER_TEST_ON("sim", "one killed waiter leaves, the last one cancels the work [BRIDGE-13]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const SharedDeferred<int> shared = d.share();
  const auto first = spawn([&shared] { waitForDeferred(shared); });
  const auto second = spawn([&shared] { waitForDeferred(shared); });
  settle();

  first.kill();
  CHECK(first.isKilled());
  CHECK(cancels == 0);
  second.kill();

  CHECK(second.isKilled());
  CHECK(cancels == 1);
}

FIBER_TEST_ON("sim", "a killed waiter takes nothing from the others [BRIDGE-13]") {
  const Deferred<int> d;
  const SharedDeferred<int> shared = d.share();
  const auto first = spawn([&shared] { waitForDeferred(shared); });
  const auto second = spawn([&shared] { return int{waitForDeferred(shared)}; });
  settle();

  first.kill();
  d.callback(4);

  CHECK(second.get() == 4);
}

FIBER_TEST_ON("sim", "a callback counts as one who waits [BRIDGE-13]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const SharedDeferred<int> shared = d.share();
  int seen = 0;
  shared.addCallback([&seen](int value) { seen = value; });
  const auto waiter = spawn([&shared] { waitForDeferred(shared); });
  settle();

  waiter.kill();
  CHECK(cancels == 0);
  d.callback(2);

  CHECK(seen == 2);
}

FIBER_TEST_ON("sim", "a waiter out of time leaves the others waiting [BRIDGE-13] [BRIDGE-15]") {
  int cancels = 0;
  const Deferred<int> d([&cancels](const Deferred<int>&) { ++cancels; });
  const SharedDeferred<int> shared = d.share();
  const auto patient = spawn([&shared] { return int{waitForDeferred(shared)}; });
  settle();

  CHECK_THROWS_AS(waitForDeferred(shared, 1s), TimeoutError);
  CHECK(cancels == 0);
  d.callback(3);

  CHECK(patient.get() == 3);
}

FIBER_TEST_ON("sim", "fire and kill of a waiter in one turn lose nothing [BRIDGE-9] [BRIDGE-13]") {
  for (const bool firesFirst : {false, true}) {
    CAPTURE(firesFirst);
    const Deferred<int> d;
    const SharedDeferred<int> shared = d.share();
    const auto victim = spawn([&shared] {
      waitForDeferred(shared);
      yield();
    });
    const auto other = spawn([&shared] { return int{waitForDeferred(shared)}; });
    settle();

    if (firesFirst) d.callback(1);
    victim.requestKill();
    if (!firesFirst) d.callback(1);
    victim.join();

    CHECK(victim.isKilled());
    CHECK(other.get() == 1);
  }
}

FIBER_TEST_ON("sim", "a shared Deferred without a producer wakes all [BRIDGE-6] [BRIDGE-19]") {
  auto d = std::make_unique<Deferred<int>>();
  const SharedDeferred<int> shared = d->share();
  int broken = 0;
  std::vector<AnyGreenlet> waiters;
  for (int i = 0; i < 2; ++i) {
    waiters.push_back(spawn([&] {
      try {
        waitForDeferred(shared);
      } catch (const BrokenDeferredError&) {
        ++broken;
      }
    }));
  }
  settle();

  d.reset();
  joinAll(waiters);

  CHECK(broken == 2);
}
