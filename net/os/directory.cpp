// Names are looked up synchronously by the kernel, through the ring too (on a thread of its own).
// So all of this runs on the thread pool, one call at a time.

#include "plait/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "file_status.h"
#include "remove_tree.h"
#include "system_call.h"

namespace plait::os {

using detail::offloadOrThrow;

FileStatus status(std::string path) {
  struct stat answer{};
  offloadOrThrow("asking the status of " + path, [&] { return ::stat(path.c_str(), &answer); });
  return detail::fileStatus(answer);
}

FileStatus linkStatus(std::string path) {
  struct stat answer{};
  offloadOrThrow("asking the status of " + path, [&] { return ::lstat(path.c_str(), &answer); });
  return detail::fileStatus(answer);
}

bool exists(std::string path) {
  struct stat answer{};
  const std::int64_t result = detail::offloadCall([&] { return ::stat(path.c_str(), &answer); });
  if (result >= 0) return true;
  if (result == -ENOENT || result == -ENOTDIR) return false;
  throw IoError(static_cast<int>(-result), "asking for " + path);
}

void rename(std::string from, std::string to, bool exclusive) {
  offloadOrThrow("renaming " + from + " to " + to, [&] {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                       exclusive ? RENAME_NOREPLACE : 0);
  });
}

void remove(std::string path) {
  offloadOrThrow("removing " + path, [&] { return ::unlink(path.c_str()); });
}

void removeDirectory(std::string path) {
  offloadOrThrow("removing the directory " + path, [&] { return ::rmdir(path.c_str()); });
}

void removeTree(std::string path) {
  offload([&path] { detail::removeTreeNow(path); });
}

void makeDirectory(std::string path, std::uint32_t permissions) {
  offloadOrThrow("making the directory " + path,
                 [&] { return ::mkdir(path.c_str(), permissions); });
}

namespace {

// From the first part to the last, since somebody may make or remove some at the same time.
int makeEach(const std::string& path, std::uint32_t permissions) {
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end < path.size() && path[end] != '/') continue;
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), permissions) == 0) continue;
    const int error = errno;
    // A read-only parent that exists may be refused with another error than EEXIST.
    struct stat there{};
    if (::stat(part.c_str(), &there) == 0) {
      if (S_ISDIR(there.st_mode)) continue;
      errno = ENOTDIR;
      return -1;
    }
    errno = error;
    return -1;
  }
  return 0;
}

}  // namespace

void makeDirectories(std::string path, std::uint32_t permissions) {
  if (path.empty()) throw IoError(ENOENT, "making a directory without a name");
  offloadOrThrow("making the directories of " + path, [&] { return makeEach(path, permissions); });
}

void makeLink(std::string existing, std::string name) {
  offloadOrThrow("linking " + name + " to " + existing,
                 [&] { return ::link(existing.c_str(), name.c_str()); });
}

void makeSymbolicLink(std::string target, std::string name) {
  offloadOrThrow("making the symbolic link " + name + " to " + target,
                 [&] { return ::symlink(target.c_str(), name.c_str()); });
}

std::string readLink(std::string path) {
  std::string target(PATH_MAX, '\0');
  const std::int64_t count = offloadOrThrow("reading the symbolic link " + path, [&] {
    return ::readlink(path.c_str(), target.data(), target.size());
  });
  target.resize(static_cast<std::size_t>(count));
  return target;
}

void setPermissions(std::string path, std::uint32_t permissions) {
  offloadOrThrow("setting the permissions of " + path,
                 [&] { return ::chmod(path.c_str(), permissions); });
}

namespace {

FileType typeOf(DIR* directory, const dirent& entry) noexcept {
  if (entry.d_type != DT_UNKNOWN) return detail::fileType(DTTOIF(entry.d_type));
  struct stat status{};
  const int result = ::fstatat(::dirfd(directory), entry.d_name, &status, AT_SYMLINK_NOFOLLOW);
  return result == 0 ? detail::fileType(status.st_mode) : FileType::unknown;
}

std::vector<DirectoryEntry> listNow(const std::string& path, std::size_t limit) {
  const std::string tried = "listing the directory " + path;
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir(path.c_str()), close);
  if (!directory) throw IoError(errno, tried);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() == limit) {
      throw LimitError(tried + ": it has more than " + std::to_string(limit) +
                       " entries; give a higher limit");
    }
    entries.push_back({std::string(name), typeOf(directory.get(), *entry)});
  }
  if (errno != 0) throw IoError(errno, tried);
  std::sort(entries.begin(), entries.end(),
            [](const auto& one, const auto& other) { return one.name < other.name; });
  return entries;
}

}  // namespace

std::vector<DirectoryEntry> listDirectory(std::string path, std::size_t limit) {
  return offload([&path, limit] { return listNow(path, limit); });
}

}  // namespace plait::os
