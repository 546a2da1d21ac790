// A file goes to a socket through a pipe that only this call knows, without a copy. The ring does a
// splice on a worker thread of the kernel, and one that waits would hold that thread as long as the
// peer likes. So it is only asked for what the socket has room for: a socket that can be polled has
// at least a third of its buffer free. Where that is little, a distant or slow peer, the bytes are
// read and sent, which parks in the ring.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "file_state.h"
#include "pipe_state.h"
#include "plait/detail/await.h"
#include "plait/detail/write_access.h"
#include "plait/pipe.h"
#include "plait/tcp.h"

namespace plait::os {
namespace {

using net::detail::WriteAccess;
using plait::detail::Descriptor;
using plait::detail::Op;
using plait::detail::OpKind;

constexpr std::size_t kPipeBytes = 1 << 20;         // what an ordinary user may have
constexpr std::size_t kSpliceBytesMin = 256 << 10;  // for less a worker thread is no gain
constexpr std::size_t kCopyBytes = 256 << 10;

// One call of sendFile() to a descriptor, in its turn among the writers.
class FileSender final {
 public:
  FileSender(File& from, std::uint64_t offset, std::uint64_t count, net::Stream& to,
             const WriteAccess& access, bool toPipe)
      : from_(from),
        offset_(offset),
        to_(to),
        target_(*access.descriptor),
        toPipe_(toPipe),
        use_(from.state()->descriptor),
        turn_(*access.turns, target_, count) {
    if (access.turns->isBroken()) failTo(-EPIPE);
  }
  FileSender(const FileSender&) = delete;
  FileSender& operator=(const FileSender&) = delete;

  std::uint64_t run();

 private:
  bool sendPiece();  // false: the file ends here
  bool spliceToPipe(std::size_t bytes);
  bool spliceToSocket(std::size_t bytes);
  bool copy(std::size_t bytes);

  std::int32_t splice(Descriptor& into, int from, std::uint64_t offset, std::size_t bytes,
                      std::uint32_t flags = 0);
  bool makePipe();
  std::size_t room() const;
  void waitForRoom();
  std::uint64_t offsetNow() const noexcept { return offset_ + turn_.written; }
  [[noreturn]] void failFrom(std::int32_t negativeErrno) const;
  [[noreturn]] void failTo(std::int32_t negativeErrno) const;

  File& from_;
  const std::uint64_t offset_;
  net::Stream& to_;
  Descriptor& target_;
  const bool toPipe_;
  const Descriptor::Use use_;  // the file's close() waits for us
  net::detail::WriteTurns::Turn turn_;
  bool splices_ = true;  // until somebody cannot
  // The ends of the pipe. What a kill leaves in it goes with it.
  std::optional<Descriptor> pipeOut_;
  std::optional<Descriptor> pipeIn_;
  std::size_t pipeBytes_ = 0;
  std::vector<std::byte> buffer_;
};

std::uint64_t FileSender::run() {
  while (turn_.written < turn_.total) {
    if (!from_.isOpen()) failFrom(-EBADF);
    if (!sendPiece()) break;
  }
  turn_.total = turn_.written;  // a file that ends before is no half write
  return turn_.written;
}

bool FileSender::sendPiece() {
  const std::uint64_t left = turn_.total - turn_.written;
  const auto atMost = [left](std::size_t bytes) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes));
  };
  if (splices_ && toPipe_) return spliceToPipe(atMost(kPipeBytes));
  if (splices_) {
    const std::size_t bytes = room();
    if (bytes >= kSpliceBytesMin && makePipe()) {
      return spliceToSocket(atMost(std::min(bytes, pipeBytes_)));
    }
  }
  return copy(atMost(kCopyBytes));
}

bool FileSender::spliceToPipe(std::size_t bytes) {
  waitForRoom();
  const std::int32_t result =
      splice(target_, from_.descriptor(), offsetNow(), bytes, SPLICE_F_NONBLOCK);
  if (result == -EAGAIN) return true;  // another process was faster
  if (result == -EINVAL) {
    splices_ = false;
    return true;
  }
  if (result < 0) failTo(result);
  turn_.written += static_cast<std::uint64_t>(result);
  return result > 0;
}

bool FileSender::spliceToSocket(std::size_t bytes) {
  std::int32_t inPipe = splice(*pipeIn_, from_.descriptor(), offsetNow(), bytes);
  if (inPipe == -EINVAL) {
    splices_ = false;
    return true;
  }
  if (inPipe < 0) failFrom(inPipe);
  if (inPipe == 0) return false;
  while (inPipe > 0) {
    waitForRoom();
    const std::int32_t result =
        splice(target_, pipeOut_->number(), ~std::uint64_t{0}, static_cast<std::size_t>(inPipe));
    if (result == -EAGAIN) continue;
    if (result < 0) failTo(result);
    inPipe -= result;
    turn_.written += static_cast<std::uint64_t>(result);
  }
  return true;
}

bool FileSender::copy(std::size_t bytes) {
  buffer_.resize(std::max(buffer_.size(), bytes));
  std::error_code error;
  const std::size_t count =
      from_.state()->readAt(offsetNow(), MutableBytes(buffer_).first(bytes), error);
  if (error) failFrom(-error.value());
  for (std::size_t sent = 0; sent < count;) {
    Op op(toPipe_ ? OpKind::write : OpKind::send);
    op.setBuffer(buffer_.data() + sent, count - sent);
    if (!toPipe_) op.flags = MSG_WAITALL;
    const std::int32_t result = target_.await(op, "send");
    if (result == -EINTR) continue;
    if (result == -EAGAIN) {
      waitForRoom();
      continue;
    }
    if (result < 0) failTo(result);
    sent += static_cast<std::size_t>(result);
    turn_.written += static_cast<std::uint64_t>(result);
  }
  return count > 0;
}

std::int32_t FileSender::splice(Descriptor& into, int from, std::uint64_t offset, std::size_t bytes,
                                std::uint32_t flags) {
  for (;;) {
    Op op(OpKind::splice);
    op.level = from;
    op.offset = offset;
    op.length = static_cast<std::uint32_t>(bytes);
    op.flags = flags;
    const std::int32_t result = into.await(op, "splice");
    if (result != -EINTR) return result;
  }
}

// False: no descriptor is left for one.
bool FileSender::makePipe() {
  if (pipeIn_) return true;
  std::array<int, 2> ends{};
  Op op(OpKind::pipe);
  op.buffer = ends.data();
  if (plait::detail::callKernel(op) < 0) {
    splices_ = false;
    return false;
  }
  pipeOut_.emplace(ends[0]);
  pipeIn_.emplace(ends[1]);
  ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
  const int bytes = ::fcntl(ends[1], F_GETPIPE_SZ);
  pipeBytes_ = bytes > 0 ? static_cast<std::size_t>(bytes) : kCopyBytes;
  return true;
}

// What the socket certainly takes at once when it can be written to.
std::size_t FileSender::room() const {
  int bytes = 0;
  std::uint32_t length = sizeof bytes;
  Op op(OpKind::getOption);
  op.level = SOL_SOCKET;
  op.name = SO_SNDBUF;
  op.buffer = &bytes;
  op.lengthInOut = &length;
  return target_.call(op) < 0 ? 0 : static_cast<std::size_t>(bytes) / 4;
}

void FileSender::waitForRoom() {
  Op op(OpKind::poll);
  op.flags = POLLOUT;
  const std::int32_t result = target_.await(op, "send");
  if (result < 0 && result != -EINTR) failTo(result);
}

void FileSender::failFrom(std::int32_t negativeErrno) const {
  throw IoError(-negativeErrno, "sending " + from_.describe() + " to " + to_.describe());
}

void FileSender::failTo(std::int32_t negativeErrno) const {
  const std::string tried = "sending " + from_.describe() + " to";
  net::throwStreamError({-negativeErrno, std::system_category()}, tried.c_str(), to_.describe());
}

// To whatever else is a stream. Other writers come between the pieces.
std::uint64_t copyPieces(File& from, std::uint64_t offset, std::uint64_t count, net::Stream& to) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(count, kCopyBytes));
  std::uint64_t sent = 0;
  while (sent < count) {
    const std::uint64_t wanted = std::min<std::uint64_t>(count - sent, buffer.size());
    const std::size_t got = from.readAt(offset + sent, MutableBytes(buffer).first(wanted));
    if (got == 0) break;
    to.writeAll(Bytes(buffer).first(got));
    sent += got;
  }
  return sent;
}

}  // namespace

std::uint64_t sendFile(File& from, std::uint64_t offset, std::uint64_t count, net::Stream& to) {
  if (!from.isOpen()) throw IoError(EBADF, "sending " + from.describe());
  WriteAccess access;
  const auto* const pipe = dynamic_cast<const PipeStream*>(&to);
  if (const auto* const socket = dynamic_cast<const net::SocketStream*>(&to)) {
    access = net::detail::writeAccess(*socket);
  } else if (pipe != nullptr && pipe->isOpen()) {
    access = {&pipe->state()->descriptor, &pipe->state()->writers};
  }
  if (access.descriptor == nullptr) return copyPieces(from, offset, count, to);
  return FileSender(from, offset, count, to, access, pipe != nullptr).run();
}

}  // namespace plait::os
