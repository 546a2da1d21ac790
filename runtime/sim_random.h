// The sim kernel's dice: the same sequence for the same seed on every machine and standard library.
#pragma once

#include <cstdint>

namespace plait::detail::sim {

class Dice final {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}

  // SplitMix64.
  std::uint64_t next() noexcept {
    std::uint64_t value = state_ += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
  }

  std::uint64_t below(std::uint64_t end) noexcept { return next() % end; }

  // A rate of 0 draws nothing, so that what is switched off does not shift the rest.
  bool hit(double rate) noexcept {
    return rate > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < rate;
  }

 private:
  std::uint64_t state_;
};

}  // namespace plait::detail::sim
