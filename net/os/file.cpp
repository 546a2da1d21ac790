#include "plait/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "file_state.h"
#include "file_status.h"
#include "plait/detail/loop.h"
#include "plait/greenlet.h"
#include "system_call.h"

namespace plait::os {

using detail::FileState;

namespace {

constexpr Duration kLockRetryFirst = std::chrono::milliseconds(5);
constexpr Duration kLockRetryMost = std::chrono::milliseconds(100);

int flagsOf(const OpenOptions& options) noexcept {
  const bool writes = options.write || options.append;
  int flags = !writes ? O_RDONLY : options.read ? O_RDWR : O_WRONLY;
  if (options.append) flags |= O_APPEND;
  if (options.create) flags |= O_CREAT;
  if (options.create && options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  if (!options.followLinks) flags |= O_NOFOLLOW;
  if (options.direct) flags |= O_DIRECT;
  return flags | O_NOCTTY;
}

FileState& openState(const std::unique_ptr<FileState>& state, const char* tried) {
  if (state && state->descriptor.isOpen()) return *state;
  throw IoError(
      EBADF, std::string(tried) + " " + (state ? state->name() : "a file") + ", which is closed");
}

// A call of the file on the pool; close() waits for it. May switch.
template <class F>
std::int64_t callOnPool(FileState& state, const char* tried, F f) {
  const plait::detail::Descriptor::Use use(state.descriptor);
  const int number = state.descriptor.number();
  return detail::offloadOrThrow(tried + (" " + state.name()), [number, &f] { return f(number); });
}

// A flock(2) that waits cannot be ended, and would keep a thread of the pool as long as it does. So
// it only ever asks, and the fiber sleeps in between.
bool tryFlock(FileState& state, int kind) {
  const std::int64_t result = callOnPool(state, "locking", [kind](int number) -> std::int64_t {
    if (::flock(number, kind | LOCK_NB) == 0) return 0;
    return errno == EWOULDBLOCK ? 1 : -1;
  });
  return result == 0;
}

}  // namespace

File::File() noexcept = default;

File::File(int descriptor, std::string name) {
  plait::detail::Loop::require("a File");
  state_ = std::make_unique<FileState>(descriptor, std::move(name));
}

File File::open(std::string path, const OpenOptions& options) {
  std::string name = "file " + path;
  const std::int32_t number = detail::openNumber(path, flagsOf(options), options.permissions);
  if (number < 0) throw IoError(-number, "opening " + name);
  return File(number, std::move(name));
}

File::File(File&& other) noexcept = default;
File& File::operator=(File&& other) noexcept = default;
File::~File() = default;

std::size_t File::readAt(std::uint64_t offset, MutableBytes into) {
  FileState& state = openState(state_, "reading");
  std::error_code error;
  const std::size_t count = state.readAt(offset, into, error);
  if (error) detail::throwFileError(error, "reading", describe());
  return count;
}

void File::writeAt(std::uint64_t offset, Bytes from) {
  FileState& state = openState(state_, "writing");
  std::error_code error;
  state.writeAt(offset, from, error);
  if (error) detail::throwFileError(error, "writing", describe());
}

std::size_t File::readAt(std::uint64_t offset, std::span<const MutableBytes> into) {
  FileState& state = openState(state_, "reading");
  std::error_code error;
  const std::size_t count = state.readAt(offset, into, error);
  if (error) detail::throwFileError(error, "reading", describe());
  return count;
}

void File::writeAt(std::uint64_t offset, std::span<const Bytes> from) {
  FileState& state = openState(state_, "writing");
  std::error_code error;
  state.writeAt(offset, from, error);
  if (error) detail::throwFileError(error, "writing", describe());
}

std::size_t File::readSome(MutableBytes into) {
  FileState& state = openState(state_, "reading");
  std::error_code error;
  const std::size_t count = state.readSome(into, error);
  if (error) detail::throwFileError(error, "reading", describe());
  return count;
}

void File::writeAll(Bytes from) {
  FileState& state = openState(state_, "writing");
  std::error_code error;
  std::uint64_t written = 0;
  state.writeAll(from, written, error);
  if (error) detail::throwFileError(error, "writing", describe());
}

std::uint64_t File::position() const noexcept { return state_ ? state_->position : 0; }

void File::seek(std::uint64_t position) noexcept {
  if (state_) state_->position = position;
}

void File::sync() {
  std::error_code error;
  openState(state_, "syncing").sync(false, error);
  if (error) detail::throwFileError(error, "syncing", describe());
}

void File::syncData() {
  std::error_code error;
  openState(state_, "syncing").sync(true, error);
  if (error) detail::throwFileError(error, "syncing", describe());
}

void File::truncate(std::uint64_t bytes) {
  callOnPool(openState(state_, "truncating"), "truncating",
             [bytes](int number) { return ::ftruncate(number, static_cast<off_t>(bytes)); });
}

FileStatus File::status() {
  struct stat status{};
  callOnPool(openState(state_, "asking the status of"), "asking the status of",
             [&status](int number) { return ::fstat(number, &status); });
  return detail::fileStatus(status);
}

void File::lock(bool shared) {
  FileState& state = openState(state_, "locking");
  const plait::detail::Descriptor::Use use(state.descriptor);
  Duration wait = kLockRetryFirst;
  while (!tryFlock(openState(state_, "locking"), shared ? LOCK_SH : LOCK_EX)) {
    sleep(wait);
    wait = std::min(2 * wait, kLockRetryMost);
  }
}

bool File::tryLock(bool shared) {
  return tryFlock(openState(state_, "locking"), shared ? LOCK_SH : LOCK_EX);
}

void File::unlock() {
  callOnPool(openState(state_, "unlocking"), "unlocking",
             [](int number) { return ::flock(number, LOCK_UN); });
}

void File::close() {
  if (!state_) return;
  std::error_code error;
  const std::string name = describe();
  state_->close(error);
  if (error) detail::throwFileError(error, "closing", name);
}

bool File::isOpen() const noexcept { return state_ && state_->descriptor.isOpen(); }
int File::descriptor() const noexcept { return state_ ? state_->descriptor.number() : -1; }
int File::detach() { return state_ ? state_->descriptor.release() : -1; }

std::string File::describe() const {
  if (!state_) return "a closed file";
  return state_->descriptor.isOpen() ? state_->name() : state_->name() + " (closed)";
}

}  // namespace plait::os
