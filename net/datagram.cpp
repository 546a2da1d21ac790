#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "plait/greenlet.h"
#include "plait/udp.h"
#include "socket_state.h"

namespace plait::net {

using detail::SocketState;
using plait::detail::Op;
using plait::detail::OpKind;

namespace {

constexpr Duration kSendRetry = std::chrono::milliseconds(1);

msghdr headerFor(Address& address, iovec& piece) noexcept {
  msghdr header{};
  header.msg_name = address.data();
  header.msg_namelen = address.length();
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  return header;
}

iovec pieceOf(Bytes bytes) noexcept { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }

void requireDone(std::int32_t result, const char* tried, const SocketState& socket) {
  if (result < 0) throwStreamError(detail::systemError(result), tried, socket.describe());
}

// What one recvmmsg or sendmmsg needs beside the datagrams themselves.
struct Batch {
  std::array<mmsghdr, kBatchMax> headers{};
  std::array<iovec, kBatchMax> pieces{};
};

}  // namespace

DatagramSocket::DatagramSocket() noexcept = default;
DatagramSocket::DatagramSocket(int descriptor)
    : state_(std::make_unique<SocketState>(descriptor, "udp ")) {}
DatagramSocket::DatagramSocket(DatagramSocket&&) noexcept = default;
DatagramSocket& DatagramSocket::operator=(DatagramSocket&&) noexcept = default;
DatagramSocket::~DatagramSocket() = default;

DatagramSocket::DatagramSocket(const Address& local) {
  const int number = detail::makeSocket(local.family(), SOCK_DGRAM);
  if (number < 0) throw IoError(-number, "making a datagram socket for " + local.toString());
  state_ = std::make_unique<SocketState>(number, "udp ");
  Address copy = local;
  Op op(OpKind::bind);
  op.setBuffer(copy.data(), copy.length());
  const std::int32_t result = state_->descriptor.call(op);
  if (result < 0) throw IoError(-result, "binding a datagram socket to " + local.toString());
}

SocketState& DatagramSocket::open(const char* tried) const {
  if (!state_) throwStreamError(detail::systemError(-EBADF), tried, "a closed socket");
  return *state_;
}

void DatagramSocket::connect(const Address& peer) {
  SocketState& socket = open("connecting");
  Address to = peer;
  Op op(OpKind::connect);
  op.setBuffer(to.data(), to.length());
  const std::int32_t result = socket.descriptor.await(op, "connect");
  if (result < 0) throw IoError(-result, "connecting a datagram socket to " + peer.toString());
}

Received DatagramSocket::receive(MutableBytes into) {
  SocketState& socket = open("receiving on");
  Received received;
  received.from.length() = Address::kLengthMax;
  iovec piece = pieceOf(into);
  msghdr header = headerFor(received.from, piece);
  std::int32_t result = -EINTR;
  while (result == -EINTR) {
    Op op(OpKind::recvMessage);
    op.buffer = &header;
    result = socket.descriptor.await(op, "recvmsg");
  }
  requireDone(result, "receiving on", socket);
  received.bytes = static_cast<std::size_t>(result);
  received.from.length() = header.msg_namelen;
  received.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  return received;
}

void DatagramSocket::sendTo(Bytes from, const Address& to) {
  SocketState& socket = open("sending on");
  const plait::detail::Descriptor::Use use(socket.descriptor);
  plait::detail::checkpoint();
  // A send that waits inside the ring loses the datagram: tried again there, it goes out empty
  // (seen on Linux 6.18 with unix sockets). So it is tried without waiting, and only room is waited
  // for.
  for (int attempt = 0;; ++attempt) {
    Address target = to;
    iovec piece = pieceOf(from);
    mmsghdr message{};
    message.msg_hdr = headerFor(target, piece);
    if (to.family() == Family::none) message.msg_hdr.msg_name = nullptr;
    Op op(OpKind::sendMany);
    op.buffer = &message;
    op.length = 1;
    const std::int32_t result = socket.descriptor.call(op);
    if (result == -EINTR) continue;
    if (result != -EAGAIN) return requireDone(result, "sending on", socket);
    // A unix socket that is not connected always says that it has room; its receiver may have none.
    if (attempt % 2 == 1) sleep(kSendRetry);
    Op room(OpKind::poll);
    room.flags = POLLOUT;
    const std::int32_t ready = socket.descriptor.await(room, "sendmsg");
    if (ready < 0) requireDone(ready, "sending on", socket);
  }
}

void DatagramSocket::send(Bytes from) { sendTo(from, Address()); }

std::size_t DatagramSocket::receiveMany(std::span<Datagram> batch) {
  if (batch.empty()) return 0;
  SocketState& socket = open("receiving on");
  const Received first = receive(batch[0].data);
  batch[0].address = first.from;
  batch[0].bytes = first.bytes;
  batch[0].truncated = first.truncated;
  const std::size_t room = std::min(batch.size(), kBatchMax) - 1;
  if (room == 0) return 1;
  const auto call = std::make_unique<Batch>();
  for (std::size_t i = 0; i < room; ++i) {
    Datagram& datagram = batch[i + 1];
    datagram.address.length() = Address::kLengthMax;
    call->pieces[i] = pieceOf(datagram.data);
    call->headers[i].msg_hdr = headerFor(datagram.address, call->pieces[i]);
  }
  Op op(OpKind::receiveMany);
  op.buffer = call->headers.data();
  op.length = static_cast<std::uint32_t>(room);
  const std::int32_t result = socket.descriptor.call(op);
  // The first one has been received: an error will show again at the next call.
  if (result <= 0) return 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(result); ++i) {
    Datagram& datagram = batch[i + 1];
    datagram.bytes = call->headers[i].msg_len;
    datagram.address.length() = call->headers[i].msg_hdr.msg_namelen;
    datagram.truncated = (call->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  return static_cast<std::size_t>(result) + 1;
}

void DatagramSocket::sendMany(std::span<Datagram> batch) {
  SocketState& socket = open("sending on");
  const plait::detail::Descriptor::Use use(socket.descriptor);
  for (Datagram& each : batch) each.bytes = 0;
  const auto call = std::make_unique<Batch>();
  while (!batch.empty()) {
    plait::detail::checkpoint();
    const std::size_t count = std::min(batch.size(), kBatchMax);
    for (std::size_t i = 0; i < count; ++i) {
      call->pieces[i] = pieceOf(batch[i].data);
      call->headers[i].msg_hdr = headerFor(batch[i].address, call->pieces[i]);
      if (batch[i].address.family() == Family::none) call->headers[i].msg_hdr.msg_name = nullptr;
    }
    Op op(OpKind::sendMany);
    op.buffer = call->headers.data();
    op.length = static_cast<std::uint32_t>(count);
    const std::int32_t result = socket.descriptor.call(op);
    if (result == -EINTR) continue;
    if (result == -EAGAIN) {
      // The buffer is full: the next one waits for room in the kernel, then the batch goes on.
      sendTo(batch[0].data, batch[0].address);
      batch[0].bytes = batch[0].data.size();
      batch = batch.subspan(1);
      continue;
    }
    requireDone(result, "sending on", socket);
    const auto sent = static_cast<std::size_t>(result);
    for (std::size_t i = 0; i < sent; ++i) batch[i].bytes = call->headers[i].msg_len;
    batch = batch.subspan(sent);
  }
}

Address DatagramSocket::localAddress() const {
  SocketState& socket = open("asking the address of");
  const Address address = socket.name(OpKind::localName);
  if (address.family() == Family::none) requireDone(-EBADF, "asking the address of", socket);
  return address;
}

void DatagramSocket::setOption(int level, int name, int value) {
  open("setting an option of").setOption(level, name, &value, sizeof value, "setting an option of");
}

void DatagramSocket::close() {
  if (state_) state_->descriptor.close();
}

bool DatagramSocket::isOpen() const noexcept { return state_ && state_->descriptor.isOpen(); }
int DatagramSocket::descriptor() const noexcept {
  return state_ ? state_->descriptor.number() : -1;
}
std::string DatagramSocket::describe() const {
  return state_ ? state_->describe() : "a closed socket";
}

}  // namespace plait::net
