// Digests by OpenSSL, for those above net/tls.
#pragma once

#include <array>
#include <cstddef>

#include "plait/stream.h"

namespace plait::net::detail {

inline constexpr std::size_t kSha1Bytes = 20;
inline constexpr std::size_t kSha256Bytes = 32;

// SHA-1 is fit for the WebSocket handshake, which asks for it, and for nothing that must be secure.
// Never switch. Any thread. Throw: TlsError if OpenSSL refuses the algorithm (a FIPS provider).
std::array<std::byte, kSha1Bytes> sha1(Bytes message);
std::array<std::byte, kSha256Bytes> sha256(Bytes message);

}  // namespace plait::net::detail
