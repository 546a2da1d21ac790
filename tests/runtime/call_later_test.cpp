#include "plait/call_later.h"

#include <malloc.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber_test.h"
#include "plait/statistics.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTED_MEMORY 0
#endif
#endif
#if !defined(COUNTED_MEMORY)
#define COUNTED_MEMORY 1
#endif

FIBER_TEST_ON("sim", "timers run in the order of their deadlines, none early [LOOP-4]") {
  std::vector<int> order;
  const TimePoint start = now();
  for (const int seconds : {5, 1, 4, 2, 3}) {
    callLater(std::chrono::seconds(seconds), [&order, start, seconds] {
      CHECK(now() == start + std::chrono::seconds(seconds));
      order.push_back(seconds);
    });
  }

  sleep(6s);

  CHECK(order == std::vector<int>{1, 2, 3, 4, 5});
}

FIBER_TEST_ON("sim", "timers of one deadline run in the order in which they were made [LOOP-4]") {
  std::string order;
  const TimePoint deadline = now() + 10s;
  callLater(10s, [&] { order += 'a'; });
  auto moved = callLater(10s, [&] { order += 'd'; });
  sleep(3s);
  callLater(deadline - now(), [&] { order += 'b'; });
  spawn([&] {
    sleep(deadline - now());
    order += 'f';
  });
  settle();
  callLater(deadline - now(), [&] { order += 'c'; });
  moved.reset(deadline - now());

  sleep(20s);

  CHECK(order == "abcdf");
}

TEST_CASE("timers that are due at once run in the order in which they were made [LOOP-4]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    runFiberTest(onKernel(kernel), [] {
      std::vector<int> order;
      for (int i = 0; i < 500; ++i) {
        callLater(i % 2 == 0 ? Duration(0) : Duration(-1s), [&order, i] { order.push_back(i); });
      }
      sleep(1us);
      settle();

      REQUIRE(order.size() == 500);
      for (int i = 0; i < 500; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    });
  }
}

FIBER_TEST("on a real clock no timer runs before its deadline [LOOP-4]") {
  int left = 200;
  for (int i = 0; i < 200; ++i) {
    const Duration wait = std::chrono::microseconds(37 * (i % 50));
    callLater(wait, [&left, deadline = now() + wait] {
      CHECK(now() >= deadline);
      --left;
    });
  }

  while (left > 0) sleep(100us);
}

FIBER_TEST_ON("sim",
              "a cancelled call never runs, and its function is destroyed at once [LOOP-5]") {
  auto captured = std::make_shared<int>(0);
  auto call = callLater(1s, [captured] { ++*captured; });
  CHECK(call.isActive());
  CHECK(call.time() == now() + 1s);

  CHECK(call.cancel());
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(call.isActive());
  CHECK_FALSE(call.cancel());
  CHECK_FALSE(call.reset(1s));
  CHECK_FALSE(call.delay(1s));
  sleep(2s);

  CHECK(*captured == 0);
}

FIBER_TEST_ON("sim", "a call can be delayed and reset until it has run [LOOP-5]") {
  const TimePoint start = now();
  std::vector<std::pair<char, Duration>> ran;
  const auto call = [&](char name) { return [&, name] { ran.emplace_back(name, now() - start); }; };
  auto delayed = callLater(2s, call('d'));
  auto hurried = callLater(9s, call('h'));
  auto put_off = callLater(2s, call('p'));

  CHECK(delayed.delay(3s));
  CHECK(hurried.reset(1s));
  sleep(1500ms);
  CHECK_FALSE(hurried.isActive());
  CHECK_FALSE(hurried.delay(1s));
  CHECK(put_off.reset(2s));
  CHECK(put_off.time() == start + 3500ms);
  sleep(10s);

  using Ran = std::vector<std::pair<char, Duration>>;
  CHECK(ran == Ran{{'h', 1s}, {'p', 3500ms}, {'d', 5s}});
  CHECK_FALSE(delayed.cancel());
}

FIBER_TEST_ON("sim", "a call that is running is neither active nor to be cancelled [LOOP-5]") {
  DelayedCall call;
  int runs = 0;
  call = callLater(1s, [&] {
    ++runs;
    CHECK_FALSE(call.isActive());
    CHECK_FALSE(call.cancel());
    CHECK_FALSE(call.reset(1s));
  });

  sleep(5s);

  CHECK(runs == 1);
}

FIBER_TEST_ON("sim",
              "a timer cancelled by another one that is due in the same turn never runs [LOOP-5]") {
  bool ran = false;
  DelayedCall second;
  callLater(1s, [&] { CHECK(second.cancel()); });
  second = callLater(1s, [&] { ran = true; });

  sleep(2s);

  CHECK_FALSE(ran);
}

FIBER_TEST_ON("sim",
              "a timer put off by another one that is due in the same turn runs later [LOOP-5]") {
  TimePoint ranAt{};
  const TimePoint start = now();
  DelayedCall second;
  callLater(1s, [&] { CHECK(second.delay(1s)); });
  second = callLater(1s, [&] { ranAt = now(); });

  sleep(5s);

  CHECK(ranAt == start + 2s);
}

FIBER_TEST_ON("sim", "a million timers set and cancelled leave the memory flat [LOOP-5]") {
  const auto use = [] {
    for (int i = 0; i < 100'000; ++i) {
      callLater(std::chrono::milliseconds(1 + i % 100'000), [] {}).cancel();
    }
  };
  use();
#if COUNTED_MEMORY
  const std::size_t before = ::mallinfo2().uordblks;
#endif
  for (int round = 0; round < 10; ++round) use();

  CHECK(loopStatistics().timers == 0);
#if COUNTED_MEMORY
  CHECK(::mallinfo2().uordblks <= before + 4096);
#endif
}

FIBER_TEST_ON("sim", "dropping the handle of a call changes nothing [LOOP-5]") {
  bool ran = false;
  callLater(1s, [&] { ran = true; });

  sleep(2s);

  CHECK(ran);
}

TEST_CASE(
    "calls that the run did not come to are destroyed unrun, and their handles inactive [LOOP-5]") {
  for (const std::string& kernel : kernels()) {
    auto captured = std::make_shared<int>(0);
    auto soon = std::make_shared<int>(0);
    DelayedCall later;
    run(onKernel(kernel), [&] {
      later = callLater(1h, [captured] { ++*captured; });
      callSoon([soon] { ++*soon; });
    });

    CHECK_FALSE(later.isActive());
    CHECK_FALSE(later.cancel());
    CHECK_FALSE(later.reset(1s));
    CHECK(captured.use_count() == 1);
    CHECK(*captured == 0);
    CHECK(soon.use_count() == 1);
  }
}

FIBER_TEST("callSoon runs in the next turn, behind what is ready [LOOP-1]") {
  std::string order;
  spawn([&] { order += 'a'; });
  callSoon([&] {
    order += 'b';
    callSoon([&] { order += 'e'; });
  });
  spawn([&] { order += 'c'; });
  callSoon([&] { order += 'd'; });
  CHECK(order == "");

  settle();

  CHECK(order == "abcde");
}

TEST_CASE("callLater and callSoon off a loop throw [THREAD-6]") {
  CHECK_THROWS_AS(callLater(1s, [] {}), std::logic_error);
  CHECK_THROWS_AS(callSoon([] {}), std::logic_error);
}
