#include "plait/select.h"

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/statistics.h"
#include "plait/timeout.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("select takes what is ready and leaves the other cases alone [GROUP-16]") {
  Queue<int> empty;
  Queue<int> filled;
  Queue<int> full(1);
  Event unset;
  Semaphore none(0);
  filled.put(7);
  full.put(1);
  int got = 0;

  const std::size_t which = select(
      onGet(empty, [](int) {}), onSet(unset, [] {}), onGet(filled, [&](int item) { got = item; }),
      onPut(full, 2, [] {}), onAcquire(none, [] {}), onTimeout(1h, [] {}));

  CHECK(which == 2);
  CHECK(got == 7);
  CHECK(full.get() == 1);
  CHECK(full.isEmpty());
  empty.put(1);
  CHECK(empty.size() == 1);
  none.release();
  CHECK(none.available() == 1);
}

FIBER_TEST("select waits for the first case that becomes ready [GROUP-16]") {
  Queue<int> queue;
  Queue<int> full(1);
  Event event;
  Semaphore semaphore(0);
  full.put(1);
  std::string order;
  const auto wait = [&] {
    return spawn([&] {
      select(onGet(queue, [&](int) { order += 'g'; }), onPut(full, 2, [&] { order += 'p'; }),
             onSet(event, [&] { order += 's'; }), onAcquire(semaphore, [&] { order += 'a'; }));
    });
  };

  auto waiter = wait();
  settle();
  queue.put(1);
  waiter.join();
  waiter = wait();
  settle();
  CHECK(full.get() == 1);
  waiter.join();
  CHECK(full.get() == 2);
  full.put(3);
  waiter = wait();
  settle();
  semaphore.release();
  waiter.join();
  waiter = wait();
  settle();
  event.set();
  waiter.join();

  CHECK(order == "gpas");
  CHECK(full.size() == 1);
  CHECK(semaphore.available() == 0);
}

FIBER_TEST_ON("sim", "the deadline of a select is chosen when nothing else was ready [GROUP-16]") {
  Queue<int> queue;
  bool timedOut = false;
  const TimePoint start = now();

  CHECK(select(onGet(queue, [](int) {}), onTimeout(2s, [&] { timedOut = true; })) == 1);
  CHECK(timedOut);
  CHECK(now() == start + 2s);

  queue.put(1);
  CHECK(select(onGet(queue, [](int) {}), onTimeout(0s, [] {})) == 0);
}

FIBER_TEST("a select with a timeout keeps its timer no longer than it waits [GROUP-16]") {
  Event event;
  event.set();
  select(onSet(event, [] {}), onTimeout(1h, [] {}));
  event.clear();
  callSoon([&] { event.set(); });
  select(onSet(event, [] {}), onTimeout(1h, [] {}));

  CHECK(loopStatistics().timers == 0);
}

FIBER_TEST("a select killed while parked takes nothing [GROUP-16]") {
  Queue<int> queue;
  Queue<int> full(1);
  full.put(1);
  Semaphore semaphore(0);
  auto killed = spawn([&] {
    select(onGet(queue, [](int) {}), onPut(full, 2, [] {}), onAcquire(semaphore, [] {}));
  });
  settle();

  killed.requestKill();
  queue.put(1);
  semaphore.release();
  CHECK(full.get() == 1);
  killed.join();

  CHECK(queue.size() == 1);
  CHECK(full.isEmpty());
  CHECK(semaphore.available() == 1);
}

FIBER_TEST("a select on closed queues throws QueueClosed, at once or while parked [GROUP-16]") {
  Queue<int> closed;
  Event never;
  closed.close();
  CHECK_THROWS_AS(select(onGet(closed, [](int) {}), onSet(never, [] {})), QueueClosed);
  CHECK_THROWS_AS(select(onPut(closed, 1, [] {}), onSet(never, [] {})), QueueClosed);
  CHECK(closed.isEmpty());

  Queue<int> queue(0);
  int refused = 0;
  const auto count = [&](auto wait) {
    return spawn([&refused, wait] {
      try {
        wait();
      } catch (const QueueClosed&) {
        ++refused;
      }
    });
  };
  count([&] { select(onGet(queue, [](int) {}), onSet(never, [] {})); });
  settle();
  queue.close();
  settle();
  Queue<int> other(0);
  count([&] { select(onPut(other, 1, [] {}), onSet(never, [] {})); });
  settle();
  other.close();
  settle();

  CHECK(refused == 2);
}

FIBER_TEST("two selects can meet at a rendezvous [GROUP-16]") {
  Queue<int> here(0);
  Queue<int> there(0);
  int got = 0;
  auto getter = spawn([&] {
    select(onGet(there, [&](int item) { got = item; }), onGet(here, [&](int item) { got = item; }));
  });
  settle();

  select(onPut(here, 4, [] {}), onTimeout(1h, [] {}));
  getter.join();

  CHECK(got == 4);
}

FIBER_TEST("a select with both ends of a rendezvous does not meet itself [GROUP-16]") {
  Queue<int> queue(0);
  std::string did;
  auto both = spawn([&] {
    select(onGet(queue, [&](int) { did += 'g'; }), onPut(queue, 1, [&] { did += 'p'; }));
  });
  settle();
  CHECK(did == "");

  CHECK(queue.get() == 1);
  both.join();
  CHECK(did == "p");
}

FIBER_TEST("the item of a put that was not chosen is dropped [GROUP-16]") {
  Queue<std::shared_ptr<int>> full(0);
  auto item = std::make_shared<int>(1);
  Event event;
  event.set();

  select(onPut(full, item, [] {}), onSet(event, [] {}));

  CHECK(item.use_count() == 1);
}

FIBER_TEST("what a case's function throws leaves select, and its item is taken [GROUP-16]") {
  Queue<int> queue;
  queue.put(1);

  CHECK_THROWS_AS(select(onGet(queue, [](int) { throw std::runtime_error("no"); })),
                  std::runtime_error);

  CHECK(queue.isEmpty());
}

FIBER_TEST("among ready cases each is chosen [GROUP-16]") {
  Event a;
  Event b;
  Event c;
  for (Event* event : {&a, &b, &c}) event->set();
  std::vector<int> chosen(3);

  for (int i = 0; i < 300; ++i) {
    ++chosen[select(onSet(a, [] {}), onSet(b, [] {}), onSet(c, [] {}))];
  }

  for (const int times : chosen) CHECK(times > 30);
}

FIBER_TEST(
    "the choice is fair in a loop that also makes a Timeout or a fiber each time [GROUP-16]") {
  Event a;
  Event b;
  a.set();
  b.set();
  const auto choose = [&] { return select(onSet(a, [] {}), onSet(b, [] {})); };
  std::vector<int> underTimeout(2);
  std::vector<int> inFiber(2);
  std::vector<int> first(2);
  std::vector<int> second(2);

  for (int i = 0; i < 100; ++i) {
    ++underTimeout[withTimeout(1h, choose)];
    ++inFiber[spawn(choose).get()];
  }
  for (int i = 0; i < 100; ++i) {
    ++first[choose()];
    ++second[choose()];
  }

  for (const auto& chosen : {underTimeout, inFiber, first, second}) {
    CHECK(chosen[0] > 10);
    CHECK(chosen[1] > 10);
  }
}

FIBER_TEST_ON(
    "sim",
    "put, set, release, kill and the deadline in one turn: select commits the first [GROUP-16]") {
  for (const std::string& order : allOrders("psrkx")) {
    CAPTURE(order);
    Queue<int> queue;
    Event event;
    Semaphore semaphore(0);
    const auto act = [&](char letter) {
      if (letter == 'p') queue.tryPut(1);
      if (letter == 's') event.set();
      if (letter == 'r') semaphore.release();
    };

    const Befallen waiter = befall(order, act, [&](Duration period) {
      std::string did;
      select(onGet(queue, [&](int) { did += 'p'; }), onSet(event, [&] { did += 's'; }),
             onAcquire(semaphore, [&] { did += 'r'; }), onTimeout(period, [&] { did += 'x'; }));
      return did;
    });

    const char first = order[0];
    CHECK(waiter.outcome == (first == 'k' ? "" : std::string(1, first)));
    CHECK(waiter.isKilled == contains(order, 'k'));
    CHECK(queue.size() == (contains(order, 'p') && first != 'p' ? 1 : 0));
    CHECK(semaphore.available() == (contains(order, 'r') && first != 'r' ? 1 : 0));
  }
}

FIBER_TEST_ON(
    "sim",
    "get, close, kill and the deadline in one turn: a selected put commits the first [GROUP-16]") {
  for (const std::string& order : allOrders("gckx")) {
    CAPTURE(order);
    Queue<int> queue(0);
    bool taken = false;
    const auto act = [&](char letter) {
      if (letter == 'c') return queue.close();
      taken = queue.tryGet().has_value();
    };

    const Befallen waiter = befall(order, act, [&](Duration period) -> std::string {
      std::string did;
      try {
        select(onPut(queue, 1, [&] { did += 'g'; }), onTimeout(period, [&] { did += 'x'; }));
      } catch (const QueueClosed&) {
        did += 'c';
      }
      return did;
    });

    const char first = order[0];
    CHECK(waiter.outcome == (first == 'k' ? "" : std::string(1, first)));
    CHECK(waiter.isKilled == contains(order, 'k'));
    CHECK(taken == (first == 'g'));
  }
}
