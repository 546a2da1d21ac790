#include "sim_network.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace plait::detail::sim {
namespace {

constexpr std::uint32_t kBacklogMax = 4096;
constexpr int kTypeMask = ~(SOCK_CLOEXEC | SOCK_NONBLOCK);

bool sendsDescriptors(const msghdr& message) noexcept {
  // CMSG_NXTHDR takes no const.
  msghdr copy = message;
  for (const cmsghdr* each = CMSG_FIRSTHDR(&copy); each != nullptr;
       each = CMSG_NXTHDR(&copy, const_cast<cmsghdr*>(each))) {
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) return true;
  }
  return false;
}

}  // namespace

Pointer Network::find(int descriptor) const {
  if (descriptor < kDescriptorFirst) return nullptr;
  const auto index = static_cast<std::size_t>(descriptor - kDescriptorFirst);
  return index < table_.size() ? table_[index] : nullptr;
}

Outcome Network::attempt(const Op& op, Description& socket, std::size_t& done) {
  switch (op.kind) {
    case OpKind::read:
    case OpKind::recv:
    case OpKind::write:
    case OpKind::send: {
      const iovec buffer{op.buffer, op.length};
      Pieces pieces{&buffer, 1, op.length, done};
      const Outcome result = move(op, socket, pieces);
      done = pieces.done;
      return result;
    }
    case OpKind::recvMessage:
    case OpKind::sendMessage:
      return attemptMessage(op, socket, done);
    case OpKind::accept:
    case OpKind::acceptMany:
      return accept(op, socket);
    case OpKind::connect:
      return connect(op, socket);
    case OpKind::poll: {
      const std::uint32_t ready = socket.readiness() & (op.flags | POLLERR | POLLHUP);
      if (ready == 0) return std::nullopt;
      return static_cast<std::int32_t>(ready);
    }
    case OpKind::readPieces:
    case OpKind::writePieces:
    case OpKind::splice:
    case OpKind::sync:
      return -EINVAL;  // only real files can
    default:
      PLAIT_ASSERT(!"an operation for call(), not for submit()");
  }
  return -EINVAL;
}

Outcome Network::attemptMessage(const Op& op, Description& socket, std::size_t& done) {
  auto& message = *static_cast<msghdr*>(op.buffer);
  if (op.kind == OpKind::sendMessage && sendsDescriptors(message)) return -EOPNOTSUPP;
  std::size_t total = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) total += message.msg_iov[i].iov_len;
  Pieces pieces{message.msg_iov, message.msg_iovlen, total, done};
  const Outcome result = move(op, socket, pieces);
  done = pieces.done;
  if (op.kind == OpKind::recvMessage && result && *result >= 0) {
    message.msg_controllen = 0;
    if (socket.type == Type::stream) {
      message.msg_namelen = 0;
      message.msg_flags = 0;
    }
  }
  return result;
}

Outcome Network::move(const Op& op, Description& socket, Pieces& pieces) {
  const bool plain = op.kind == OpKind::read || op.kind == OpKind::write;
  if (socket.type == Type::pipe && !plain) return -ENOTSOCK;
  const bool in =
      op.kind == OpKind::read || op.kind == OpKind::recv || op.kind == OpKind::recvMessage;
  if (socket.type == Type::datagram) {
    return in ? receiveDatagram(socket, pieces, op) : sendDatagram(socket, pieces, op);
  }
  const std::uint32_t flags = plain ? 0 : op.flags;
  return in ? receive(socket, pieces, flags) : send(socket, pieces, flags);
}

std::int32_t Network::call(const Op& op) {
  switch (op.kind) {
    case OpKind::socket:
      return makeSocket(op.level, op.name, static_cast<int>(op.flags));
    case OpKind::socketPair:
      return makePair(op);
    case OpKind::pipe:
      return makePipe(static_cast<int*>(op.buffer));
    case OpKind::unlink:
      return unlink(static_cast<const char*>(op.buffer));
    default:
      break;
  }
  const Pointer socket = find(op.descriptor);
  if (!socket) return -EBADF;
  if (socket->type == Type::pipe) return -ENOTSOCK;
  return callSocket(op, *socket);
}

std::int32_t Network::callSocket(const Op& op, Description& socket) {
  auto* const address = static_cast<sockaddr*>(op.buffer);
  switch (op.kind) {
    case OpKind::bind:
      return bind(socket, op);
    case OpKind::listen:
      return listen(socket, op.length);
    case OpKind::localName:
      socket.local.write(socket.domain, address, op.lengthInOut);
      return 0;
    case OpKind::peerName:
      if (!socket.connected) return -ENOTCONN;
      socket.remote.write(socket.domain, address, op.lengthInOut);
      return 0;
    case OpKind::getOption:
      return getOption(socket, op);
    case OpKind::setOption:
      return setOption(socket, op);
    case OpKind::shutdown:
      return shutDown(socket, static_cast<int>(op.flags));
    case OpKind::receiveMany:
    case OpKind::sendMany:
      return many(op, socket);
    default:
      PLAIT_ASSERT(!"an operation for submit(), not for call()");
  }
  return -EINVAL;
}

std::int32_t Network::add(Pointer socket) {
  if (open_ >= options_.descriptorsMax) return -EMFILE;
  ++open_;
  // The lowest free number, as everywhere in Unix: a number comes back as soon as it can.
  const auto free = std::find(table_.begin(), table_.end(), nullptr);
  const auto index = free - table_.begin();
  if (free == table_.end()) table_.emplace_back();
  table_[static_cast<std::size_t>(index)] = std::move(socket);
  return kDescriptorFirst + static_cast<int>(index);
}

std::int32_t Network::makeSocket(int domain, int type, int protocol) {
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) return -EAFNOSUPPORT;
  type &= kTypeMask;
  if (type != SOCK_STREAM && type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
  const int expected = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  if (protocol != 0 && (domain == AF_UNIX || protocol != expected)) return -EPROTONOSUPPORT;
  return add(
      std::make_shared<Description>(type == SOCK_STREAM ? Type::stream : Type::datagram, domain));
}

std::int32_t Network::makePair(const Op& op) {
  if (op.level != AF_UNIX) return -EOPNOTSUPP;
  int* const ends = static_cast<int*>(op.buffer);
  ends[0] = makeSocket(op.level, op.name, static_cast<int>(op.flags));
  if (ends[0] < 0) return ends[0];
  ends[1] = makeSocket(op.level, op.name, static_cast<int>(op.flags));
  if (ends[1] < 0) {
    forget(ends[0]);
    return ends[1];
  }
  const Pointer one = find(ends[0]);
  const Pointer other = find(ends[1]);
  if (one->type == Type::stream) {
    joinStreams(*one, *other);
  } else {
    one->partner = other;
    other->partner = one;
    one->connected = other->connected = true;
  }
  return 0;
}

std::int32_t Network::makePipe(int* ends) {
  const auto reader = std::make_shared<Description>(Type::pipe, 0);
  const auto writer = std::make_shared<Description>(Type::pipe, 0);
  ends[0] = add(reader);
  if (ends[0] < 0) return ends[0];
  ends[1] = add(writer);
  if (ends[1] < 0) {
    forget(ends[0]);
    return ends[1];
  }
  reader->in = writer->out = std::make_shared<Channel>();
  reader->in->capacity = options_.pipeBytes;
  reader->in->reader = reader.get();
  reader->in->writer = writer.get();
  return 0;
}

std::int32_t Network::listen(Description& socket, std::uint32_t backlog) {
  if (socket.type != Type::stream) return -EOPNOTSUPP;
  if (socket.in || socket.connected) return -EINVAL;
  if (!socket.bound) {
    if (!socket.isInternet()) return -EINVAL;
    const std::int32_t result = bindInternet(socket, Address::anyOf(socket.domain));
    if (result < 0) return result;
  }
  socket.listening = true;
  // Linux lets one more wait than was asked for.
  socket.backlogMax = std::min(backlog, kBacklogMax) + std::size_t{1};
  touchRoomWaiters(socket);
  return 0;
}

std::int32_t Network::shutDown(Description& socket, int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  if (socket.listening) {
    if (how != SHUT_WR) dropStream(socket);
    return 0;
  }
  if (!socket.connected) return -ENOTCONN;
  if (how != SHUT_WR) {
    socket.readShut = true;
    // A unix socket's peer learns of it; a tcp socket's does not.
    if (socket.in && !socket.isInternet()) {
      socket.in->abandoned = true;
      touch(socket.in->writer);
    }
  }
  if (how != SHUT_RD) {
    socket.writeShut = true;
    if (socket.out) {
      socket.out->finished = true;
      touch(socket.out->reader);
    }
  }
  touch(&socket);
  return 0;
}

std::int32_t Network::many(const Op& op, Description& socket) {
  auto* const messages = static_cast<mmsghdr*>(op.buffer);
  const OpKind kind = op.kind == OpKind::receiveMany ? OpKind::recvMessage : OpKind::sendMessage;
  for (std::uint32_t i = 0; i < op.length; ++i) {
    Op one(kind, op.descriptor);
    one.buffer = &messages[i].msg_hdr;
    one.flags = op.flags | MSG_DONTWAIT;
    std::size_t done = 0;
    const std::int32_t result = attemptMessage(one, socket, done).value_or(-EAGAIN);
    if (result < 0) return i > 0 ? static_cast<std::int32_t>(i) : result;
    messages[i].msg_len = static_cast<unsigned>(result);
  }
  return static_cast<std::int32_t>(op.length);
}

void Network::forget(int descriptor) {
  const Pointer socket = std::move(table_[static_cast<std::size_t>(descriptor - kDescriptorFirst)]);
  socket->closed = true;
  --open_;
}

void Network::release(Description& socket) {
  socket.released = true;
  unbind(socket);
  if (socket.type != Type::datagram) dropStream(socket);
  touchRoomWaiters(socket);
}

void Network::touch(Description* socket) {
  if (socket == nullptr || socket->touched || socket->waiting.empty()) return;
  socket->touched = true;
  touched_.push_back(socket->shared_from_this());
}

void Network::touchRoomWaiters(Description& socket) {
  for (const auto& each : std::exchange(socket.roomWaiters, {})) touch(each.lock().get());
}

}  // namespace plait::detail::sim
