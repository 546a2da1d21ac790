#include "kill_ledger.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace plait::test {

std::byte Flow::at(std::uint64_t place) const noexcept {
  if (place < kHeaderBytes) return static_cast<std::byte>(number_ >> (8 * place) & 0xff);
  const std::uint64_t mixed = (place + 1) * 0x9e3779b97f4a7c15u ^ number_ * 0xc2b2ae3d27d4eb4fu;
  return static_cast<std::byte>(mixed >> 29 & 0xff);
}

std::uint32_t Flow::numberIn(std::span<const std::byte, kHeaderBytes> header) noexcept {
  std::uint32_t number = 0;
  for (std::size_t i = kHeaderBytes; i-- > 0;) {
    number = number << 8 | std::to_integer<std::uint32_t>(header[i]);
  }
  return number;
}

std::string Flow::content(std::uint64_t from, std::size_t bytes) const {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(at(from + i));
  return text;
}

// Struck twice in a row: the part that was sent is of either write.
void Flow::attempt(std::size_t bytes) noexcept {
  attempted_ = std::max<std::uint64_t>(attempted_, bytes);
}

void Flow::commit(std::size_t bytes) noexcept {
  committed_ += bytes;
  attempted_ = 0;
}

void Flow::breakOff(const std::string& refusal) {
  broken_ = true;
  const std::string_view mark = "interrupted after ";
  if (const std::size_t place = refusal.find(mark); place != refusal.npos) {
    part_ = std::stoull(refusal.substr(place + mark.size()));
  }
}

void Flow::take(std::span<const std::byte> bytes) {
  for (const std::byte each : bytes) {
    if (each != at(received_)) {
      throw std::runtime_error("byte " + std::to_string(received_) + " is not the one sent in " +
                               describe());
    }
    ++received_;
  }
}

std::string Flow::disagreement() const {
  if (!ended_) return "the end was never seen in " + describe();
  const std::uint64_t most = committed_ + attempted_;
  if (cut_) return received_ <= most ? "" : "more came than was sent in " + describe();
  if (broken_) {
    // Broken means: more than nothing was sent of the struck write, and less than all.
    const bool told = part_ == 0 || received_ == committed_ + part_;
    return told && received_ > committed_ && received_ < most ? "" : "wrong count in " + describe();
  }
  return received_ == committed_ ? "" : "wrong count in " + describe();
}

std::string Flow::describe() const {
  return "direction " + std::to_string(number_) + ": " + std::to_string(committed_) + " sent, " +
         std::to_string(attempted_) + " tried, " + std::to_string(received_) + " received" +
         (broken_ ? ", broken after " + std::to_string(part_) : "") + (cut_ ? ", cut" : "") +
         (ended_ ? ", ended" : "");
}

}  // namespace plait::test
