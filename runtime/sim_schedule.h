// The virtual clock and what is going to happen. Events are taken by time, then by lot, then in the
// order of their making.
#pragma once

#include <queue>
#include <tuple>
#include <utility>

#include "plait/detail/op.h"
#include "plait/sim.h"
#include "sim_random.h"
#include "sim_socket.h"

namespace plait::detail::sim {

using Place = std::pair<TimePoint, std::uint64_t>;  // time and lot

enum class What : std::uint8_t { tell, retry, cancel, giveUp };

struct Event {
  What what{};
  Op* op = nullptr;  // all but retry
  std::uint64_t flight = 0;
  std::shared_ptr<Description> target{};  // retry
  std::int32_t result = 0;                // tell
  bool more = false;
  Place place{};
  std::uint64_t order = 0;

  bool operator<(const Event& other) const noexcept {  // the queue's top is the greatest
    return std::tie(other.place, other.order) < std::tie(place, order);
  }
};

class Schedule final {
 public:
  Schedule(const SimOptions& options, Dice& dice) : options_(options), dice_(dice) {}

  void add(Event event, Place place);
  bool takeDue(Event& event);  // false if nothing is due now
  bool hasDue() const noexcept { return !events_.empty() && events_.top().place.first <= now_; }

  // The next event, null if there is none; drop() forgets it.
  const Event* next() const noexcept { return events_.empty() ? nullptr : &events_.top(); }
  void drop() { events_.pop(); }

  // A place now, or somewhat later, as the options have it.
  Place placeSoon();

  TimePoint now() const noexcept { return now_; }
  void advance(TimePoint to) noexcept { now_ = std::max(now_, to); }

 private:
  static constexpr TimePoint kStart = TimePoint(std::chrono::seconds(1000));

  const SimOptions& options_;
  Dice& dice_;
  TimePoint now_ = kStart;
  std::uint64_t order_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace plait::detail::sim
