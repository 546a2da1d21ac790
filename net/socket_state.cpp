#include "socket_state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "plait/detail/await.h"

namespace plait::net::detail {

namespace {

void giveMessage(Op& op, OpKind kind, msghdr& message, iovec& piece, std::uint32_t flags) noexcept {
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  op.kind = kind;
  op.buffer = &message;
  op.flags = flags;
}

}  // namespace

std::size_t SocketState::readSome(MutableBytes into, std::error_code& error, msghdr* message) {
  error.clear();
  if (reading_) {
    error = busyError();
    return 0;
  }
  if (into.empty() || !descriptor.isOpen()) {
    if (!descriptor.isOpen()) error = systemError(-EBADF);
    plait::detail::checkpoint();  // last: the stream may be gone after it
    return 0;
  }
  const Flagged reading(reading_);
  for (;;) {
    Op op(OpKind::recv);
    op.setBuffer(into.data(), into.size());
    iovec piece{into.data(), into.size()};
    if (message != nullptr) giveMessage(op, OpKind::recvMessage, *message, piece, MSG_CMSG_CLOEXEC);
    const std::int32_t result = descriptor.await(op, "recv");
    if (result >= 0) return static_cast<std::size_t>(result);
    if (result == -EINTR) continue;
    error = systemError(result);
    return 0;
  }
}

void SocketState::writeAll(Bytes from, std::error_code& error, msghdr* message) {
  error.clear();
  if (from.empty() || !descriptor.isOpen()) {
    if (!descriptor.isOpen()) error = systemError(-EBADF);
    plait::detail::checkpoint();
    return;
  }
  WriteTurns::Turn turn(writers, descriptor, from.size());
  if (writers.isBroken()) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  while (turn.written < from.size()) {
    const Bytes rest = from.subspan(turn.written);
    Op op(OpKind::send);
    op.setBuffer(rest.data(), rest.size());
    // The kernel goes on after a short send by itself.
    op.flags = MSG_WAITALL;
    iovec piece{const_cast<std::byte*>(rest.data()), rest.size()};
    // What goes with the bytes goes with the first of them.
    if (message != nullptr && turn.written == 0) {
      giveMessage(op, OpKind::sendMessage, *message, piece, 0);
    }
    const std::int32_t result = descriptor.await(op, "send");
    if (result == -EINTR) continue;
    if (result < 0) {
      error = systemError(result);
      return;
    }
    turn.written += static_cast<std::size_t>(result);
  }
}

Address SocketState::name(OpKind which) const {
  Address address;
  address.length() = Address::kLengthMax;
  Op op(which);
  op.buffer = address.data();
  op.lengthInOut = &address.length();
  return descriptor.call(op) < 0 ? Address() : address;
}

std::string SocketState::describe() const {
  if (!descriptor.isOpen()) return "a closed socket";
  const Address local = name(OpKind::localName);
  const Address peer = name(OpKind::peerName);
  std::string text = local.family() == Family::unixSocket ? "" : protocol_;
  text += local.toString();
  if (peer.family() != Family::none) text += " <- " + peer.toString();
  text += writers.describeBreak();
  return text;
}

void SocketState::setOption(int level, int option, const void* value, std::uint32_t bytes,
                            const char* what) {
  Op op(OpKind::setOption);
  op.level = level;
  op.name = option;
  op.setBuffer(value, bytes);
  const std::int32_t result = descriptor.call(op);
  if (result < 0) {
    throwStreamError(systemError(result), what, describe());
  }
}

int makeSocket(Family family, int type) noexcept {
  Op op(OpKind::socket);
  op.level = family == Family::unixSocket ? AF_UNIX : family == Family::ipv6 ? AF_INET6 : AF_INET;
  op.name = type;
  return plait::detail::callKernel(op);
}

}  // namespace plait::net::detail
