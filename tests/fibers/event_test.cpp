#include "plait/event.h"

#include <chrono>
#include <string>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/timeout.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("set() wakes the waiters in the order of their arrival and runs none itself [EVENT-1]") {
  Event event;
  std::string order;
  for (const char name : {'a', 'b', 'c'}) {
    spawn([&event, &order, name] {
      event.wait();
      order += name;
    });
  }
  settle();

  event.set();
  CHECK(order == "");
  settle();

  CHECK(order == "abc");
}

FIBER_TEST("wait() on an event that is set returns at once, until it is cleared [EVENT-1]") {
  Event event;
  event.set();
  event.wait();
  CHECK(event.wait(0s));
  CHECK(event.isSet());

  event.clear();

  CHECK_FALSE(event.isSet());
  CHECK_FALSE(event.wait(0s));
}

FIBER_TEST("those that wait when set() is followed by clear() still wake up with true [EVENT-2]") {
  Event event;
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    spawn([&] { woken += event.wait(kForever) ? 1 : 100; });
  }
  settle();

  event.set();
  event.clear();
  settle();

  CHECK(woken == 3);
}

FIBER_TEST("who begins to wait after set(); clear(); is not woken by that set() [EVENT-3]") {
  Event event;
  std::string order;
  spawn([&] {
    event.wait();
    order += 'a';
  });
  settle();

  // The newcomer begins before the fiber that set() has made ready goes on.
  auto newcomer = spawn([&] {
    CHECK(order == "");
    event.wait();
    order += 'n';
  });
  event.set();
  event.clear();
  settle();
  CHECK(order == "a");

  event.set();
  newcomer.join();
  CHECK(order == "an");
}

FIBER_TEST("a second set() makes a newcomer run right after the first waiters [EVENT-3]") {
  Event event;
  std::string order;
  spawn([&] {
    event.wait();
    order += 'a';
  });
  settle();

  // In the queue: the newcomer, the second set(), and only then the first waiter.
  spawn([&] {
    event.wait();
    order += 'n';
  });
  spawn([&] {
    CHECK(order == "");
    event.set();
    spawn([&] { order += '|'; });
  });
  event.set();
  event.clear();
  settle();

  CHECK(order == "an|");
}

FIBER_TEST_ON("sim", "wait(period) tells whether the event was set in time [EVENT-4]") {
  Event event;
  const TimePoint start = now();
  CHECK_FALSE(event.wait(2s));
  CHECK(now() == start + 2s);

  callLater(1s, [&] { event.set(); });
  CHECK(event.wait(2s));
  CHECK(now() == start + 3s);
}

FIBER_TEST(
    "wait() with a period that is over already returns false and leaves no trace [EVENT-4]") {
  Event event;

  CHECK_FALSE(event.wait(0s));
  CHECK_FALSE(event.wait(-1s));
  event.set();
  CHECK(event.wait(-1s));
}

FIBER_TEST("a fiber killed while it waits leaves the event to the others [EVENT-1]") {
  Event event;
  std::string order;
  spawn([&] {
    event.wait();
    order += 'a';
  });
  auto killed = spawn([&] {
    event.wait();
    order += 'k';
  });
  spawn([&] {
    event.wait();
    order += 'b';
  });
  settle();

  killed.kill();
  event.set();
  settle();

  CHECK(order == "ab");
}

FIBER_TEST_ON("sim",
              "set, kill and the period's end in one turn: a kill wins, else the first [EVENT-4]") {
  for (const std::string& order : allOrders("skx")) {
    CAPTURE(order);
    Event event;

    const Befallen waiter = befall(
        order, [&](char) { event.set(); },
        [&](Duration period) { return std::string(event.wait(period) ? "set" : "late"); });

    // A signal that carries nothing is not lost with the one who did not see it.
    const bool isKilled = contains(order, 'k');
    CHECK(waiter.isKilled == isKilled);
    CHECK(waiter.outcome == (isKilled ? "" : order[0] == 's' ? "set" : "late"));
    CHECK(event.isSet() == contains(order, 's'));
  }
}

FIBER_TEST_ON("sim",
              "a Timeout around wait() strikes, and the event can be waited for again [EVENT-4]") {
  Event event;
  CHECK_THROWS_AS(withTimeout(1s, [&] { event.wait(); }), TimeoutError);

  event.set();
  event.wait();
}

FIBER_TEST("a waiter woken by set() may destroy the event [EVENT-1]") {
  auto event = std::make_unique<Event>();
  auto waiter = spawn([&] {
    event->wait();
    event.reset();
  });
  settle();

  event->set();
  waiter.join();

  CHECK(event == nullptr);
}
