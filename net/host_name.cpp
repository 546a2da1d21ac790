#include "host_name.h"

#include <arpa/inet.h>

#include <algorithm>

namespace plait::net::detail {
namespace {

constexpr std::size_t kHostNameMax = 253;
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool isOf(char character, std::string_view set) noexcept { return set.find(character) != set.npos; }

// "127.1", "0x7f000001", "10.0.0.256": libc takes some for addresses that nobody meant, and would
// ask the name servers for the others.
bool looksNumeric(const std::string& host) noexcept {
  in_addr ignored{};
  return host.find_first_not_of("0123456789.") == host.npos ||
         ::inet_aton(host.c_str(), &ignored) != 0;
}

}  // namespace

std::optional<HostNameFault> findHostNameFault(std::string_view host) {
  if (host.empty()) return HostNameFault{0, "the host is empty"};
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (static_cast<unsigned char>(host[i]) >= 0x80) {
      return HostNameFault{i, "a host name is ASCII: write an international name as xn--..."};
    }
    if (!isOf(host[i], kLetters) && !isOf(host[i], kDigits) && !isOf(host[i], "-._")) {
      return HostNameFault{i, "a host name has letters, digits, '-', '.' and '_' only"};
    }
  }
  if (host.size() > kHostNameMax) {
    return HostNameFault{kHostNameMax,
                         "a host name has at most " + std::to_string(kHostNameMax) + " characters"};
  }
  if (host[0] == '.') return HostNameFault{0, "a host name does not begin with '.'"};
  if (const std::size_t dots = host.find(".."); dots != host.npos) {
    return HostNameFault{dots + 1, "a host name has no empty part"};
  }
  if (looksNumeric(std::string(host))) {
    return HostNameFault{0, "an IPv4 address has four decimal numbers up to 255, as 127.0.0.1"};
  }
  return std::nullopt;
}

bool isLocalhost(std::string_view host) noexcept {
  constexpr std::string_view kName = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < kName.size()) return false;
  const std::string_view above = host.substr(0, host.size() - kName.size());
  if (!above.empty() && !above.ends_with('.')) return false;
  return std::equal(kName.begin(), kName.end(), host.begin() + above.size(),
                    [](char a, char b) { return a == (isOf(b, kLetters) ? (b | 0x20) : b); });
}

std::string toLower(std::string_view text) {
  std::string lower(text);
  for (char& each : lower) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each | 0x20);
  }
  return lower;
}

}  // namespace plait::net::detail
