#include "plait/async_result.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "same_turn.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("every get() of an AsyncResult refers to the one value [EVENT-5]") {
  AsyncResult<std::unique_ptr<int>> result;
  std::vector<std::unique_ptr<int>*> seen;
  for (int i = 0; i < 3; ++i) {
    spawn([&] { seen.push_back(&result.get()); });
  }
  settle();
  CHECK_FALSE(result.isReady());

  result.set(std::make_unique<int>(7));
  settle();
  seen.push_back(&result.get());

  REQUIRE(seen.size() == 4);
  for (const auto* each : seen) CHECK(each == seen[0]);
  CHECK(**seen[0] == 7);
  CHECK(result.isSuccessful());
}

FIBER_TEST("every get() throws the exception that was stored, the same object [EVENT-5]") {
  AsyncResult<int> result;
  std::vector<const std::exception*> seen;
  const auto take = [&] {
    try {
      result.get();
    } catch (const std::runtime_error& error) {
      CHECK(error.what() == std::string("no luck"));
      seen.push_back(&error);
    }
  };
  spawn(take);
  spawn(take);
  settle();

  result.setException(std::make_exception_ptr(std::runtime_error("no luck")));
  settle();
  take();

  REQUIRE(seen.size() == 3);
  CHECK(seen[0] == seen[1]);
  CHECK(seen[0] == seen[2]);
  CHECK(result.isReady());
  CHECK_FALSE(result.isSuccessful());
  CHECK(result.exception() != nullptr);
}

FIBER_TEST_ON("sim", "get(period) throws TimeoutError and may be tried again [EVENT-5]") {
  AsyncResult<int> result;
  const TimePoint start = now();
  CHECK_THROWS_AS(result.get(1s), TimeoutError);
  CHECK(now() == start + 1s);

  callLater(1s, [&] { result.set(5); });
  CHECK(result.get(2s) == 5);
}

FIBER_TEST_ON("sim", "wait(period) tells whether there is a result and never throws it [EVENT-5]") {
  AsyncResult<int> result;
  CHECK_FALSE(result.wait(1s));

  callLater(1s, [&] { result.setException(std::make_exception_ptr(std::runtime_error("bad"))); });

  CHECK(result.wait(2s));
  CHECK(result.wait(0s));
}

FIBER_TEST("an AsyncResult without a value can be set and waited for [EVENT-5]") {
  AsyncResult<void> result;
  auto waiter = spawn([&] { result.get(); });
  settle();

  result.set();

  waiter.get();
  CHECK(result.isSuccessful());
}

FIBER_TEST("a null exception is no result [EVENT-6]") {
  AsyncResult<int> result;
  CHECK_THROWS_AS(result.setException(nullptr), std::invalid_argument);
  CHECK_FALSE(result.isReady());
  result.set(1);
  CHECK(result.get() == 1);
}

FIBER_TEST("setting an AsyncResult again throws, and the first result stays [EVENT-6]") {
  AsyncResult<int> value;
  value.set(1);
  CHECK_THROWS_AS(value.set(2), AlreadyCalledError);
  CHECK_THROWS_AS(value.setException(std::make_exception_ptr(1)), AlreadyCalledError);
  CHECK(value.get() == 1);

  AsyncResult<int> error;
  error.setException(std::make_exception_ptr(std::runtime_error("first")));
  CHECK_THROWS_AS(error.set(2), AlreadyCalledError);
  CHECK_THROWS_WITH(error.get(), "first");
  CHECK_FALSE(error.isSuccessful());
}

FIBER_TEST_ON("sim",
              "set, kill and the period's end in one turn leave the result intact [EVENT-5]") {
  for (const std::string& order : allOrders("skx")) {
    CAPTURE(order);
    AsyncResult<int> result;

    const Befallen waiter = befall(
        order, [&](char) { result.set(3); },
        [&](Duration period) {
          try {
            return std::to_string(result.get(period));
          } catch (const TimeoutError&) {
            return std::string("late");
          }
        });

    const bool isKilled = contains(order, 'k');
    CHECK(waiter.isKilled == isKilled);
    CHECK(waiter.outcome == (isKilled ? "" : order[0] == 's' ? "3" : "late"));
    CHECK(result.isReady() == contains(order, 's'));
    if (result.isReady()) CHECK(result.get() == 3);
  }
}
