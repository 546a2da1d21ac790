#include "websocket_mask.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "plait/detail/assert.h"
#include "plait/error.h"

namespace plait::http::detail {
namespace {

constexpr std::size_t kWordBytes = 8;
// What a compiler would only make of a plain loop with -O3.
using Vector [[gnu::vector_size(16)]] = std::uint64_t;
constexpr std::size_t kStrideVectors = 4;
constexpr std::size_t kStrideBytes = kStrideVectors * sizeof(Vector);

// The key as it stands at `offset`, twice.
std::uint64_t rotated(MaskKey key, std::uint64_t offset) noexcept {
  std::uint32_t half = 0;
  std::memcpy(&half, key.data(), sizeof(half));
  const int bits = 8 * static_cast<int>(offset % key.size());
  half = std::endian::native == std::endian::little ? std::rotr(half, bits) : std::rotl(half, bits);
  return std::uint64_t{half} << 32 | half;
}

}  // namespace

void maskInPlace(net::MutableBytes bytes, MaskKey key, std::uint64_t offset) noexcept {
  maskInto(bytes.data(), bytes, key, offset);
}

void maskInto(std::byte* into, net::Bytes bytes, MaskKey key, std::uint64_t offset) noexcept {
  const std::uint64_t pattern = rotated(key, offset);
  const std::byte* from = bytes.data();
  std::size_t left = bytes.size();
  const Vector wide{pattern, pattern};
  for (; left >= kStrideBytes; left -= kStrideBytes) {
    Vector words[kStrideVectors];
    std::memcpy(words, from, kStrideBytes);
    for (Vector& word : words) word ^= wide;
    std::memcpy(into, words, kStrideBytes);
    from += kStrideBytes;
    into += kStrideBytes;
  }
  for (; left >= kWordBytes; left -= kWordBytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, kWordBytes);
    word ^= pattern;
    std::memcpy(into, &word, kWordBytes);
    from += kWordBytes;
    into += kWordBytes;
  }
  for (std::size_t i = 0; i < left; ++i) into[i] = from[i] ^ key[(offset + i) % key.size()];
}

MaskKey MaskKeys::next() {
  if (used_ + sizeof(MaskKey) > batch_.size()) {
    fillRandom(batch_);
    used_ = 0;
  }
  MaskKey key;
  std::copy_n(batch_.data() + used_, key.size(), key.data());
  used_ += key.size();
  return key;
}

void fillRandom(net::MutableBytes into) {
  PLAIT_ASSERT(into.size() <= 256);
  for (;;) {
    const ssize_t count = ::getrandom(into.data(), into.size(), 0);
    if (count == static_cast<ssize_t>(into.size())) return;
    if (count < 0 && errno != EINTR) throw IoError(errno, "asking the kernel for random bytes");
  }
}

}  // namespace plait::http::detail
