// What can be the name of a host, before anybody is asked for its address.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace plait::net::detail {

struct HostNameFault {
  std::size_t at;  // the character
  std::string why;
};

// Nothing if `host`, which is no numeric address, may be a name.
std::optional<HostNameFault> findHostNameFault(std::string_view host);

// "localhost" or a name below it: this machine, whatever a name server says.
bool isLocalhost(std::string_view host) noexcept;

std::string toLower(std::string_view text);

}  // namespace plait::net::detail
