// What a string says about where to listen or whom to connect to:
//   tcp:PORT  tcp:HOST:PORT  tcp:[::1]:PORT  unix:PATH  unix:@NAME
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plait/address.h"

namespace plait::net::detail {

enum class EndpointUse : bool { listen, connect };

struct Endpoint {
  std::string text;  // as it was given
  std::string kind;  // "tcp", "unix"
  // The address, if none has to be asked for; else family none, and a name with its port.
  Address address;
  std::string host;
  std::uint16_t port = 0;

  // One address or more. May switch. Throws: ResolveError.
  std::vector<Address> resolve() const;
};

// Port 0 is for listening only, and a tcp endpoint without a host too.
// Throws: Error (invalid_argument) that quotes the text and points at the character.
Endpoint parseEndpoint(std::string_view text, EndpointUse use);

}  // namespace plait::net::detail
