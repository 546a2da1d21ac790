#include "plait/resolver.h"

#include <netdb.h>

#include <string>
#include <system_error>

#include "host_name.h"
#include "lookup_table.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"

namespace plait::net {
namespace {

std::string reasonOf(const detail::LookupResult& result) {
  switch (result.code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return "there is no such name, or it has no address; check its spelling, /etc/hosts and the "
             "search list in /etc/resolv.conf";
    case EAI_ADDRFAMILY:
      return "it has no address of the family asked for";
    case EAI_AGAIN:
      return "the name servers do not answer; try again later, or check the network and "
             "/etc/resolv.conf";
    case EAI_FAIL:
      return "the name servers refuse to answer; check /etc/resolv.conf";
    case EAI_SYSTEM:
      return "the system's resolver failed: " + std::system_category().message(result.systemError);
    default:
      return resolveCategory().message(result.code);
  }
}

[[noreturn]] void fail(std::string_view host, int code, const std::string& reason) {
  throw ResolveError(std::error_code(code, resolveCategory()),
                     "cannot resolve '" + std::string(host) + "': " + reason);
}

bool isWanted(const Address& address, Family family) noexcept {
  return family == Family::none || address.family() == family;
}

std::vector<Address> addressesOf(std::string_view host, Family family) {
  Address numeric;
  if (Address::tryIp(host, 0, numeric)) {
    if (isWanted(numeric, family)) return {numeric};
    fail(host, EAI_ADDRFAMILY, "it is an address of another family than was asked for");
  }
  if (detail::isLocalhost(host)) {
    std::vector<Address> both{Address::loopback(0), Address::loopback(0, Family::ipv6)};
    std::erase_if(both, [family](const Address& each) { return !isWanted(each, family); });
    return both;
  }
  if (const auto fault = detail::findHostNameFault(host)) fail(host, EAI_NONAME, fault->why);
  const detail::Answer answer = detail::findAnswer(std::string(host), family);
  if (answer->code != 0) fail(host, answer->code, reasonOf(*answer));
  return answer->addresses;
}

}  // namespace

std::vector<Address> resolve(std::string_view host, std::uint16_t port,
                             const ResolveOptions& options) {
  plait::detail::checkpoint();
  std::vector<Address> addresses = addressesOf(host, options.family);
  for (Address& each : addresses) each = each.withPort(port);
  return addresses;
}

}  // namespace plait::net
