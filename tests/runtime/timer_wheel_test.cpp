// The timer wheel: order, ties, cancels, and deadlines at both ends of time.
#include "plait/detail/timer_wheel.h"

#include <algorithm>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace plait;
using detail::Timer;
using detail::TimerWheel;

namespace {

constexpr TimePoint kFarthest = TimePoint(Duration(std::int64_t{1} << 62));  // the clock's own way
constexpr TimePoint kStart = TimePoint(std::chrono::seconds(1000));

TimePoint at(std::int64_t nanoseconds) { return kStart + Duration(nanoseconds); }

std::unique_ptr<Timer> timer() {
  return std::make_unique<Timer>([](Timer&) {});
}

std::vector<Timer*> due(TimerWheel& wheel, TimePoint now) {
  wheel.expire(now);
  std::vector<Timer*> result;
  while (Timer* each = wheel.popDue()) result.push_back(each);
  return result;
}

std::uint64_t seedOfThisRun() {
  const char* const asked = std::getenv("PLAIT_SEED");
  return asked != nullptr ? std::stoull(asked) : std::random_device()();
}

// What the wheel promises, told by a sorted map: by deadline, then by arming.
class Reference {
 public:
  void arm(Timer* timer, TimePoint deadline, TimePoint now) {
    if (deadline <= now) late_.push_back(timer);
    byTimer_[timer] = byDeadline_.emplace(std::max(deadline, now), timer);
  }
  void disarm(Timer* timer) {
    byDeadline_.erase(byTimer_.at(timer));
    byTimer_.erase(timer);
    std::erase(late_, timer);
  }
  // Checks what the wheel gave and forgets it.
  void take(std::vector<Timer*> due, TimePoint now) {
    // Those that were late when armed come first, in any order.
    REQUIRE(due.size() >= late_.size());
    const auto firstInTime = due.begin() + static_cast<std::ptrdiff_t>(late_.size());
    std::sort(due.begin(), firstInTime);
    std::sort(late_.begin(), late_.end());
    REQUIRE(std::equal(late_.begin(), late_.end(), due.begin()));
    for (Timer* each : std::vector(late_)) disarm(each);
    for (auto each = firstInTime; each != due.end(); ++each) {
      REQUIRE(*each == byDeadline_.begin()->second);
      REQUIRE(byDeadline_.begin()->first <= now);
      disarm(*each);
    }
    REQUIRE(next() > now);
  }
  TimePoint next() const { return byDeadline_.empty() ? kNever : byDeadline_.begin()->first; }
  std::size_t size() const { return byDeadline_.size(); }

 private:
  std::multimap<TimePoint, Timer*> byDeadline_;
  std::map<Timer*, std::multimap<TimePoint, Timer*>::iterator> byTimer_;
  std::vector<Timer*> late_;
};

}  // namespace

TEST_CASE("timers come out in the order of their deadlines, none early [LOOP-4]") {
  TimerWheel wheel(kStart);
  const std::int64_t waits[] = {5'000'000'000, 70, 64, 63, 1, 4096, 4095, 1'000'000};
  std::map<std::int64_t, std::unique_ptr<Timer>> timers;
  for (const std::int64_t wait : waits) {
    timers[wait] = timer();
    wheel.arm(*timers[wait], at(wait));
  }

  for (const auto& [wait, expected] : timers) {
    CAPTURE(wait);
    CHECK(wheel.next() == at(wait));
    CHECK(due(wheel, at(wait - 1)).empty());
    CHECK(due(wheel, at(wait)) == std::vector{expected.get()});
  }
  CHECK(wheel.next() == kNever);
  CHECK(wheel.size() == 0);
}

TEST_CASE("timers of one deadline come out in the order they were armed [LOOP-4]") {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<Timer*> expected;
  // Armed from ever nearer, so that they enter the wheel at every level on the way.
  const TimePoint deadline = at(10'000'000'000);
  for (std::int64_t now = 0; now < 10'000'000'000; now += 1 + (10'000'000'000 - now) / 3) {
    // Something has to be due, or the wheel does not turn.
    const auto other = timer();
    wheel.arm(*other, at(now));
    CHECK(due(wheel, at(now)).size() == 1);
    expected.push_back(timers.emplace_back(timer()).get());
    wheel.arm(*timers.back(), deadline);
  }

  CHECK(expected.size() > 40);
  CHECK(due(wheel, deadline) == expected);
}

TEST_CASE("a timer disarmed never comes out, also when it is due already [LOOP-5]") {
  TimerWheel wheel(kStart);
  const auto first = timer();
  const auto second = timer();
  const auto third = timer();
  wheel.arm(*first, at(10));
  wheel.arm(*second, at(20));
  wheel.arm(*third, at(30));

  wheel.disarm(*first);
  CHECK_FALSE(first->isArmed());
  CHECK(wheel.next() == at(20));
  wheel.expire(at(40));
  CHECK(second->isArmed());
  wheel.disarm(*second);
  wheel.disarm(*second);

  CHECK(wheel.popDue() == third.get());
  CHECK(wheel.popDue() == nullptr);
  CHECK(wheel.size() == 0);
}

TEST_CASE("a timer can be armed again, also by what it fires [LOOP-5]") {
  TimerWheel wheel(kStart);
  const auto one = timer();
  wheel.arm(*one, at(10));
  wheel.disarm(*one);
  wheel.arm(*one, at(500));
  CHECK(due(wheel, at(499)).empty());
  CHECK(due(wheel, at(500)).size() == 1);

  wheel.arm(*one, at(500));
  CHECK(wheel.bound() <= at(500));
  CHECK(wheel.next() == at(500));

  CHECK(due(wheel, at(500)).size() == 1);
}

TEST_CASE("a deadline that has passed is due at the next look") {
  TimerWheel wheel(kStart);
  due(wheel, at(1'000'000));
  const TimePoint past[] = {at(0), TimePoint(), TimePoint(Duration(-1)), TimePoint::min()};
  for (const TimePoint deadline : past) {
    const auto late = timer();
    wheel.arm(*late, deadline);

    CHECK(wheel.next() <= at(1'000'000));
    CHECK(due(wheel, at(1'000'000)) == std::vector{late.get()});
  }
}

TEST_CASE("deadlines at the end of time wait for it") {
  TimerWheel wheel(kStart);
  const auto last = timer();
  const auto never = timer();
  const auto near = timer();
  wheel.arm(*never, kNever);
  wheel.arm(*last, kNever - Duration(1));
  wheel.arm(*near, at(1));

  CHECK(due(wheel, at(1)) == std::vector{near.get()});
  CHECK(wheel.next() == kNever - Duration(1));
  CHECK(due(wheel, kNever - Duration(2)).empty());
  CHECK(due(wheel, kNever - Duration(1)) == std::vector{last.get()});
  CHECK(wheel.next() == kNever);

  wheel.disarm(*never);
}

TEST_CASE("the next deadline may be told early, never late, when very many share a slot") {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 1000; ++i) {
    wheel.arm(*timers.emplace_back(timer()), at(1'000'000'000 + 1000 - i));
  }

  std::size_t count = 0;
  int looks = 0;
  for (TimePoint next = wheel.next(); next != kNever; next = wheel.next()) {
    REQUIRE(next <= at(1'000'000'001 + static_cast<std::int64_t>(count)));
    count += due(wheel, next).size();
    REQUIRE(++looks < 1200);
  }

  CHECK(count == 1000);
}

TEST_CASE("100,000 random operations give what a sorted map gives") {
  const std::uint64_t seed = seedOfThisRun();
  CAPTURE(seed);  // repeat with PLAIT_SEED
  std::mt19937_64 random(seed);
  TimerWheel wheel(kStart);
  Reference reference;
  std::list<std::unique_ptr<Timer>> armed;
  std::map<Timer*, std::list<std::unique_ptr<Timer>>::iterator> places;
  TimePoint now = kStart;
  const auto randomWait = [&random] {
    // Any number of bits is as likely, so all levels are met; now and then the past.
    const std::int64_t wait = static_cast<std::int64_t>(random() >> (4 + random() % 60));
    return random() % 10 == 0 ? -(wait >> 30) : wait;
  };

  for (int i = 0; i < 100'000; ++i) {
    const auto choice = random() % 10;
    if (choice < 5) {
      const auto place = armed.insert(armed.end(), timer());
      const std::int64_t wait = randomWait();
      const TimePoint deadline = wait < 0 ? now + Duration(wait) : after(now, Duration(wait));
      places[place->get()] = place;
      wheel.arm(**place, deadline);
      reference.arm(place->get(), deadline, now);
    } else if (choice < 8 && !armed.empty()) {
      // Near either end, so that old and young ones go.
      const auto hops =
          static_cast<std::ptrdiff_t>(random() % std::min<std::size_t>(armed.size(), 8));
      const auto place =
          random() % 2 == 0 ? std::next(armed.begin(), hops) : std::prev(armed.end(), hops + 1);
      wheel.disarm(**place);
      reference.disarm(place->get());
      places.erase(place->get());
      armed.erase(place);
    } else {
      const TimePoint next = reference.next();
      const bool toNext = next < kFarthest && random() % 4 == 0;
      const auto step = Duration(static_cast<std::int64_t>(random() >> (24 + random() % 40)));
      now = std::max(now, toNext ? next : now + step);
      const std::vector<Timer*> taken = due(wheel, now);
      reference.take(taken, now);
      for (Timer* each : taken) {
        armed.erase(places.at(each));
        places.erase(each);
      }
    }
    REQUIRE(wheel.size() == reference.size());
    REQUIRE(wheel.bound() <= reference.next());
    const TimePoint next = std::max(wheel.next(), now);
    REQUIRE(next <= reference.next());
    if (reference.size() <= 64) REQUIRE(next == reference.next());
  }
  for (const auto& each : armed) wheel.disarm(*each);
}
