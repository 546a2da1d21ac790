#include "system_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>

namespace plait::net::detail {

LookupResult askSystem(const std::string& host, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::ipv4   ? AF_INET
                    : family == Family::ipv6 ? AF_INET6
                                             : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // or each address comes once per type
  addrinfo* list = nullptr;
  LookupResult result;
  result.code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  result.systemError = errno;
  if (result.code != 0) return result;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    if (each->ai_addrlen > Address::kLengthMax) continue;
    Address address;
    std::copy_n(reinterpret_cast<const std::byte*>(each->ai_addr), each->ai_addrlen,
                static_cast<std::byte*>(address.data()));
    address.length() = each->ai_addrlen;
    const auto& all = result.addresses;
    if (std::find(all.begin(), all.end(), address) == all.end()) {
      result.addresses.push_back(address);
    }
  }
  return result;
}

}  // namespace plait::net::detail
