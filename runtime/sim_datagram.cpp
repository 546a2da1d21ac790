// Datagrams of the sim network. They arrive whole, once and in order; udp drops them when the
// receiver has no room, a unix socket's sender waits.

#include <sys/socket.h>

#include <cerrno>

#include "sim_network.h"

namespace plait::detail::sim {
namespace {

constexpr std::size_t kUdpMax = 65'507;

msghdr* message(const Op& op) noexcept {
  const bool has = op.kind == OpKind::recvMessage || op.kind == OpKind::sendMessage;
  return has ? static_cast<msghdr*>(op.buffer) : nullptr;
}

std::uint32_t flagsOf(const Op& op) noexcept {
  return op.kind == OpKind::read || op.kind == OpKind::write ? 0 : op.flags;
}

std::vector<std::byte> payloadOf(const Pieces& pieces) {
  std::vector<std::byte> payload;
  payload.reserve(pieces.total);
  eachPiece(pieces, pieces.total, [&payload](const std::byte* start, std::size_t bytes) {
    payload.insert(payload.end(), start, start + bytes);
  });
  return payload;
}

bool hasRoom(const Description& socket, std::size_t bytes, std::size_t limit) noexcept {
  return socket.mail.empty() || socket.mailBytes + bytes <= limit;
}

}  // namespace

Outcome Network::connectDatagram(Description& socket, const Address& address) {
  if (address.family == AF_UNSPEC) {
    socket.connected = false;
    socket.partner.reset();
    return 0;
  }
  if (socket.isInternet() == (address.family == AF_UNIX)) return -EAFNOSUPPORT;
  if (!socket.isInternet()) {
    Description* partner = nullptr;
    if (const std::int32_t result = findPath(address.path, partner); result < 0) return result;
    if (partner->type != Type::datagram) return -EPROTOTYPE;
    socket.partner = partner->weak_from_this();
  } else {
    if (!address.isV4() && socket.domain == AF_INET) return -EAFNOSUPPORT;
    if (!socket.bound) {
      const std::int32_t result = bindInternet(socket, Address::anyOf(socket.domain));
      if (result < 0) return result;
    }
  }
  socket.remote = address;
  if (socket.isInternet()) {
    if (socket.remote.isAny()) socket.remote.setLoopback();
    if (socket.local.isAny()) {
      socket.local.host = socket.remote.host;
      if (!socket.local.isLoopback()) socket.local.setLoopback();
    }
  }
  socket.connected = true;
  return 0;
}

Outcome Network::receiveDatagram(Description& socket, Pieces& pieces, const Op& op) {
  const std::uint32_t flags = flagsOf(op);
  if (socket.error != 0) return -std::exchange(socket.error, 0);
  if (socket.mail.empty()) {
    if (socket.readShut) return 0;
    if ((flags & MSG_DONTWAIT) != 0) return -EAGAIN;
    return std::nullopt;
  }
  Datagram& datagram = socket.mail.front();
  const std::size_t size = datagram.payload.size();
  const std::size_t count = std::min(size, pieces.total);
  const std::byte* at = datagram.payload.data();
  eachPiece(pieces, count, [&at](std::byte* start, std::size_t bytes) {
    std::copy(at, at + bytes, start);
    at += bytes;
  });
  if (msghdr* const header = message(op)) {
    header->msg_flags = count < size ? MSG_TRUNC : 0;
    // An unnamed unix socket's message has no source.
    const bool named = socket.isInternet() || !datagram.source.path.empty();
    std::uint32_t length = named ? header->msg_namelen : 0;
    if (named) {
      datagram.source.write(socket.domain, static_cast<sockaddr*>(header->msg_name), &length);
    }
    header->msg_namelen = length;
  }
  if ((flags & MSG_PEEK) == 0) {
    socket.mailBytes -= size;
    socket.mail.pop_front();
    touchRoomWaiters(socket);
  }
  return static_cast<std::int32_t>((flags & MSG_TRUNC) != 0 ? size : count);
}

Outcome Network::sendDatagram(Description& socket, const Pieces& pieces, const Op& op) {
  if (socket.error != 0) return -std::exchange(socket.error, 0);
  if (socket.writeShut) return -EPIPE;
  Address to;
  const msghdr* const header = message(op);
  const bool addressed =
      header != nullptr && header->msg_name != nullptr && header->msg_namelen > 0;
  if (addressed) {
    const std::int32_t result =
        to.read(static_cast<const sockaddr*>(header->msg_name), header->msg_namelen);
    if (result < 0) return result;
    if (socket.isInternet() == (to.family == AF_UNIX)) return -EAFNOSUPPORT;
  }
  if (!socket.isInternet()) {
    const bool mayWait = (flagsOf(op) & MSG_DONTWAIT) == 0;
    return sendPath(socket, addressed ? &to : nullptr, pieces, mayWait);
  }
  if (!addressed) {
    if (!socket.connected) return -EDESTADDRREQ;
    to = socket.remote;
  }
  if (pieces.total > kUdpMax) return -EMSGSIZE;
  if (!to.isV4() && socket.domain == AF_INET) return -EAFNOSUPPORT;
  if (to.isAny()) to.setLoopback();
  if (!to.isLoopback() && !to.isDead()) return -ENETUNREACH;
  if (dice_.hit(options_.errorRate)) return -ENOBUFS;
  if (!socket.bound) {
    const std::int32_t result = bindInternet(socket, Address::anyOf(socket.domain));
    if (result < 0) return result;
  }
  Address from = socket.local;
  if (from.isAny()) from.host = to.host;
  if (Description* const target = receiver(Type::datagram, to, from)) {
    if (hasRoom(*target, pieces.total, options_.socketBytes)) {
      target->mail.push_back({payloadOf(pieces), from});
      target->mailBytes += pieces.total;
      touch(target);
    }
  } else if (socket.connected && !to.isDead()) {
    // The answer that nobody is there; an unconnected socket does not hear it.
    socket.error = ECONNREFUSED;
    touch(&socket);
  }
  return static_cast<std::int32_t>(pieces.total);
}

Outcome Network::sendPath(Description& socket, const Address* to, const Pieces& pieces,
                          bool mayWait) {
  Pointer target = socket.partner.lock();
  if (to != nullptr) {
    Description* named = nullptr;
    if (const std::int32_t result = findPath(to->path, named); result < 0) return result;
    target = named->shared_from_this();
  } else if (!socket.connected) {
    return -ENOTCONN;
  }
  if (!target || target->released) return -ECONNREFUSED;
  if (target->type != Type::datagram) return -EPROTOTYPE;
  if (target->readShut) return -EPIPE;
  if (pieces.total > options_.socketBytes) return -EMSGSIZE;
  if (!hasRoom(*target, pieces.total, options_.socketBytes)) {
    if (!mayWait) return -EAGAIN;
    target->roomWaiters.push_back(socket.weak_from_this());
    return std::nullopt;
  }
  target->mail.push_back({payloadOf(pieces), socket.local});
  target->mailBytes += pieces.total;
  touch(target.get());
  return static_cast<std::int32_t>(pieces.total);
}

}  // namespace plait::detail::sim
