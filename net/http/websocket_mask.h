// The masking of what a client sends: each byte is combined with one of a key's four.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "plait/stream.h"

namespace plait::http::detail {

using MaskKey = std::array<std::byte, 4>;

// Masks, or takes the mask off: `offset` is how many bytes of the frame came before. Never switch.
void maskInPlace(net::MutableBytes bytes, MaskKey key, std::uint64_t offset = 0) noexcept;
void maskInto(std::byte* into, net::Bytes bytes, MaskKey key, std::uint64_t offset = 0) noexcept;

// Random bytes of the kernel's, fetched by the batch. A fork copies what is left of it.
class MaskKeys final {
 public:
  // Never switches. Throws: IoError if the kernel has none to give.
  MaskKey next();

 private:
  static constexpr std::size_t kBatchBytes = 256;  // what getrandom(2) gives whole, always
  std::array<std::byte, kBatchBytes> batch_;
  std::size_t used_ = kBatchBytes;
};

// Fills `into`, at most 256 bytes. Never switches. Throws: IoError.
void fillRandom(net::MutableBytes into);

}  // namespace plait::http::detail
