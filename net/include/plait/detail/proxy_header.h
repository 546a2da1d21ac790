// The PROXY header, versions 1 and 2: what a load balancer says first about the client that it
// connects through.
#pragma once

#include <cstddef>
#include <string_view>

#include "plait/address.h"
#include "plait/stream.h"

namespace plait::net::detail {

inline constexpr std::size_t kProxyLineMax = 107;  // bytes of version 1, as its specification says
inline constexpr std::size_t kProxyHeaderMax = 4096;  // bytes behind the first 16 of version 2

struct ProxyHeader {
  Address client;  // family none: the balancer speaks for itself (LOCAL, UNKNOWN)
  Address server;  // whom the client meant
};

// Reads it and not a byte more. May switch. Throws: IoError (EPROTO) for anything else, also for a
// stream that ends before; as Stream::readSome.
ProxyHeader readProxyHeader(Stream& stream);

// Version 1, without its line's end; version 2, whole. Throw: IoError (EPROTO). Never switch.
ProxyHeader parseProxyLine(std::string_view line);
ProxyHeader parseProxyBlock(Bytes block);

}  // namespace plait::net::detail
