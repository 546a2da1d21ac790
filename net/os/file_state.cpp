#include "file_state.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/detail/stream_error.h"
#include "plait/detail/waiter.h"

namespace plait::os::detail {

using net::detail::systemError;

namespace {

// The memory of one readv(2) or writev(2), which takes no more pieces at once.
template <class Piece>
std::vector<iovec> vectorOf(std::span<const Piece> pieces) {
  std::vector<iovec> vector;
  vector.reserve(std::min<std::size_t>(pieces.size(), IOV_MAX));
  for (const Piece& each : pieces.first(std::min<std::size_t>(pieces.size(), IOV_MAX))) {
    vector.push_back({const_cast<std::byte*>(each.data()), each.size()});
  }
  return vector;
}

// What is left to write of many pieces.
class Rest final {
 public:
  explicit Rest(std::span<const Bytes> pieces) : pieces_(pieces.begin(), pieces.end()) { skip(0); }

  bool isEmpty() const noexcept { return first_ == pieces_.size(); }
  std::vector<iovec> vector() const {
    return vectorOf(std::span<const Bytes>(pieces_).subspan(first_));
  }
  void skip(std::size_t bytes) noexcept {
    while (!isEmpty() && bytes >= pieces_[first_].size()) bytes -= pieces_[first_++].size();
    if (!isEmpty()) pieces_[first_] = pieces_[first_].subspan(bytes);
  }

 private:
  std::vector<Bytes> pieces_;
  std::size_t first_ = 0;
};

}  // namespace

FileState::FileState(int number, std::string name) : descriptor(number), name_(std::move(name)) {
  // Answered from memory, without waiting.
  const off_t where = ::lseek(number, 0, SEEK_CUR);
  isSeekable_ = where >= 0;
  if (isSeekable_) position = static_cast<std::uint64_t>(where);
  const int flags = ::fcntl(number, F_GETFL);
  writesAtPosition_ = isSeekable_ && (flags < 0 || (flags & O_APPEND) == 0);
}

std::size_t FileState::readAt(std::uint64_t offset, MutableBytes into, std::error_code& error) {
  error.clear();
  Op op(OpKind::read);
  op.setBuffer(into.data(), into.size());
  op.offset = offset;
  const std::int32_t result = await(op, "read");
  if (result < 0) error = systemError(result);
  return result < 0 ? 0 : static_cast<std::size_t>(result);
}

std::size_t FileState::readAt(std::uint64_t offset, std::span<const MutableBytes> into,
                              std::error_code& error) {
  error.clear();
  std::vector<iovec> pieces = vectorOf(into);
  Op op(OpKind::readPieces);
  op.setBuffer(pieces.data(), pieces.size());
  op.offset = offset;
  const std::int32_t result = await(op, "readv");
  if (result < 0) error = systemError(result);
  return result < 0 ? 0 : static_cast<std::size_t>(result);
}

std::size_t FileState::writeAt(std::uint64_t offset, Bytes from, std::error_code& error) {
  error.clear();
  std::size_t written = 0;
  while (written < from.size()) {
    const Bytes rest = from.subspan(written);
    Op op(OpKind::write);
    op.setBuffer(rest.data(), rest.size());
    op.offset = offset + written;
    const std::int32_t result = await(op, "write");
    if (result <= 0) {
      error = systemError(result == 0 ? -EIO : result);
      break;
    }
    written += static_cast<std::size_t>(result);
  }
  return written;
}

std::size_t FileState::writeAt(std::uint64_t offset, std::span<const Bytes> from,
                               std::error_code& error) {
  error.clear();
  std::size_t written = 0;
  Rest rest(from);
  while (!rest.isEmpty()) {
    std::vector<iovec> pieces = rest.vector();
    Op op(OpKind::writePieces);
    op.setBuffer(pieces.data(), pieces.size());
    op.offset = offset + written;
    const std::int32_t result = await(op, "writev");
    if (result <= 0) {
      error = systemError(result == 0 ? -EIO : result);
      break;
    }
    written += static_cast<std::size_t>(result);
    rest.skip(static_cast<std::size_t>(result));
  }
  return written;
}

// The position is one call's at a time.
class FileState::Positioned final {
 public:
  Positioned(FileState& state, std::error_code& error) : state_(state) {
    error.clear();
    isRefused_ = state.positioned_;
    if (isRefused_) error = net::detail::busyError();
    if (!isRefused_) state.positioned_ = true;
  }
  Positioned(const Positioned&) = delete;
  Positioned& operator=(const Positioned&) = delete;
  ~Positioned() {
    if (!isRefused_) state_.positioned_ = false;
  }
  bool isRefused() const noexcept { return isRefused_; }

 private:
  FileState& state_;
  bool isRefused_;
};

std::size_t FileState::readSome(MutableBytes into, std::error_code& error) {
  const plait::detail::Descriptor::Use use(descriptor);
  const Positioned positioned(*this, error);
  if (positioned.isRefused()) return 0;
  const std::size_t count = readAt(isSeekable_ ? position : ~std::uint64_t{0}, into, error);
  position += count;
  return count;
}

void FileState::writeAll(Bytes from, std::uint64_t& written, std::error_code& error) {
  const plait::detail::Descriptor::Use use(descriptor);
  const Positioned positioned(*this, error);
  while (!positioned.isRefused() && !error && !from.empty()) {
    Op op(OpKind::write);
    op.setBuffer(from.data(), from.size());
    if (writesAtPosition_) op.offset = position;
    const std::int32_t result = await(op, "write");
    if (result <= 0) error = systemError(result == 0 ? -EIO : result);
    if (result <= 0) return;
    written += static_cast<std::uint64_t>(result);
    position += static_cast<std::uint64_t>(result);
    // Who appends is where the file ends now, whoever else has written to it.
    if (!writesAtPosition_ && isSeekable_) {
      position = static_cast<std::uint64_t>(::lseek(descriptor.number(), 0, SEEK_CUR));
    }
    from = from.subspan(static_cast<std::size_t>(result));
  }
}

void FileState::sync(bool dataOnly, std::error_code& error) {
  error.clear();
  Op op(OpKind::sync);
  op.flags = dataOnly ? 1 : 0;
  const std::int32_t result = await(op, "fsync");
  if (result < 0) error = systemError(result);
}

void FileState::close(std::error_code& error) {
  error.clear();
  const CancelShield shield;
  const int number = descriptor.retire();
  if (number < 0) return;
  // By the ring: close(2) may write back what a network's file system holds.
  Op op(OpKind::close, number);
  const std::int32_t result = plait::detail::await(op, "close");
  // Linux has closed it also if a signal interrupted that.
  if (result < 0 && result != -EINTR) error = systemError(result);
}

std::int32_t FileState::await(Op& op, const char* what) {
  std::int32_t result = -EINTR;
  while (result == -EINTR) result = descriptor.await(op, what);
  return result;
}

void throwFileError(std::error_code code, const char* tried, const std::string& what) {
  if (!code) return;
  const std::string subject = std::string(tried) + " " + what;
  if (code == std::errc::device_or_resource_busy && code.category() == std::generic_category()) {
    throw ConcurrentUseError(subject +
                             ": another fiber moves its position; use readAt() and writeAt()");
  }
  throw IoError(code.value(), subject);
}

std::int32_t openNumber(const std::string& path, int flags, std::uint32_t permissions) {
  for (;;) {
    Op op(OpKind::open);
    op.buffer = const_cast<char*>(path.c_str());
    op.flags = static_cast<std::uint32_t>(flags);
    op.length = permissions;
    const std::int32_t result = plait::detail::await(op, "open");
    if (result != -EINTR) return result;
  }
}

}  // namespace plait::os::detail
