#include "plait/imap.h"

#include <chrono>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/event.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// Counts for ever.
struct Numbers {
  struct Iterator {
    int value = 0;
    int operator*() const { return value; }
    Iterator& operator++() {
      ++value;
      return *this;
    }
    bool operator!=(std::nullptr_t) const { return true; }
  };
  Iterator begin() const { return {}; }
  std::nullptr_t end() const { return nullptr; }
};

int afterAWhile(int item) {
  sleep(std::chrono::seconds(10 - item));
  return item;
}

}  // namespace

FIBER_TEST_ON("sim", "imap gives the results in the order of the items [GROUP-7]") {
  Pool pool(10);
  std::vector<int> got;
  for (const int result : imap(pool, std::vector{1, 2, 3}, afterAWhile)) got.push_back(result);
  CHECK(got == std::vector{1, 2, 3});
}

FIBER_TEST_ON("sim", "imap gives the results in the order of completion if asked [GROUP-7]") {
  Pool pool(10);
  std::vector<int> got;
  for (const int result : imap(pool, std::vector{1, 2, 3}, afterAWhile, MapOrder::ofCompletion)) {
    got.push_back(result);
  }
  CHECK(got == std::vector{3, 2, 1});
}

FIBER_TEST_ON("sim",
              "imap holds no more results than its bound, of an input without end [GROUP-7]") {
  for (const MapOrder order : {MapOrder::ofItems, MapOrder::ofCompletion}) {
    Pool pool(2);
    int begun = 0;
    auto results = imap(
        pool, Numbers(),
        [&](int item) {
          ++begun;
          return item;
        },
        order, 5);

    sleep(1s);
    CHECK(begun == 5);
    for (int i = 0; i < 3; ++i) CHECK(results.next() == i);
    sleep(1s);
    CHECK(begun == 8);
  }
}

FIBER_TEST_ON("sim",
              "imap moves the items of a range that it was given, copies lent ones [GROUP-7]") {
  Pool pool(2);
  std::vector<std::unique_ptr<int>> given;
  given.push_back(std::make_unique<int>(1));
  auto results = imap(pool, std::move(given), [](std::unique_ptr<int> item) { return item; });
  CHECK(**results.next() == 1);

  const std::vector<std::string> lent{"a long string that is not in place"};
  CHECK(imap(pool, lent, [](std::string item) { return item; }).next() == lent[0]);
  CHECK(lent[0].size() > 20);

  std::vector<std::string> seen{"another long string, behind a view"};
  const auto same = [](std::string item) { return item; };
  CHECK(imap(pool, std::span(seen), same).next() == seen[0]);
  CHECK(imap(pool, seen | std::views::take(1), same).next() == seen[0]);
  CHECK(seen[0].size() > 20);
}

FIBER_TEST("a reader of imap that is struck while it gives way loses no result [GROUP-7]") {
  Event set;
  set.set();
  Pool pool(100);
  std::vector<int> items(400);
  for (int i = 0; i < 400; ++i) items[static_cast<std::size_t>(i)] = i;
  auto results = imap(pool, items, [](int item) { return item; });
  std::vector<int> got;
  for (int round = 0; got.size() < items.size() && round < 10'000; ++round) {
    settle();  // so that results are there, and only a call that gives way is struck
    for (int i = 0; i < round % 130; ++i) set.wait();
    try {
      const Timeout soon(0s);
      while (const std::optional<int> next = results.next()) got.push_back(*next);
    } catch (const TimeoutExpired&) {
    }
  }
  CHECK(got == items);
}

FIBER_TEST("imap that may run nothing ahead is refused [GROUP-7]") {
  Pool pool(1);
  CHECK_THROWS_AS(imap(
                      pool, std::vector{1}, [](int i) { return i; }, MapOrder::ofItems, 0),
                  std::invalid_argument);
}

FIBER_TEST_ON("sim", "imap runs at most so many at once as the pool has slots [GROUP-7]") {
  Pool pool(2);
  int now = 0;
  int most = 0;
  for (const int result : imap(pool, std::vector{1, 2, 3, 4, 5}, [&](int item) {
         most = std::max(most, ++now);
         sleep(1s);
         --now;
         return item;
       })) {
    CHECK(result > 0);
  }
  CHECK(most == 2);
}

FIBER_TEST_ON("sim", "an item's error is thrown in its place and the map goes on [GROUP-7]") {
  Pool pool(3);
  auto results = imap(pool, std::vector{1, 2, 3}, [](int item) {
    if (item == 2) throw std::runtime_error("of two");
    return item;
  });
  CHECK(results.next() == 1);
  CHECK_THROWS_WITH(results.next(), "of two");
  CHECK(results.next() == 3);
  CHECK_FALSE(results.next());
}

FIBER_TEST_ON("sim", "an error of the input is thrown after the results before it [GROUP-7]") {
  struct Broken {
    struct Iterator {
      int value = 0;
      int operator*() const { return value; }
      Iterator& operator++() {
        if (++value == 2) throw std::runtime_error("no more input");
        return *this;
      }
      bool operator!=(std::nullptr_t) const { return true; }
    };
    Iterator begin() const { return {}; }
    std::nullptr_t end() const { return nullptr; }
  };
  for (const MapOrder order : {MapOrder::ofItems, MapOrder::ofCompletion}) {
    Pool pool(3);
    auto results = imap(pool, Broken(), [](int item) { return item; }, order);
    CHECK(results.next() == 0);
    CHECK(results.next() == 1);
    CHECK_THROWS_WITH(results.next(), "no more input");
    CHECK_FALSE(results.next());
  }
}

FIBER_TEST_ON("sim", "a map that is left early kills what runs and waits for it [GROUP-7]") {
  Pool pool(3);
  int ended = 0;
  {
    auto results = imap(pool, Numbers(), [&](int item) {
      try {
        if (item > 0) sleep(1h);
      } catch (...) {
        sleep(1s);
        ++ended;
        throw;
      }
      return item;
    });
    CHECK(results.next() == 0);
    sleep(1s);
  }
  CHECK(ended == 3);
  CHECK(pool.freeCount() == 3);
}

FIBER_TEST_ON("sim", "a reader that gives up loses no result [GROUP-7]") {
  Pool pool(3);
  auto results = imap(pool, std::vector{5}, afterAWhile);
  CHECK_THROWS_AS(withTimeout(1s, [&] { return results.next(); }), TimeoutError);
  // The call that gave up had taken the place in line, not the result.
  CHECK(results.next() == 5);
}
