#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "plait/detail/await.h"
#include "plait/detail/write_access.h"
#include "plait/tcp.h"
#include "socket_state.h"

namespace plait::net {

using detail::SocketState;
using plait::detail::Op;
using plait::detail::OpKind;

SocketStream::SocketStream() noexcept = default;

namespace {

// Messages shall go out when they are written. A unix socket refuses, and does so anyway.
void sendAtOnce(const SocketState& socket) {
  Op op(OpKind::setOption);
  const int on = 1;
  op.level = IPPROTO_TCP;
  op.name = TCP_NODELAY;
  op.setBuffer(&on, sizeof on);
  socket.descriptor.call(op);
}

}  // namespace

SocketStream::SocketStream(int descriptor) : state_(std::make_unique<SocketState>(descriptor)) {
  sendAtOnce(*state_);
}

SocketStream::SocketStream(int descriptor, const SocketState& listener)
    : state_(std::make_unique<SocketState>(descriptor)) {
  if (!listener.passesOptionsOn) sendAtOnce(*state_);
}

SocketStream::SocketStream(SocketStream&& other) noexcept = default;
SocketStream& SocketStream::operator=(SocketStream&& other) noexcept = default;
SocketStream::~SocketStream() = default;

std::size_t SocketStream::readSome(MutableBytes into, std::error_code& error) {
  if (!state_) {
    error = std::make_error_code(std::errc::bad_file_descriptor);
    return 0;
  }
  return state_->readSome(into, error);
}

void SocketStream::writeAll(Bytes from, std::error_code& error) {
  if (!state_) {
    error = std::make_error_code(std::errc::bad_file_descriptor);
    return;
  }
  state_->writeAll(from, error);
}

void SocketStream::shutdownWrite() {
  Op op(OpKind::shutdown);
  op.flags = SHUT_WR;
  const std::int32_t result = state_ ? state_->descriptor.call(op) : -EBADF;
  if (result < 0) throwStreamError(detail::systemError(result), "shutting down", describe());
}

void SocketStream::close() {
  if (state_) state_->descriptor.close();
}

bool SocketStream::isOpen() const noexcept { return state_ && state_->descriptor.isOpen(); }

std::string SocketStream::describe() const {
  return state_ ? state_->describe() : "a closed socket";
}

std::size_t SocketStream::interruptedAfter() const noexcept {
  return state_ ? state_->brokenAfter() : 0;
}

namespace {

Address nameOf(const SocketStream& stream, OpKind which, const char* tried) {
  const Address address = stream.isOpen() ? stream.state().name(which) : Address();
  if (address.family() == Family::none) {
    throwStreamError(detail::systemError(-ENOTCONN), tried, stream.describe());
  }
  return address;
}

SocketState& openState(const std::unique_ptr<SocketState>& state) {
  if (!state)
    throwStreamError(detail::systemError(-EBADF), "setting an option of", "a closed socket");
  return *state;
}

}  // namespace

Address SocketStream::localAddress() const {
  return nameOf(*this, OpKind::localName, "asking the local address of");
}
Address SocketStream::peerAddress() const {
  return nameOf(*this, OpKind::peerName, "asking the peer address of");
}

void SocketStream::setNoDelay(bool on) { setOption(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0); }

void SocketStream::setKeepAlive(bool on, std::chrono::seconds idle, std::chrono::seconds interval,
                                int probes) {
  setOption(SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  if (!on) return;
  setOption(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(idle.count()));
  setOption(IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(interval.count()));
  setOption(IPPROTO_TCP, TCP_KEEPCNT, probes);
}

void SocketStream::setUserTimeout(std::chrono::milliseconds unacknowledged) {
  setOption(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(unacknowledged.count()));
}

void SocketStream::setSendBuffer(int bytes) { setOption(SOL_SOCKET, SO_SNDBUF, bytes); }
void SocketStream::setReceiveBuffer(int bytes) { setOption(SOL_SOCKET, SO_RCVBUF, bytes); }

void SocketStream::setResetOnClose(bool on) {
  const linger value{on ? 1 : 0, 0};
  openState(state_).setOption(SOL_SOCKET, SO_LINGER, &value, sizeof value, "setting SO_LINGER of");
}

void SocketStream::setOption(int level, int name, int value) {
  openState(state_).setOption(level, name, &value, sizeof value, "setting an option of");
}

int SocketStream::option(int level, int name) const {
  int value = 0;
  std::uint32_t bytes = sizeof value;
  Op op(OpKind::getOption);
  op.level = level;
  op.name = name;
  op.buffer = &value;
  op.lengthInOut = &bytes;
  const std::int32_t result = openState(state_).descriptor.call(op);
  if (result < 0) throwStreamError(detail::systemError(result), "asking an option of", describe());
  return value;
}

int SocketStream::descriptor() const noexcept { return state_ ? state_->descriptor.number() : -1; }
int SocketStream::detach() { return state_ ? state_->descriptor.release() : -1; }

detail::WriteAccess detail::writeAccess(const SocketStream& stream) noexcept {
  if (!stream.isOpen()) return {};
  return {&stream.state().descriptor, &stream.state().writers};
}

std::pair<SocketStream, SocketStream> socketPair() {
  std::array<int, 2> pair{};
  Op op(OpKind::socketPair);
  op.level = AF_UNIX;
  op.name = SOCK_STREAM;
  op.buffer = pair.data();
  const std::int32_t result = plait::detail::callKernel(op);
  if (result < 0) throw IoError(-result, "making a pair of sockets");
  return {SocketStream(pair[0]), SocketStream(pair[1])};
}

}  // namespace plait::net
