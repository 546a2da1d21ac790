// Files through the ring: no call here blocks the loop's thread, whatever disk or network is below.
// What the kernel can only do synchronously runs on the thread pool. Paths are those of the
// process; relative ones start at its working directory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plait/stream.h"

namespace plait::os {

using net::Bytes;
using net::MutableBytes;

namespace detail {
class FileState;
}

enum class FileType : std::uint8_t {
  regular,
  directory,
  symbolicLink,
  pipe,
  socket,
  characterDevice,
  blockDevice,
  unknown
};

struct FileStatus {
  FileType type = FileType::unknown;
  std::uint64_t size = 0;         // bytes
  std::uint32_t permissions = 0;  // as chmod(2) takes them
  std::uint32_t userId = 0;
  std::uint32_t groupId = 0;
  std::uint64_t device = 0;  // with `inode` the file's identity
  std::uint64_t inode = 0;
  std::uint32_t links = 0;
  std::chrono::system_clock::time_point modified;
  std::chrono::system_clock::time_point changed;  // of the status
  std::chrono::system_clock::time_point accessed;

  bool isRegular() const noexcept { return type == FileType::regular; }
  bool isDirectory() const noexcept { return type == FileType::directory; }
};

// How a file is opened. Descriptors are close-on-exec.
struct OpenOptions {
  bool read = true;
  bool write = false;
  bool append = false;     // every write goes to the end; implies write
  bool create = false;     // if it does not exist
  bool exclusive = false;  // with create: an existing file is an error (EEXIST)
  bool truncate = false;
  bool followLinks = true;           // false: a symbolic link as the last part is an error (ELOOP)
  bool direct = false;               // O_DIRECT: the caller aligns
  std::uint32_t permissions = 0666;  // of a created file, less the umask

  static OpenOptions reading() { return {}; }
  // What editors and loggers mean: made if it is not there.
  static OpenOptions writing() {
    return {.read = false, .write = true, .create = true, .truncate = true};
  }
  static OpenOptions appending() { return {.read = false, .append = true, .create = true}; }
};

// An open file. Positional calls may come from several fibers at once; of the calls that move the
// position, one at a time.
class File final {
 public:
  File() noexcept;  // closed
  // Takes over a descriptor. `name` is for messages.
  explicit File(int descriptor, std::string name = "a file");
  // May switch. Throws: IoError naming the path.
  static File open(std::string path, const OpenOptions& options = OpenOptions());
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  // Closes; nobody may be parked in it. What close(2) would say is lost: call close() to hear it.
  ~File();

  // At `offset`, at least one byte unless the file ends there: 0. May switch. Throws: IoError.
  std::size_t readAt(std::uint64_t offset, MutableBytes into);
  // All of `from`. A kill leaves an unknown part of it written. May switch. Throws: IoError.
  void writeAt(std::uint64_t offset, Bytes from);
  // Into several buffers in order; fills the later ones only when the earlier are full.
  // May switch. Throws: IoError.
  std::size_t readAt(std::uint64_t offset, std::span<const MutableBytes> into);
  void writeAt(std::uint64_t offset, std::span<const Bytes> from);

  // At the position, which moves by what was read or written. May switch. Throws: IoError,
  // ConcurrentUseError.
  std::size_t readSome(MutableBytes into);
  void writeAll(Bytes from);
  void writeAll(std::string_view text) { writeAll(net::asBytes(text)); }
  std::uint64_t position() const noexcept;
  void seek(std::uint64_t position) noexcept;  // Never switches.

  // Everything written is on the disk; with sync() its status too. May switch. Throws: IoError.
  void sync();
  void syncData();
  // May switch. Throw: IoError.
  void truncate(std::uint64_t bytes);
  FileStatus status();
  std::uint64_t size() { return status().size; }
  // Waits until no other open file has a lock that conflicts (flock(2)). A kill takes no lock.
  // May switch. Throws: IoError.
  void lock(bool shared = false);
  bool tryLock(bool shared = false);
  void unlock();

  // Those parked in it get IoError (EBADF), and it returns when they have left. Again is no error.
  // May switch; completes also if the caller is killed meanwhile. Throws: IoError for what close(2)
  // found out only now (a full disk behind NFS); the file is closed all the same.
  void close();
  bool isOpen() const noexcept;
  int descriptor() const noexcept;  // stays this file's; -1 if closed
  int detach();                     // gives it away; nobody may be parked in it
  std::string describe() const;     // "file /etc/hosts"

  detail::FileState* state() const noexcept { return state_.get(); }

 private:
  std::unique_ptr<detail::FileState> state_;
};

// A file as a Stream: reads and writes at the position; end of file is end of stream.
class FileStream final : public net::Stream {
 public:
  explicit FileStream(File file);
  FileStream(FileStream&&) noexcept;
  FileStream& operator=(FileStream&&) noexcept;
  ~FileStream() override;

  using Stream::readSome;
  using Stream::writeAll;
  std::size_t readSome(MutableBytes into, std::error_code& error) override;
  void writeAll(Bytes from, std::error_code& error) override;
  void shutdownWrite() override;  // later writes are refused (EPIPE)
  void close() override;
  bool isOpen() const noexcept override;
  std::string describe() const override;

  File& file() noexcept { return file_; }

 private:
  File file_;
  bool writeEnded_ = false;
};

inline constexpr std::size_t kReadFileMax = std::size_t{1} << 30;  // bytes into memory at once

// The whole file. May switch. Throws: IoError; LimitError for more than `limit` bytes.
std::string readFile(std::string path, std::size_t limit = kReadFileMax);
// Makes or replaces the content. May switch. Throws: IoError.
void writeFile(std::string path, std::string_view content, std::uint32_t permissions = 0666);
// Readers see the old content or the new, also after a crash: written beside it, synced, renamed.
// May switch. Throws: IoError.
void replaceFile(std::string path, std::string_view content, std::uint32_t permissions = 0666);

// Sends `count` bytes of the file from `offset` to a stream: spliced within the kernel where `to`
// is a socket or pipe, else copied. Returns the bytes sent, less than `count` if the file ends
// before. A kill in the middle leaves the stream half written, as writeAll. May switch. Throws:
// IoError, ConnectionClosed.
std::uint64_t sendFile(File& from, std::uint64_t offset, std::uint64_t count, net::Stream& to);

}  // namespace plait::os
