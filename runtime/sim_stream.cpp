// Streams of the sim network: tcp and unix connections, and pipes.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "sim_network.h"

namespace plait::detail::sim {
namespace {

std::int32_t takeError(Description& socket) noexcept { return -std::exchange(socket.error, 0); }

// What was moved counts; an error behind it is told by the next operation.
std::int32_t ended(const Pieces& pieces, std::int32_t otherwise) noexcept {
  return pieces.done > 0 ? static_cast<std::int32_t>(pieces.done) : otherwise;
}

Outcome wait(const Pieces& pieces, std::uint32_t flags) noexcept {
  if ((flags & MSG_DONTWAIT) == 0) return std::nullopt;
  return ended(pieces, -EAGAIN);
}

}  // namespace

Outcome Network::connect(const Op& op, Description& socket) {
  if (socket.type == Type::pipe) return -ENOTSOCK;
  Address address;
  const std::int32_t result = address.read(static_cast<const sockaddr*>(op.buffer), op.length);
  if (result < 0) return result;
  if (socket.type == Type::datagram) return connectDatagram(socket, address);
  if (op.length < socket.addressBytes()) return -EINVAL;
  if (address.family != socket.domain) return -EAFNOSUPPORT;
  if (socket.listening) return socket.isInternet() ? -EISCONN : -EINVAL;
  if (socket.in) return -EISCONN;
  return connectStream(socket, address);
}

Outcome Network::connectStream(Description& socket, const Address& address) {
  Description* listener = nullptr;
  if (socket.isInternet()) {
    const bool v6Only = socket.domain == AF_INET6 && socket.option(IPPROTO_IPV6, IPV6_V6ONLY) != 0;
    if (v6Only && address.isV4()) return -ENETUNREACH;
    if (dice_.hit(options_.errorRate)) return dice_.below(2) == 0 ? -ECONNREFUSED : -ETIMEDOUT;
    Address to = address;
    if (to.isAny()) to.setLoopback();
    if (to.isDead()) return std::nullopt;
    if (!to.isLoopback()) return -ENETUNREACH;
    if (!socket.bound) {
      Address from = to;
      from.family = socket.domain;
      from.port = 0;
      if (bindInternet(socket, from) < 0) return -EADDRNOTAVAIL;
    }
    if (socket.local.isAny()) socket.local.host = to.host;
    listener = receiver(Type::stream, to, socket.local);
    socket.remote = to;
  } else {
    if (const std::int32_t result = findPath(address.path, listener); result < 0) return result;
    if (listener->type != Type::stream) return -EPROTOTYPE;
    socket.remote = address;
  }
  if (listener == nullptr || !listener->listening) return -ECONNREFUSED;
  if (listener->backlog.size() >= listener->backlogMax) {
    listener->roomWaiters.push_back(socket.weak_from_this());
    return std::nullopt;
  }
  const auto accepted = std::make_shared<Description>(Type::stream, listener->domain);
  accepted->options = listener->options;
  accepted->local = socket.isInternet() ? socket.remote : listener->local;
  accepted->remote = socket.local;
  joinStreams(socket, *accepted);
  listener->backlog.push_back(accepted);
  touch(listener);
  return 0;
}

Outcome Network::accept(const Op& op, Description& listener) {
  if (listener.type == Type::pipe) return -ENOTSOCK;
  if (listener.type == Type::datagram) return -EOPNOTSUPP;
  if (!listener.listening) return -EINVAL;
  // Before it looks for a connection, as Linux does: an accept fails although nobody connects.
  if (open_ >= options_.descriptorsMax) return -EMFILE;
  if (listener.backlog.empty()) return std::nullopt;
  const Pointer accepted = std::move(listener.backlog.front());
  listener.backlog.pop_front();
  touchRoomWaiters(listener);
  if (listener.isTcp() && dice_.hit(options_.errorRate)) {
    reset(accepted->out->reader);
    release(*accepted);
    return -ECONNABORTED;
  }
  accepted->remote.write(accepted->domain, static_cast<sockaddr*>(op.buffer), op.lengthInOut);
  return add(accepted);
}

Outcome Network::receive(Description& socket, Pieces& pieces, std::uint32_t flags) {
  if (!socket.in) {
    if (socket.type == Type::pipe) return -EBADF;
    return socket.isInternet() ? -ENOTCONN : -EINVAL;
  }
  if (pieces.total == 0) return 0;
  Channel& from = *socket.in;
  if (socket.isTcp() && socket.connected && dice_.hit(options_.errorRate)) {
    reset(socket.out->reader);
    reset(&socket);
    from.bytes.clear();
  }
  const bool whole = (flags & MSG_WAITALL) != 0;
  const bool peek = (flags & MSG_PEEK) != 0;
  if (from.bytes.empty()) {
    if (socket.error != 0) return pieces.done > 0 ? ended(pieces, 0) : takeError(socket);
    if (from.finished || socket.readShut) return ended(pieces, 0);
    return wait(pieces, flags);
  }
  std::size_t count = std::min(pieces.total - pieces.done, from.bytes.size());
  if (options_.shortTransfers && !whole && dice_.below(2) == 0) count = 1 + dice_.below(count);
  auto at = from.bytes.begin();
  eachPiece(pieces, count, [&at](std::byte* start, std::size_t bytes) {
    const auto end = at + static_cast<std::ptrdiff_t>(bytes);
    std::copy(at, end, start);
    at = end;
  });
  if (peek) return static_cast<std::int32_t>(count);
  from.bytes.erase(from.bytes.begin(), at);
  touch(from.writer);
  pieces.done += count;
  if (pieces.done == pieces.total || !whole) return static_cast<std::int32_t>(pieces.done);
  // All there was is taken: the stream may end here.
  return receive(socket, pieces, flags);
}

Outcome Network::send(Description& socket, Pieces& pieces, std::uint32_t flags) {
  if (!socket.out) {
    if (socket.type == Type::pipe) return -EBADF;
    return socket.isInternet() ? -EPIPE : -ENOTCONN;
  }
  Channel& to = *socket.out;
  if (socket.isTcp() && socket.connected && dice_.hit(options_.errorRate)) {
    reset(to.reader);
    reset(&socket);
    socket.in->bytes.clear();
  }
  if (socket.error != 0) return pieces.done > 0 ? ended(pieces, 0) : takeError(socket);
  if (socket.writeShut) return ended(pieces, -EPIPE);
  if (to.abandoned) {
    // Only the answer to a first segment tells a tcp socket that its peer is gone.
    if (!socket.isTcp() || !socket.connected) return ended(pieces, -EPIPE);
    socket.connected = false;
    return static_cast<std::int32_t>(pieces.total);
  }
  const std::size_t wanted = pieces.total - pieces.done;
  if (wanted == 0) return static_cast<std::int32_t>(pieces.done);
  const bool atomic = socket.type == Type::pipe && pieces.total <= PIPE_BUF;
  if (to.room() == 0 || (atomic && to.room() < wanted)) return wait(pieces, flags);
  const bool whole = (flags & MSG_WAITALL) != 0;
  std::size_t count = std::min(wanted, to.room());
  if (options_.shortTransfers && !whole && !atomic && dice_.below(2) == 0) {
    count = 1 + dice_.below(count);
  }
  eachPiece(pieces, count, [&to](const std::byte* start, std::size_t bytes) {
    to.bytes.insert(to.bytes.end(), start, start + bytes);
  });
  touch(to.reader);
  pieces.done += count;
  if (pieces.done == pieces.total || !whole) return static_cast<std::int32_t>(pieces.done);
  return wait(pieces, flags);
}

void Network::joinStreams(Description& one, Description& other) {
  const auto lead = [this](Description& from, Description& to) {
    from.out = to.in = std::make_shared<Channel>();
    const int asked = from.option(SOL_SOCKET, SO_SNDBUF);
    from.out->capacity = asked > 0 ? static_cast<std::size_t>(asked) : options_.socketBytes;
    from.out->writer = &from;
    to.in->reader = &to;
  };
  lead(one, other);
  lead(other, one);
  one.connected = other.connected = true;
  touch(&one);
}

// The peer's reset has arrived: what came before it can still be read, then the error, then the
// end.
void Network::reset(Description* socket) {
  if (socket == nullptr || !socket->connected) return;
  socket->connected = false;
  socket->error = ECONNRESET;
  socket->in->finished = true;
  socket->out->abandoned = true;
  touch(socket);
}

void Network::dropStream(Description& socket) {
  socket.listening = false;
  for (const Pointer& each : std::exchange(socket.backlog, {})) {
    reset(each->out->reader);
    release(*each);
  }
  touchRoomWaiters(socket);
  touch(&socket);
  // A close with bytes unread, or with SO_LINGER of no time, resets the connection.
  const bool hard = socket.type == Type::stream && socket.in &&
                    (!socket.in->bytes.empty() || socket.option(SOL_SOCKET, SO_LINGER) != 0);
  if (hard) reset(socket.out->reader);
  if (socket.out) {
    socket.out->finished = true;
    socket.out->writer = nullptr;
    touch(socket.out->reader);
  }
  if (socket.in) {
    socket.in->abandoned = true;
    socket.in->reader = nullptr;
    socket.in->bytes.clear();
    touch(socket.in->writer);
  }
}

}  // namespace plait::detail::sim
