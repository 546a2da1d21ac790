// SHA-1, which the WebSocket handshake asks for. It is no longer fit for anything that must be
// secure; use OpenSSL, by way of net/tls, for that.
#pragma once

#include <array>
#include <cstddef>

#include "plait/stream.h"

namespace plait::http::detail {

inline constexpr std::size_t kSha1Bytes = 20;

// Never switches. Any thread.
std::array<std::byte, kSha1Bytes> sha1(net::Bytes message) noexcept;

}  // namespace plait::http::detail
