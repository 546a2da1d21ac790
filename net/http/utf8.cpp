#include "utf8.h"

#include <cstring>

namespace plait::http::detail {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

// The first byte at or after `at` that may be other than ASCII: text is ASCII for the most part,
// and is passed over in words.
std::size_t skipAscii(net::Bytes bytes, std::size_t at) noexcept {
  for (; bytes.size() - at >= 4 * kWordBytes; at += 4 * kWordBytes) {
    std::uint64_t words[4];
    std::memcpy(words, bytes.data() + at, sizeof(words));
    if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
  }
  while (at < bytes.size() && bytes[at] < std::byte{0x80}) ++at;
  return at;
}

}  // namespace

bool Utf8Check::add(net::Bytes bytes) noexcept {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (missing_ == 0) {
      at = skipAscii(bytes, at);
      if (at == bytes.size()) return true;
      if (!begin(std::to_integer<std::uint8_t>(bytes[at]))) return false;
      continue;
    }
    const auto byte = std::to_integer<std::uint8_t>(bytes[at]);
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xBF;
    --missing_;
  }
  return true;
}

// The second byte's range rules out what is too long for its character, the surrogates, and what is
// above U+10FFFF.
bool Utf8Check::begin(std::uint8_t byte) noexcept {
  if (byte < 0xC2 || byte > 0xF4) return false;
  missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) low_ = 0xA0;
  if (byte == 0xED) high_ = 0x9F;
  if (byte == 0xF0) low_ = 0x90;
  if (byte == 0xF4) high_ = 0x8F;
  return true;
}

bool isUtf8(net::Bytes bytes) noexcept {
  Utf8Check check;
  return check.add(bytes) && check.isComplete();
}

}  // namespace plait::http::detail
