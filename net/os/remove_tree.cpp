// One directory is open at a time and names are relative to it, so a tree may be deeper than paths
// are long or descriptors are many, and no link that somebody puts in the way is followed. The way
// back up is "..", believed only if it is the directory that we came from.

#include "remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/error.h"

namespace plait::os::detail {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

class Walk final {
 public:
  explicit Walk(const std::string& path) : path_(path) {}
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  ~Walk() {
    if (current_ >= 0) ::close(current_);
  }

  void run();

 private:
  // A directory on the way down.
  struct Level {
    std::string name;  // in the one above
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> folders = {};  // in it, still to be removed
  };

  [[noreturn]] void fail(int error, const std::string& name = {}) const;
  void enter(const std::string& name);
  void removeFiles();
  void leave();

  const std::string& path_;
  int current_ = -1;
  std::vector<Level> levels_;
};

void Walk::run() {
  // A link or file by itself is what remove() is for; only directories are entered.
  enter(path_);
  while (!levels_.empty()) {
    removeFiles();
    while (!levels_.empty() && levels_.back().folders.empty()) leave();
    if (levels_.empty()) return;
    const std::string next = std::move(levels_.back().folders.back());
    levels_.back().folders.pop_back();
    enter(next);
  }
}

void Walk::fail(int error, const std::string& name) const {
  std::string where = path_;
  for (std::size_t i = 1; i < levels_.size(); ++i) where += "/" + levels_[i].name;
  if (!name.empty()) where += "/" + name;
  throw IoError(error, "removing the tree " + path_ + " at " + where);
}

// Goes down, unless it is gone.
void Walk::enter(const std::string& name) {
  const int from = current_ < 0 ? AT_FDCWD : current_;
  const int descriptor = ::openat(from, name.c_str(), kOpenFlags);
  if (descriptor < 0 && errno == ENOENT) return;
  if (descriptor < 0) fail(errno, levels_.empty() ? "" : name);
  if (current_ >= 0) ::close(current_);
  current_ = descriptor;
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) fail(errno, name);
  levels_.push_back({name, status.st_dev, status.st_ino});
}

// Removes what is no directory here and notes the directories.
void Walk::removeFiles() {
  const int own = ::openat(current_, ".", kOpenFlags);
  if (own < 0) fail(errno);
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::fdopendir(own), close);
  if (!directory) {
    ::close(own);
    fail(ENOMEM);
  }
  std::vector<std::string>& folders = levels_.back().folders;
  folders.clear();
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) fail(errno);
    if (entry == nullptr) return;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entry->d_type != DT_DIR) {
      if (::unlinkat(current_, entry->d_name, 0) == 0 || errno == ENOENT) continue;
      // Of a file system that does not tell the type it may be a directory after all.
      if (errno != EISDIR && errno != EPERM) fail(errno, entry->d_name);
      struct stat status{};
      const int error = errno;
      const bool isKnown = ::fstatat(current_, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (!isKnown || !S_ISDIR(status.st_mode)) fail(error, entry->d_name);
    }
    folders.emplace_back(name);
  }
}

// Goes up and removes the directory that is empty now.
void Walk::leave() {
  const Level left = std::move(levels_.back());
  levels_.pop_back();
  if (levels_.empty()) {
    if (::rmdir(path_.c_str()) != 0 && errno != ENOENT) fail(errno);
    return;
  }
  const int above = ::openat(current_, "..", kOpenFlags);
  if (above < 0) fail(errno, left.name);
  ::close(std::exchange(current_, above));
  struct stat status{};
  if (::fstat(above, &status) != 0) fail(errno);
  // It was moved while we were in it: from here on these are somebody else's files.
  if (status.st_dev != levels_.back().device || status.st_ino != levels_.back().inode) fail(EXDEV);
  if (::unlinkat(current_, left.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    fail(errno, left.name);
  }
}

}  // namespace

void removeTreeNow(const std::string& path) { Walk(path).run(); }

}  // namespace plait::os::detail
