// Clock, and the calls that it makes.
#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "deferred_support.h"
#include "plait/call_later.h"
#include "plait/time_source.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

TEST_CASE("a clock calls what is due in the order of the deadlines, none early [DEFERRED-99]") {
  Clock clock;
  std::string order;
  const TimePoint start = clock.now();
  clock.callLater(3s, [&order] { order += 'c'; });
  clock.callLater(1s, [&order] { order += 'a'; });
  clock.callLater(2s, [&order] { order += 'b'; });
  clock.callLater(4s, [&order] { order += 'd'; });
  CHECK(clock.pending() == 4);

  clock.advance(1s - 1ns);
  CHECK(order.empty());
  clock.advance(2s + 1ns);

  CHECK(order == "abc");
  CHECK(clock.pending() == 1);
  CHECK(clock.now() - start == 3s);
}

TEST_CASE("calls of one deadline are made in the order in which they were asked [DEFERRED-99]") {
  Clock clock;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) clock.callLater(1s, [&order, i] { order.push_back(i); });

  clock.advance(1s);

  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("what a call asks for meanwhile is called in the same advance [DEFERRED-99]") {
  Clock clock;
  std::string order;
  clock.callLater(1s, [&] {
    order += 'a';
    clock.callLater(0s, [&order] { order += 'c'; });
    clock.callLater(1ns, [&order] { order += 'x'; });
  });
  clock.callLater(2s, [&order] { order += 'b'; });

  clock.advance(2s);

  CHECK(order == "abc");
  CHECK(clock.pending() == 1);
}

TEST_CASE("a call that runs cannot be cancelled or moved, one that waits can [DEFERRED-99]") {
  Clock clock;
  int runs = 0;
  DelayedCall self;
  DelayedCall other;
  self = clock.callLater(1s, [&] {
    ++runs;
    CHECK_FALSE(self.isActive());
    CHECK_FALSE(self.cancel());
    CHECK_FALSE(self.reset(1s));
    CHECK_FALSE(self.delay(1s));
    CHECK(other.cancel());
  });
  other = clock.callLater(1s, [&runs] { runs += 100; });

  clock.advance(10s);

  CHECK(runs == 1);
  CHECK(clock.pending() == 0);
  CHECK_FALSE(other.cancel());
}

TEST_CASE("a cancelled call drops its function at once [DEFERRED-99]") {
  Clock clock;
  auto captured = std::make_shared<int>(0);
  DelayedCall call = clock.callLater(1s, [captured] { ++*captured; });

  CHECK(call.cancel());

  CHECK(captured.use_count() == 1);
  clock.advance(2s);
  CHECK(*captured == 0);
}

TEST_CASE("calls that a call moves stay in order [DEFERRED-99]") {
  Clock clock;
  std::string order;
  DelayedCall moved = clock.callLater(2s, [&order] { order += 'm'; });
  DelayedCall delayed = clock.callLater(3s, [&order] { order += 'd'; });
  clock.callLater(4s, [&order] { order += 'x'; });
  clock.callLater(1s, [&] {
    CHECK(moved.reset(4s));
    CHECK(delayed.delay(3s));
  });

  clock.advance(1s);
  CHECK(moved.time() == clock.now() + 4s);
  clock.advance(5s);

  CHECK(order == "xmd");
}

TEST_CASE("what a call throws leaves advance(), and the rest is called by the next [DEFERRED-99]") {
  Clock clock;
  std::string order;
  clock.callLater(1s, [] { throw std::runtime_error("no luck"); });
  clock.callLater(1s, [&order] { order += 'a'; });
  clock.callLater(2s, [&order] { order += 'b'; });

  CHECK_THROWS_AS(clock.advance(3s), std::runtime_error);
  clock.advance(0s);

  CHECK(order == "ab");
  CHECK(clock.pending() == 0);
}

TEST_CASE("a clock does not go back, and pump() is several advances [DEFERRED-99]") {
  Clock clock;
  int runs = 0;
  clock.callLater(1s, [&] { clock.callLater(1s, [&runs] { ++runs; }); });

  CHECK_THROWS_AS(clock.advance(-1s), std::invalid_argument);
  clock.pump(std::array<Duration, 3>{500ms, 500ms, 1s});

  CHECK(runs == 1);
}

TEST_CASE("calls that are left when their clock goes are dropped unrun [DEFERRED-99]") {
  auto captured = std::make_shared<int>(0);
  DelayedCall call;
  {
    Clock clock;
    call = clock.callLater(1s, [captured] { ++*captured; });
  }

  CHECK(captured.use_count() == 1);
  CHECK(*captured == 0);
  CHECK_FALSE(call.isActive());
  CHECK_FALSE(call.cancel());
}
