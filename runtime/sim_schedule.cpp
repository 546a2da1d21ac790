#include "sim_schedule.h"

namespace plait::detail::sim {

void Schedule::add(Event event, Place place) {
  event.place = place;
  event.order = ++order_;
  events_.push(std::move(event));
}

bool Schedule::takeDue(Event& event) {
  if (!hasDue()) return false;
  event = events_.top();
  events_.pop();
  return true;
}

Place Schedule::placeSoon() {
  Place place{now_, 0};
  // A quarter happens at once, so that nothing relies on a delay either.
  if (options_.delays && dice_.below(4) != 0) {
    const auto latencies = static_cast<std::uint64_t>(options_.latencyMax.count()) + 1;
    place.first += Duration(static_cast<std::int64_t>(dice_.below(latencies)));
  }
  if (options_.reorder) place.second = dice_.next();
  return place;
}

}  // namespace plait::detail::sim
