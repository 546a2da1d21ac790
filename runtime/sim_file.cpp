#include "sim_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace plait::detail::sim {
namespace {

std::int32_t answer(ssize_t result) noexcept {
  return result < 0 ? -errno : static_cast<std::int32_t>(result);
}

std::int32_t move(const Op& op, iovec piece, Dice* dice) noexcept {
  if (dice != nullptr && piece.iov_len > 1) piece.iov_len = 1 + dice->below(piece.iov_len);
  // At -1 as the ring does: where the file stands.
  const auto offset = static_cast<off_t>(op.offset);
  const bool reads = op.kind == OpKind::read || op.kind == OpKind::readPieces;
  return answer(reads ? ::preadv2(op.descriptor, &piece, 1, offset, 0)
                      : ::pwritev2(op.descriptor, &piece, 1, offset, 0));
}

// One piece is as short a transfer as there may be.
std::int32_t movePieces(const Op& op, Dice* dice) noexcept {
  const auto* const pieces = static_cast<const iovec*>(op.buffer);
  const auto* const end = pieces + op.length;
  const auto* const first =
      std::find_if(pieces, end, [](const iovec& each) { return each.iov_len > 0; });
  return first == end ? 0 : move(op, *first, dice);
}

}  // namespace

bool isForFile(const Op& op) noexcept {
  if (op.kind == OpKind::open) return true;
  struct stat status{};
  if (op.descriptor < 0 || ::fstat(op.descriptor, &status) != 0) return false;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
}

std::int32_t callFile(const Op& op, Dice* dice) noexcept {
  const auto flags = static_cast<int>(op.flags);
  switch (op.kind) {
    case OpKind::read:
    case OpKind::write:
      return move(op, {op.buffer, op.length}, dice);
    case OpKind::readPieces:
    case OpKind::writePieces:
      return movePieces(op, dice);
    case OpKind::open:
      return answer(::openat(AT_FDCWD, static_cast<const char*>(op.buffer),
                             flags | O_CLOEXEC | O_NONBLOCK, op.length));
    case OpKind::sync:
      return answer(flags != 0 ? ::fdatasync(op.descriptor) : ::fsync(op.descriptor));
    case OpKind::close:
      return answer(::close(op.descriptor));
    default:
      return -EINVAL;  // as of sockets: a file is none
  }
}

}  // namespace plait::detail::sim
