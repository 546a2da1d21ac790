#include "sim_address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace plait::detail::sim {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);

bool startsWith(const std::array<std::uint8_t, 16>& host, std::size_t at,
                std::initializer_list<std::uint8_t> bytes) noexcept {
  return std::equal(bytes.begin(), bytes.end(), host.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

std::int32_t Address::read(const sockaddr* from, std::uint32_t bytes) {
  if (from == nullptr || bytes < sizeof(sa_family_t)) return -EINVAL;
  *this = Address();
  sa_family_t readFamily = 0;
  std::memcpy(&readFamily, from, sizeof readFamily);
  if (readFamily == AF_INET) {
    sockaddr_in in{};
    if (bytes < sizeof in) return -EINVAL;
    std::memcpy(&in, from, sizeof in);
    std::copy(kMapped.begin(), kMapped.end(), host.begin());
    std::memcpy(host.data() + kMapped.size(), &in.sin_addr, sizeof in.sin_addr);
    port = ntohs(in.sin_port);
  } else if (readFamily == AF_INET6) {
    sockaddr_in6 in{};
    if (bytes < sizeof in) return -EINVAL;
    std::memcpy(&in, from, sizeof in);
    std::memcpy(host.data(), &in.sin6_addr, host.size());
    port = ntohs(in.sin6_port);
  } else if (readFamily == AF_UNIX) {
    if (bytes > sizeof(sockaddr_un)) return -EINVAL;
    path.assign(reinterpret_cast<const char*>(from) + kPathOffset, bytes - kPathOffset);
    // A path ends at its NUL; an abstract name is all its bytes.
    if (!path.empty() && path[0] != '\0') path.resize(std::strlen(path.c_str()));
  } else if (readFamily != AF_UNSPEC) {
    return -EAFNOSUPPORT;
  }
  family = readFamily;
  return 0;
}

void Address::write(int domain, sockaddr* to, std::uint32_t* lengthInOut) const {
  if (to == nullptr || lengthInOut == nullptr) return;
  sockaddr_storage storage{};
  std::uint32_t length = sizeof(sa_family_t);
  if (domain == AF_INET) {
    sockaddr_in in{};
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, host.data() + kMapped.size(), sizeof in.sin_addr);
    length = sizeof in;
    std::memcpy(&storage, &in, length);
  } else if (domain == AF_INET6) {
    sockaddr_in6 in{};
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, host.data(), host.size());
    length = sizeof in;
    std::memcpy(&storage, &in, length);
  } else if (!path.empty()) {
    length = static_cast<std::uint32_t>(kPathOffset + path.size() + (path[0] != '\0' ? 1 : 0));
    std::memcpy(reinterpret_cast<char*>(&storage) + kPathOffset, path.data(), path.size());
  }
  storage.ss_family = static_cast<sa_family_t>(domain);
  std::memcpy(to, &storage, std::min(*lengthInOut, length));
  *lengthInOut = length;
}

Address Address::anyOf(int domain) {
  Address result;
  result.family = domain;
  if (domain == AF_INET) std::copy(kMapped.begin(), kMapped.end(), result.host.begin());
  return result;
}

bool Address::isV4() const noexcept {
  return std::equal(kMapped.begin(), kMapped.end(), host.begin());
}

bool Address::isAny() const noexcept {
  const std::size_t from = isV4() ? kMapped.size() : 0;
  return std::all_of(host.begin() + static_cast<std::ptrdiff_t>(from), host.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

bool Address::isLoopback() const noexcept {
  if (isV4()) return host[12] == 127;
  return host.back() == 1 && std::count(host.begin(), host.end(), 0) == 15;
}

bool Address::isDead() const noexcept {
  if (!isV4()) return startsWith(host, 0, {0x20, 0x01, 0x0d, 0xb8});
  return startsWith(host, 12, {192, 0, 2}) || startsWith(host, 12, {198, 51, 100}) ||
         startsWith(host, 12, {203, 0, 113});
}

void Address::setLoopback() noexcept {
  if (isV4()) host[12] = 127;
  host.back() = 1;
}

}  // namespace plait::detail::sim
