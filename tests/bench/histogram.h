// A log-linear histogram of nanoseconds: 128 buckets per power of two, so a quantile is at most
// 0.8 % off, and recording is a shift and an increment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

class Histogram final {
 public:
  void record(std::uint64_t value) {
    ++counts_[indexOf(value)];
    ++total_;
  }

  void clear() {
    counts_.assign(counts_.size(), 0);
    total_ = 0;
  }

  std::uint64_t count() const { return total_; }

  // The value that `fraction` of the records do not exceed; 0 without any.
  double quantile(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted || (seen == total_ && seen > 0)) return middleOf(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr std::uint64_t kLinear = 1u << kBits;

  // Below 2 x kLinear the value is its own index; from there on, the top kBits + 1 bits count.
  static std::size_t indexOf(std::uint64_t value) {
    if (value < kLinear) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return shift * kLinear + (value >> shift);
  }

  static double middleOf(std::size_t index) {
    if (index < kLinear) return static_cast<double>(index);
    const std::size_t shift = index / kLinear - 1;
    const std::uint64_t low = (index - shift * kLinear) << shift;
    return static_cast<double>(low) + static_cast<double>(1ULL << shift) / 2;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>((64 - kBits + 1) * kLinear);
  std::uint64_t total_ = 0;
};
