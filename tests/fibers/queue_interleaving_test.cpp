// A queue in every interleaving: nothing is lost, nothing appears twice.
#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/error.h"
#include "plait/queue.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// How a get() ended, in a word.
std::string getOutcome(Queue<int>& queue, Duration period) {
  try {
    const std::optional<int> item = queue.get(period);
    return item ? "item" : "late";
  } catch (const QueueClosed&) {
    return "closed";
  }
}

std::string putOutcome(Queue<int>& queue, int item, Duration period) {
  try {
    return queue.put(item, period) ? "put" : "late";
  } catch (const QueueClosed&) {
    return "closed";
  }
}

std::string expected(char first, const std::string& served) {
  if (first == 'k') return "";
  if (first == 'x') return "late";
  if (first == 'c') return "closed";
  return served;
}

}  // namespace

FIBER_TEST_ON(
    "sim",
    "put, kill, close and the period's end in one turn: the getter's first counts [QUEUE-9]") {
  for (const std::size_t capacity : {0, 1}) {
    for (const std::string& order : allOrders("pkcx")) {
      CAPTURE(capacity);
      CAPTURE(order);
      Queue<int> queue(capacity);
      std::string put;
      const auto act = [&](char letter) {
        if (letter == 'c') return queue.close();
        try {
          put = queue.tryPut(1) ? "put" : "full";
        } catch (const QueueClosed&) {
          put = "closed";
        }
      };

      const Befallen getter =
          befall(order, act, [&](Duration period) { return getOutcome(queue, period); });

      CHECK(getter.outcome == expected(order[0], "item"));
      CHECK(getter.isKilled == contains(order, 'k'));
      const bool isLeft = put == "put" && getter.outcome != "item";
      CHECK(queue.tryGet().has_value() == isLeft);
      if (contains(order, 'p') && order.find('c') > order.find('p')) {
        CHECK(put == (order[0] == 'p' || capacity == 1 ? "put" : "full"));
      }
    }
  }
}

FIBER_TEST_ON(
    "sim",
    "get, kill, close and the period's end in one turn: the putter's first counts [QUEUE-8]") {
  for (const std::size_t capacity : {0, 1}) {
    for (const std::string& order : allOrders("gkcx")) {
      CAPTURE(capacity);
      CAPTURE(order);
      Queue<int> queue(capacity);
      if (capacity == 1) queue.put(1);
      std::vector<int> got;
      const auto take = [&] {
        while (const std::optional<int> item = queue.tryGet()) got.push_back(*item);
      };
      const auto act = [&](char letter) {
        if (letter == 'c') return queue.close();
        if (const std::optional<int> item = queue.tryGet()) got.push_back(*item);
      };

      const Befallen putter =
          befall(order, act, [&](Duration period) { return putOutcome(queue, 2, period); });
      take();

      CHECK(putter.outcome == expected(order[0], "put"));
      CHECK(putter.isKilled == contains(order, 'k'));
      std::vector<int> wanted;
      if (capacity == 1) wanted.push_back(1);
      if (putter.outcome == "put") wanted.push_back(2);
      CHECK(got == wanted);
    }
  }
}

FIBER_TEST_ON("sim", "items are conserved under random kills, periods and a close [QUEUE-9]") {
  std::mt19937_64 random(seed());
  for (int round = 0; round < 60; ++round) {
    Queue<int> queue(random() % 4);
    CAPTURE(round);
    CAPTURE(queue.capacity());
    std::vector<int> put;
    std::vector<int> got;
    int next = 0;
    std::vector<AnyGreenlet> fibers;
    const auto pause = [](std::mt19937_64& dice) { sleep(std::chrono::milliseconds(dice() % 3)); };
    for (int i = 0; i < 6; ++i) {
      fibers.push_back(spawn([&, dice = std::mt19937_64(random())]() mutable {
        for (int step = 0; step < 20; ++step) {
          const int item = next++;
          const std::string outcome =
              putOutcome(queue, item, dice() % 2 == 0 ? kForever : Duration(2ms));
          if (outcome == "put") put.push_back(item);
          pause(dice);
        }
      }));
      fibers.push_back(spawn([&, dice = std::mt19937_64(random())]() mutable {
        for (int step = 0; step < 20; ++step) {
          try {
            const std::optional<int> item = queue.get(dice() % 2 == 0 ? kForever : Duration(2ms));
            if (item) got.push_back(*item);
          } catch (const QueueClosed&) {
            return;
          }
          pause(dice);
        }
      }));
    }
    for (int kills = 0; kills < 5; ++kills) {
      pause(random);
      fibers[random() % fibers.size()].requestKill();
    }
    sleep(std::chrono::milliseconds(random() % 30));
    queue.close();
    joinAll(fibers);
    while (const std::optional<int> item = queue.tryGet()) got.push_back(*item);

    // A putter killed while parked took its item with it; one whose item was taken returned.
    std::sort(put.begin(), put.end());
    std::sort(got.begin(), got.end());
    CHECK(put == got);
  }
}
