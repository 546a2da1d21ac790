// What one member of a room heard, checked line by line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Every speaker of a room numbers what he says from 0. A member heard everything exactly once and
// in order, if each speaker's numbers came one after the other, and as many as he said in the end;
// the members of a room heard it in the same order, if their fingerprints are equal.
class Hearing final {
 public:
  explicit Hearing(std::size_t speakers) : next_(speakers) {}

  // False if it is not what had to come next from this speaker: something is missing, or came
  // twice.
  bool hear(std::size_t speaker, std::uint64_t number) {
    if (speaker >= next_.size() || next_[speaker] != number) return false;
    ++next_[speaker];
    ++count_;
    constexpr std::uint64_t kFnvPrime = 1099511628211;
    fingerprint_ = (fingerprint_ ^ speaker) * kFnvPrime;
    return true;
  }

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t countOf(std::size_t speaker) const { return next_.at(speaker); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  std::vector<std::uint64_t> next_;
  std::uint64_t count_ = 0;
  std::uint64_t fingerprint_ = 14695981039346656037U;
};
