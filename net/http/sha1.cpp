#include "sha1.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace plait::http::detail {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kLengthBytes = 8;  // of the message's length, at the end of the last block

using Digest = std::array<std::uint32_t, 5>;
using Block = std::array<std::byte, kBlockBytes>;

std::uint32_t loadBigEndian(const std::byte* from) noexcept {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word = word << 8 | std::to_integer<std::uint32_t>(from[i]);
  return word;
}

void addBlock(Digest& digest, const std::byte* block) noexcept {
  std::array<std::uint32_t, 80> words;
  for (std::size_t i = 0; i < 16; ++i) words[i] = loadBigEndian(block + 4 * i);
  for (std::size_t i = 16; i < 80; ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  auto [a, b, c, d, e] = digest;
  const auto step = [&a, &b, &c, &d, &e](std::uint32_t mixed, std::uint32_t constant,
                                         std::uint32_t word) {
    const std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + word;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  };
  for (std::size_t i = 0; i < 20; ++i) step((b & c) | (~b & d), 0x5A827999, words[i]);
  for (std::size_t i = 20; i < 40; ++i) step(b ^ c ^ d, 0x6ED9EBA1, words[i]);
  for (std::size_t i = 40; i < 60; ++i) step((b & c) | (b & d) | (c & d), 0x8F1BBCDC, words[i]);
  for (std::size_t i = 60; i < 80; ++i) step(b ^ c ^ d, 0xCA62C1D6, words[i]);
  digest = {digest[0] + a, digest[1] + b, digest[2] + c, digest[3] + d, digest[4] + e};
}

}  // namespace

std::array<std::byte, kSha1Bytes> sha1(net::Bytes message) noexcept {
  Digest digest{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::uint64_t bits = std::uint64_t{message.size()} * 8;
  for (; message.size() >= kBlockBytes; message = message.subspan(kBlockBytes)) {
    addBlock(digest, message.data());
  }

  // The rest, a bit that is set, zeros, and the length: in one block more, or two.
  Block last{};
  if (!message.empty()) std::memcpy(last.data(), message.data(), message.size());
  last[message.size()] = std::byte{0x80};
  if (message.size() + 1 > kBlockBytes - kLengthBytes) {
    addBlock(digest, last.data());
    last.fill(std::byte{0});
  }
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    last[kBlockBytes - 1 - i] = static_cast<std::byte>(bits >> (8 * i));
  }
  addBlock(digest, last.data());

  std::array<std::byte, kSha1Bytes> result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<std::byte>(digest[i / 4] >> (24 - 8 * (i % 4)));
  }
  return result;
}

}  // namespace plait::http::detail
