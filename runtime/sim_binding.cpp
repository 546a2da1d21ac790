// Names of sockets: ports, paths, and who is reached under which.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>

#include "sim_network.h"

namespace plait::detail::sim {
namespace {

constexpr std::size_t kAutobindTries = 0xfffff;

// True if a socket bound to the wildcard of its domain is meant by `host`.
bool covers(const Description& socket, const Address& host) noexcept {
  if (socket.domain == AF_INET) return host.isV4();
  return !host.isV4() || socket.option(IPPROTO_IPV6, IPV6_V6ONLY) == 0;
}

bool isSameEnd(const Address& one, const Address& other) noexcept {
  return one.host == other.host && one.port == other.port;
}

}  // namespace

std::int32_t Network::bind(Description& socket, const Op& op) {
  if (op.length < socket.addressBytes()) return -EINVAL;
  Address address;
  if (const std::int32_t result = address.read(static_cast<sockaddr*>(op.buffer), op.length);
      result < 0) {
    return result;
  }
  if (address.family != socket.domain) return socket.isInternet() ? -EAFNOSUPPORT : -EINVAL;
  if (socket.bound) return -EINVAL;
  return socket.isInternet() ? bindInternet(socket, address) : bindPath(socket, address);
}

std::int32_t Network::bindInternet(Description& socket, Address address) {
  if (!address.isAny() && !address.isLoopback()) return -EADDRNOTAVAIL;
  if (address.port == 0) {
    if (!pickPort(socket, address)) return -EADDRINUSE;
  } else if (conflicts(socket, address)) {
    return -EADDRINUSE;
  }
  socket.local = address;
  socket.bound = true;
  ports_.emplace(address.port, &socket);
  return 0;
}

std::int32_t Network::bindPath(Description& socket, Address address) {
  for (std::size_t i = 0; address.path.empty() && i < kAutobindTries; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "%05x", ++nameNext_ & 0xfffff);
    const std::string abstract = '\0' + std::string(name);
    if (!paths_.contains(abstract)) address.path = abstract;
  }
  if (address.path.empty()) return -ENOSPC;
  if (!paths_.try_emplace(address.path, socket.weak_from_this()).second) return -EADDRINUSE;
  socket.local = address;
  socket.bound = true;
  return 0;
}

std::int32_t Network::unlink(const char* path) {
  return *path != '\0' && paths_.erase(path) == 1 ? 0 : -ENOENT;
}

void Network::unbind(Description& socket) {
  const auto [first, last] = ports_.equal_range(socket.local.port);
  for (auto each = first; each != last; ++each) {
    if (each->second != &socket) continue;
    ports_.erase(each);
    break;
  }
  // An abstract name goes with its socket, a path stays until it is unlinked. Accepted sockets
  // share their listener's name.
  const std::string& path = socket.local.path;
  if (path.empty() || path[0] != '\0') return;
  const auto named = paths_.find(path);
  if (named != paths_.end() && named->second.lock().get() == &socket) paths_.erase(named);
}

bool Network::pickPort(const Description& socket, Address& address) {
  for (int tries = 0; tries <= kPortLast - kPortFirst; ++tries) {
    address.port = portNext_;
    portNext_ = portNext_ == kPortLast ? kPortFirst : static_cast<std::uint16_t>(portNext_ + 1);
    if (!ports_.contains(address.port)) return true;
    if (!conflicts(socket, address)) return true;
  }
  return false;
}

bool Network::conflicts(const Description& socket, const Address& address) const {
  const auto [first, last] = ports_.equal_range(address.port);
  return std::any_of(first, last, [&](const auto& entry) {
    const Description& other = *entry.second;
    if (other.type != socket.type) return false;
    const bool overlap = address.host == other.local.host ||
                         (address.isAny() && covers(socket, other.local)) ||
                         (other.local.isAny() && covers(other, address));
    if (!overlap) return false;
    const auto bothHave = [&](int name) {
      return socket.option(SOL_SOCKET, name) != 0 && other.option(SOL_SOCKET, name) != 0;
    };
    return !bothHave(SO_REUSEPORT) && !(bothHave(SO_REUSEADDR) && !other.listening);
  });
}

Description* Network::receiver(Type type, const Address& address, const Address& source) const {
  std::vector<Description*> best;
  int bestScore = 0;
  const auto [first, last] = ports_.equal_range(address.port);
  for (auto each = first; each != last; ++each) {
    Description& socket = *each->second;
    if (socket.type != type || (type == Type::stream && !socket.listening)) continue;
    int score = 0;
    if (socket.local.host == address.host) score = 2;
    if (socket.local.isAny() && covers(socket, address)) score = 1;
    if (socket.connected) score = isSameEnd(socket.remote, source) ? score + 2 : 0;
    if (score == 0 || score < bestScore) continue;
    if (score > bestScore) best.clear();
    bestScore = score;
    best.push_back(&socket);
  }
  return best.empty() ? nullptr : best[source.port % best.size()];
}

std::int32_t Network::findPath(const std::string& path, Description*& socket) const {
  const auto named = paths_.find(path);
  if (named == paths_.end()) return path.empty() || path[0] != '\0' ? -ENOENT : -ECONNREFUSED;
  socket = named->second.lock().get();
  return socket == nullptr || socket->released ? -ECONNREFUSED : 0;
}

}  // namespace plait::detail::sim
