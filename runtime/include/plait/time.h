// Time as plait counts it: nanoseconds on the loop's monotonic clock, which under the sim kernel is
// a virtual one. A Duration converts from every std::chrono duration that loses nothing.
#pragma once

#include <chrono>

namespace plait {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline constexpr TimePoint kNever = TimePoint::max();
inline constexpr Duration kForever = Duration::max();

// The point `wait` from `start`; a sum that would overflow is kNever, a negative wait is `start`.
constexpr TimePoint after(TimePoint start, Duration wait) noexcept {
  if (wait <= Duration::zero()) return start;
  return wait >= kNever - start ? kNever : start + wait;
}

// The time on the current loop's clock; off a loop, the system's monotonic clock.
// Never switches. Any thread.
TimePoint now() noexcept;

}  // namespace plait
