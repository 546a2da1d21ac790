// Whether bytes are UTF-8, looked at piece by piece: a text message may be cut anywhere, also
// within a character.
#pragma once

#include <cstdint>

#include "plait/stream.h"

namespace plait::http::detail {

class Utf8Check final {
 public:
  // False as soon as it is certain that no more bytes can make it UTF-8; of no use after that.
  bool add(net::Bytes bytes) noexcept;
  // Whether what was added ends with a whole character.
  bool isComplete() const noexcept { return missing_ == 0; }
  void reset() noexcept { *this = Utf8Check(); }

 private:
  bool begin(std::uint8_t byte) noexcept;

  std::uint8_t missing_ = 0;  // bytes of the character that has begun
  std::uint8_t low_ = 0x80;   // within which the next of them has to be
  std::uint8_t high_ = 0xBF;
};

bool isUtf8(net::Bytes bytes) noexcept;

}  // namespace plait::http::detail
