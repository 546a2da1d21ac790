#include "sim_socket.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace plait::detail::sim {

bool Description::isInternet() const noexcept { return domain == AF_INET || domain == AF_INET6; }

std::uint32_t Description::addressBytes() const noexcept {
  if (domain == AF_INET) return sizeof(sockaddr_in);
  return domain == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sa_family_t);
}

std::uint32_t Description::readiness() const noexcept {
  std::uint32_t ready = error != 0 ? POLLERR | POLLIN : 0;
  if (listening) return ready | (backlog.empty() ? 0 : POLLIN);
  if (type == Type::datagram) {
    return ready | POLLOUT | (mail.empty() ? 0 : POLLIN);
  }
  if (!in && !out) return ready | POLLOUT | POLLHUP;
  const bool pipe = type == Type::pipe;
  bool ended = false;
  if (in) {
    ended = in->finished || readShut;
    if (ended || !in->bytes.empty()) ready |= POLLIN;
    if (ended) ready |= pipe ? POLLHUP : POLLRDHUP;
  }
  if (out) {
    const bool broken = writeShut || out->abandoned;
    if (broken || out->room() > 0) ready |= POLLOUT;
    if (broken && pipe) ready |= POLLERR;
    if (writeShut && ended) ready |= POLLHUP;
  }
  return ready;
}

int Description::option(int level, int name) const noexcept {
  const auto found = options.find({level, name});
  if (found == options.end() || found->second.size() < sizeof(int)) return 0;
  // A linger of some time is no linger for a network that is always in time.
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger value{};
    std::memcpy(&value, found->second.data(), std::min(found->second.size(), sizeof value));
    return value.l_onoff != 0 && value.l_linger == 0 ? 1 : 0;
  }
  int value = 0;
  std::memcpy(&value, found->second.data(), sizeof value);
  return value;
}

}  // namespace plait::detail::sim
