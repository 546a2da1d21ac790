#include "plait/semaphore.h"

#include <chrono>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/timeout.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("tryAcquire() takes a permit if one is left and never switches [LOCK-1]") {
  Semaphore semaphore(2);
  bool hasRun = false;
  auto other = spawn([&] { hasRun = true; });

  CHECK(semaphore.tryAcquire());
  CHECK(semaphore.tryAcquire());
  CHECK_FALSE(semaphore.tryAcquire());

  CHECK_FALSE(hasRun);
  CHECK(semaphore.available() == 0);
  other.join();
}

FIBER_TEST_ON("sim", "acquire(period) returns false when its period runs out [LOCK-1]") {
  Semaphore semaphore(1);
  CHECK(semaphore.acquire(1s));
  const TimePoint start = now();
  CHECK_FALSE(semaphore.acquire(1s));
  CHECK(now() == start + 1s);
  CHECK_FALSE(semaphore.acquire(0s));

  semaphore.release();
  CHECK(semaphore.available() == 1);
}

FIBER_TEST("permits go to the waiters in the order of their arrival [LOCK-2]") {
  Semaphore semaphore(0);
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    spawn([&semaphore, &order, name] {
      semaphore.acquire();
      order += name;
    });
  }
  settle();

  semaphore.release();
  settle();
  CHECK(order == "a");
  semaphore.release(3);
  settle();

  CHECK(order == "abcd");
  CHECK(semaphore.available() == 0);
}

FIBER_TEST("a released permit is the first waiter's: nobody overtakes it [LOCK-2]") {
  Semaphore semaphore(0);
  std::string order;
  const auto take = [&](char name) {
    return spawn([&semaphore, &order, name] {
      semaphore.acquire();
      order += name;
    });
  };
  take('w');
  settle();
  take('n');  // the newcomer's first turn comes before the waiter's next

  semaphore.release();
  CHECK(semaphore.available() == 0);
  CHECK_FALSE(semaphore.tryAcquire());
  auto releaser = take('r');
  settle();
  CHECK(order == "w");

  semaphore.release(2);
  releaser.join();
  CHECK(order == "wnr");
}

FIBER_TEST("a BoundedSemaphore refuses a release too many and keeps its count [LOCK-3]") {
  BoundedSemaphore semaphore(2);
  CHECK_THROWS_AS(semaphore.release(), std::logic_error);
  CHECK(semaphore.available() == 2);

  semaphore.acquire();
  semaphore.release();
  CHECK_THROWS_AS(semaphore.release(), std::logic_error);
  CHECK(semaphore.available() == 2);
}

FIBER_TEST("a Semaphore may be released above its first count [LOCK-3]") {
  Semaphore semaphore(1);

  semaphore.release(2);

  CHECK(semaphore.available() == 3);
}

FIBER_TEST("a release with waiters is no release too many [LOCK-3]") {
  BoundedSemaphore semaphore(1);
  semaphore.acquire();
  auto waiter = spawn([&] { semaphore.acquire(); });
  settle();

  semaphore.release();
  waiter.join();
  CHECK(semaphore.available() == 0);
  semaphore.release();

  CHECK_THROWS_AS(semaphore.release(), std::logic_error);
}

FIBER_TEST("a waiter killed before a release gets no permit, the next one does [LOCK-4]") {
  Semaphore semaphore(0);
  std::string order;
  auto killed = spawn([&] {
    semaphore.acquire();
    order += 'k';
  });
  spawn([&] {
    semaphore.acquire();
    order += 'n';
  });
  settle();

  killed.requestKill();
  semaphore.release();
  settle();

  CHECK(order == "n");
  CHECK(semaphore.available() == 0);
}

FIBER_TEST("a permit handed over before the kill is kept, and the kill strikes later [LOCK-4]") {
  Semaphore semaphore(0);
  std::string order;
  auto killed = spawn([&] {
    semaphore.acquire();
    order += 'g';
    semaphore.release();
    yield();
    order += '!';
  });
  settle();

  semaphore.release();
  killed.kill();

  CHECK(order == "g");
  CHECK(killed.isKilled());
  CHECK(semaphore.available() == 1);
}

FIBER_TEST_ON("sim",
              "release, kill and the period's end in one turn: the first one counts [LOCK-4]") {
  for (const std::string& order : allOrders("rkx")) {
    CAPTURE(order);
    Semaphore semaphore(0);

    const Befallen waiter = befall(
        order, [&](char) { semaphore.release(); },
        [&](Duration period) {
          return std::string(semaphore.acquire(period) ? "permit" : "late");
        });

    const bool hasPermit = order[0] == 'r';
    CHECK(waiter.outcome == (hasPermit ? "permit" : order[0] == 'x' ? "late" : ""));
    CHECK(waiter.isKilled == contains(order, 'k'));
    CHECK(semaphore.available() == (contains(order, 'r') && !hasPermit ? 1 : 0));
  }
}

FIBER_TEST_ON("sim", "a Timeout that strikes while acquire() waits takes no permit [LOCK-4]") {
  Semaphore semaphore(0);
  CHECK_THROWS_AS(withTimeout(1s, [&] { semaphore.acquire(); }), TimeoutError);

  semaphore.release();

  CHECK(semaphore.available() == 1);
}

FIBER_TEST_ON("sim", "permits are conserved under random kills, periods and releases [LOCK-4]") {
  std::mt19937_64 random(seed());
  constexpr std::size_t kPermits = 3;
  for (int round = 0; round < 50; ++round) {
    Semaphore semaphore(kPermits);
    std::size_t held = 0;
    std::size_t heldMost = 0;
    std::vector<AnyGreenlet> users;
    for (int i = 0; i < 20; ++i) {
      users.push_back(spawn([&, seed = random()] {
        std::mt19937_64 mine(seed);
        struct Permit {
          Semaphore& semaphore;
          std::size_t& held;
          ~Permit() {
            --held;
            semaphore.release();
          }
        };
        for (int step = 0; step < 10; ++step) {
          if (!semaphore.acquire(std::chrono::milliseconds(mine() % 4))) continue;
          ++held;
          heldMost = std::max(heldMost, held);
          const Permit permit{semaphore, held};
          sleep(std::chrono::milliseconds(mine() % 3));
        }
      }));
    }
    for (int i = 0; i < 15; ++i) {
      sleep(std::chrono::milliseconds(random() % 3));
      users[random() % users.size()].requestKill();
    }
    joinAll(users);

    CHECK(heldMost == kPermits);
    CHECK(held == 0);
    CHECK(semaphore.available() == kPermits);
  }
}
