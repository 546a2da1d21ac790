#include "plait/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

#include "plait/error.h"

namespace plait::net {
namespace {

constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;  // a NUL before or behind it

sa_family_t rawFamily(const Address& address) noexcept {
  sa_family_t family = AF_UNSPEC;
  if (address.length() >= sizeof family) std::memcpy(&family, address.data(), sizeof family);
  return family;
}

template <class Raw>
Raw read(const Address& address) noexcept {
  Raw raw{};
  std::memcpy(&raw, address.data(), std::min<std::size_t>(sizeof raw, address.length()));
  return raw;
}

template <class Raw>
void write(const Raw& raw, std::size_t length, Address& into) noexcept {
  into = Address();
  std::memcpy(into.data(), &raw, length);
  into.length() = static_cast<std::uint32_t>(length);
}

Address fromIpv4(const in_addr& host, std::uint16_t port) noexcept {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_port = htons(port);
  raw.sin_addr = host;
  Address result;
  write(raw, sizeof raw, result);
  return result;
}

Address fromIpv6(const in6_addr& host, std::uint32_t scope, std::uint16_t port) noexcept {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port);
  raw.sin6_addr = host;
  raw.sin6_scope_id = scope;
  Address result;
  write(raw, sizeof raw, result);
  return result;
}

// The text with a NUL behind it, for the C functions; false if it cannot be what they parse.
template <std::size_t Size>
bool copyText(std::string_view text, char (&into)[Size]) noexcept {
  if (text.empty() || text.size() >= Size || text.find('\0') != text.npos) return false;
  *std::copy(text.begin(), text.end(), into) = '\0';
  return true;
}

// An interface by its name or number; 0 if there is none.
std::uint32_t scopeOf(std::string_view text) noexcept {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  if (const auto [stop, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && stop == end) {
    return number;
  }
  char name[IF_NAMESIZE];
  return copyText(text, name) ? ::if_nametoindex(name) : 0;
}

bool hasScope(const in6_addr& host) noexcept {
  return IN6_IS_ADDR_LINKLOCAL(&host) || IN6_IS_ADDR_MC_LINKLOCAL(&host) ||
         IN6_IS_ADDR_MC_NODELOCAL(&host);
}

std::string scopeName(std::uint32_t scope) {
  char name[IF_NAMESIZE];
  return ::if_indextoname(scope, name) != nullptr ? name : std::to_string(scope);
}

// The bytes of a unix socket's name: a path without its NUL, or a NUL and what follows it.
std::string_view unixName(const Address& address) noexcept {
  if (address.length() <= kPathOffset) return {};
  const char* const start = static_cast<const char*>(address.data()) + kPathOffset;
  const std::size_t size = address.length() - kPathOffset;
  if (*start == '\0') return {start, size};
  return {start, ::strnlen(start, size)};
}

}  // namespace

Address Address::ip(std::string_view numeric, std::uint16_t port) {
  Address result;
  if (tryIp(numeric, port, result)) return result;
  throw Error(
      std::errc::invalid_argument,
      "'" + std::string(numeric) +
          "' is not a numeric IP address such as 127.0.0.1 or ::1; for a name use resolve()");
}

bool Address::tryIp(std::string_view numeric, std::uint16_t port, Address& into) noexcept {
  char text[INET6_ADDRSTRLEN];
  in_addr four{};
  if (copyText(numeric, text) && ::inet_pton(AF_INET, text, &four) == 1) {
    into = fromIpv4(four, port);
    return true;
  }
  const std::size_t percent = numeric.find('%');
  in6_addr six{};
  if (!copyText(numeric.substr(0, percent), text) || ::inet_pton(AF_INET6, text, &six) != 1) {
    return false;
  }
  std::uint32_t scope = 0;
  if (percent != numeric.npos) {
    if (hasScope(six)) scope = scopeOf(numeric.substr(percent + 1));
    if (scope == 0) return false;
  }
  into = fromIpv6(six, scope, port);
  return true;
}

Address Address::any(std::uint16_t port, Family family) noexcept {
  if (family == Family::ipv6) return fromIpv6(in6addr_any, 0, port);
  return fromIpv4({htonl(INADDR_ANY)}, port);
}

Address Address::loopback(std::uint16_t port, Family family) noexcept {
  if (family == Family::ipv6) return fromIpv6(in6addr_loopback, 0, port);
  return fromIpv4({htonl(INADDR_LOOPBACK)}, port);
}

Address Address::unixSocket(std::string_view path) {
  const bool isAbstract = path.starts_with('@');
  const std::string quoted = "the unix socket name '" + std::string(path) + "'";
  if (path.empty() || path == "@") {
    throw Error(std::errc::invalid_argument, quoted + " is empty: give a path, or @name");
  }
  if (path.size() - (isAbstract ? 1 : 0) > kPathMax) {
    throw Error(std::errc::filename_too_long,
                quoted + " has " + std::to_string(path.size()) + " bytes, the system takes " +
                    std::to_string(kPathMax) + ": use a shorter or a relative path");
  }
  if (!isAbstract && path.find('\0') != path.npos) {
    throw Error(std::errc::invalid_argument, quoted + " has a NUL character in it");
  }
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), raw.sun_path);
  if (isAbstract) raw.sun_path[0] = '\0';
  Address result;
  // A path counts with its NUL; an abstract name is all its bytes.
  write(raw, kPathOffset + path.size() + (isAbstract ? 0 : 1), result);
  return result;
}

Family Address::family() const noexcept {
  switch (rawFamily(*this)) {
    case AF_INET:
      return Family::ipv4;
    case AF_INET6:
      return Family::ipv6;
    case AF_UNIX:
      return Family::unixSocket;
    default:
      return Family::none;
  }
}

std::uint16_t Address::port() const noexcept {
  switch (family()) {
    case Family::ipv4:
      return ntohs(read<sockaddr_in>(*this).sin_port);
    case Family::ipv6:
      return ntohs(read<sockaddr_in6>(*this).sin6_port);
    default:
      return 0;
  }
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == Family::ipv4) {
    const auto raw = read<sockaddr_in>(*this);
    return ::inet_ntop(AF_INET, &raw.sin_addr, text, sizeof text);
  }
  if (family() != Family::ipv6) return {};
  const auto raw = read<sockaddr_in6>(*this);
  const std::string host = ::inet_ntop(AF_INET6, &raw.sin6_addr, text, sizeof text);
  if (raw.sin6_scope_id == 0 || !hasScope(raw.sin6_addr)) return host;
  return host + "%" + scopeName(raw.sin6_scope_id);
}

std::string Address::path() const {
  if (family() != Family::unixSocket) return {};
  std::string name(unixName(*this));
  if (name.starts_with('\0')) name[0] = '@';
  return name;
}

std::string Address::toString() const {
  switch (family()) {
    case Family::ipv4:
      return host() + ":" + std::to_string(port());
    case Family::ipv6:
      return std::string("[").append(host()).append("]:").append(std::to_string(port()));
    case Family::unixSocket:
      return "unix:" + path();
    case Family::none:
      break;
  }
  return "none";
}

Address Address::withPort(std::uint16_t port) const noexcept {
  Address result = *this;
  if (family() == Family::ipv4) {
    auto raw = read<sockaddr_in>(*this);
    raw.sin_port = htons(port);
    write(raw, sizeof raw, result);
  } else if (family() == Family::ipv6) {
    auto raw = read<sockaddr_in6>(*this);
    raw.sin6_port = htons(port);
    write(raw, sizeof raw, result);
  }
  return result;
}

bool Address::operator==(const Address& other) const noexcept {
  // Not by bytes: padding, a flow label and a path's NUL make no other address.
  if (family() != other.family() || port() != other.port()) return false;
  switch (family()) {
    case Family::ipv4:
      return read<sockaddr_in>(*this).sin_addr.s_addr == read<sockaddr_in>(other).sin_addr.s_addr;
    case Family::ipv6: {
      const auto mine = read<sockaddr_in6>(*this);
      const auto theirs = read<sockaddr_in6>(other);
      return IN6_ARE_ADDR_EQUAL(&mine.sin6_addr, &theirs.sin6_addr) &&
             mine.sin6_scope_id == theirs.sin6_scope_id;
    }
    case Family::unixSocket:
      return unixName(*this) == unixName(other);
    case Family::none:
      break;
  }
  return true;
}

}  // namespace plait::net
