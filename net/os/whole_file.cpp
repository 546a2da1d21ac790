#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/directory.h"
#include "system_call.h"

namespace plait::os {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;  // where a file does not tell its size

MutableBytes bytesFrom(std::string& text, std::size_t start) {
  return std::as_writable_bytes(std::span(text.data(), text.size())).subspan(start);
}

// A file beside the one that it shall replace; removed if it did not come to that.
class Beside final {
 public:
  explicit Beside(std::string path) : path_(std::move(path)) {}
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() {
    if (path_.empty()) return;
    const CancelShield shield;
    try {
      remove(path_);
    } catch (const std::exception&) {
      // The error that brought us here is the one to tell.
    }
  }
  const std::string& path() const noexcept { return path_; }
  void keep() noexcept { path_.clear(); }

 private:
  std::string path_;
};

// A name that nobody has; one may be left of a process that crashed.
std::pair<File, std::string> makeBeside(const std::string& path, std::uint32_t permissions) {
  static std::atomic<std::uint64_t> count{0};
  const OpenOptions options{
      .read = false, .write = true, .create = true, .exclusive = true, .permissions = permissions};
  for (;;) {
    std::string name = path + ".plait-" + std::to_string(::getpid()) + "-" +
                       std::to_string(count.fetch_add(1, std::memory_order_relaxed)) + "~";
    try {
      File file = File::open(name, options);
      return {std::move(file), std::move(name)};
    } catch (const IoError& error) {
      if (error.code().value() != EEXIST) throw;
    }
  }
}

std::string folderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::string readFile(std::string path, std::size_t limit) {
  File file = File::open(path);
  const std::uint64_t size = file.size();
  std::string content;
  std::size_t done = 0;
  for (;;) {
    // One byte more than it should have, to see that it ends there.
    if (done == content.size()) {
      const std::size_t expected = size >= done ? static_cast<std::size_t>(size) - done : 0;
      const std::size_t room = expected > 0 ? expected + 1 : std::max(kPieceBytes, done / 2);
      content.resize(done + std::min(room, limit - done + 1));
    }
    const std::size_t count = file.readAt(done, bytesFrom(content, done));
    if (count == 0) break;
    done += count;
    if (done > limit) {
      throw LimitError("reading file " + path + ": it has more than " + std::to_string(limit) +
                       " bytes; give a higher limit");
    }
  }
  content.resize(done);
  return content;
}

void writeFile(std::string path, std::string_view content, std::uint32_t permissions) {
  OpenOptions options = OpenOptions::writing();
  options.permissions = permissions;
  File file = File::open(std::move(path), options);
  file.writeAll(content);
  file.close();
}

void replaceFile(std::string path, std::string_view content, std::uint32_t permissions) {
  auto [file, name] = makeBeside(path, permissions);
  Beside beside(std::move(name));
  file.writeAll(content);
  file.sync();
  file.close();
  rename(beside.path(), path);
  beside.keep();
  // The new name lasts only when the directory is on the disk too.
  File folder = File::open(folderOf(path));
  folder.sync();
}

}  // namespace plait::os
