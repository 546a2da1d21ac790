// Reading and writing by descriptor. The ring parks on pipes, FIFOs and sockets by itself, whether
// or not they have O_NONBLOCK. Others are polled first; a kill that strikes between has taken
// nothing. A terminal that polls as ready may still have less room than is written, or wait for
// more keys (VMIN, VTIME), and the ring would then wait with the loop's thread in the submission.
// So that last step is done by a worker of the kernel, which a cancel interrupts.

#include "pipe_state.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "plait/detail/loop.h"
#include "plait/detail/stream_error.h"
#include "plait/detail/waiter.h"

namespace plait::os::detail {

using net::detail::systemError;

// The questions below are about open descriptors and are answered without waiting. A simulated
// descriptor has no answers; it is a pipe.
PipeState::PipeState(int number, std::string name, bool owned)
    : descriptor(number, owned), name_(std::move(name)) {
  struct stat status{};
  if (::fstat(number, &status) == 0) {
    isSocket_ = S_ISSOCK(status.st_mode);
    pollsFirst_ = !isSocket_ && !S_ISFIFO(status.st_mode) && !S_ISREG(status.st_mode);
    isTerminal_ = S_ISCHR(status.st_mode) && ::isatty(number) == 1;
  }
  const int flags = ::fcntl(number, F_GETFL);
  if (flags < 0) return;
  if ((flags & O_ACCMODE) == O_RDONLY) direction_ = Direction::in;
  if ((flags & O_ACCMODE) == O_RDWR) direction_ = Direction::both;
}

std::size_t PipeState::readSome(MutableBytes into, std::error_code& error) {
  error.clear();
  if (reading_) {
    error = net::detail::busyError();
    return 0;
  }
  if (into.empty() || !descriptor.isOpen()) {
    if (!descriptor.isOpen()) error = systemError(-EBADF);
    plait::detail::checkpoint();  // last: the stream may be gone after it
    return 0;
  }
  const plait::detail::Descriptor::Use use(descriptor);
  const net::detail::Flagged reading(reading_);
  Op op(OpKind::read);
  op.setBuffer(into.data(), into.size());
  const std::int32_t result = transfer(op, POLLIN, "read");
  if (result < 0) error = systemError(result);
  return result < 0 ? 0 : static_cast<std::size_t>(result);
}

void PipeState::writeAll(Bytes from, std::error_code& error) {
  error.clear();
  if (from.empty() || !descriptor.isOpen()) {
    if (!descriptor.isOpen()) error = systemError(-EBADF);
    plait::detail::checkpoint();
    return;
  }
  net::detail::WriteTurns::Turn turn(writers, descriptor, from.size());
  if (writers.isBroken() || writeEnded_) {
    error = std::make_error_code(std::errc::broken_pipe);
    return;
  }
  while (turn.written < from.size()) {
    const Bytes rest = from.subspan(turn.written);
    Op op(OpKind::write);
    op.setBuffer(rest.data(), rest.size());
    const std::int32_t result = transfer(op, POLLOUT, "write");
    if (result < 0) {
      error = systemError(result);
      return;
    }
    turn.written += static_cast<std::size_t>(result);
  }
}

void PipeState::shutdownWrite(std::error_code& error) {
  error.clear();
  if (!descriptor.isOpen() || direction_ == Direction::in) {
    error = systemError(-EBADF);
  } else if (direction_ == Direction::out) {
    descriptor.close();
  } else if (isSocket_) {
    Op op(OpKind::shutdown);
    op.flags = SHUT_WR;
    const std::int32_t result = descriptor.call(op);
    if (result < 0) error = systemError(result);
  } else {
    writeEnded_ = true;
  }
}

std::string PipeState::describe() const {
  if (!descriptor.isOpen()) return name_ + " (closed)";
  return name_ + writers.describeBreak();
}

std::int32_t PipeState::transfer(Op& op, std::uint32_t events, const char* what) {
  bool polls = pollsFirst_;
  op.onWorker = isTerminal_;
  for (;;) {
    if (polls) {
      Op poll(OpKind::poll);
      poll.flags = events;
      const std::int32_t ready = descriptor.await(poll, what);
      if (ready == -EINTR) continue;
      if (ready == -EBADF) return ready;
      // Some devices cannot be polled; then the read or write says how it is.
    }
    const std::int32_t result = descriptor.await(op, what);
    if (result == -EINTR) continue;
    if (result != -EAGAIN) return result;
    // O_NONBLOCK, and a worker thread tried it.
    polls = true;
  }
}

}  // namespace plait::os::detail
