#include "file_status.h"

namespace plait::os::detail {
namespace {

constexpr unsigned kPermissionBits = 07777;

std::chrono::system_clock::time_point timeOf(const timespec& time) noexcept {
  return std::chrono::system_clock::time_point(std::chrono::seconds(time.tv_sec) +
                                               std::chrono::nanoseconds(time.tv_nsec));
}

}  // namespace

FileType fileType(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::regular;
    case S_IFDIR:
      return FileType::directory;
    case S_IFLNK:
      return FileType::symbolicLink;
    case S_IFIFO:
      return FileType::pipe;
    case S_IFSOCK:
      return FileType::socket;
    case S_IFCHR:
      return FileType::characterDevice;
    case S_IFBLK:
      return FileType::blockDevice;
    default:
      return FileType::unknown;
  }
}

FileStatus fileStatus(const struct stat& status) noexcept {
  FileStatus result;
  result.type = fileType(status.st_mode);
  result.size = static_cast<std::uint64_t>(status.st_size);
  result.permissions = status.st_mode & kPermissionBits;
  result.userId = status.st_uid;
  result.groupId = status.st_gid;
  result.device = status.st_dev;
  result.inode = status.st_ino;
  result.links = static_cast<std::uint32_t>(status.st_nlink);
  result.modified = timeOf(status.st_mtim);
  result.changed = timeOf(status.st_ctim);
  result.accessed = timeOf(status.st_atim);
  return result;
}

}  // namespace plait::os::detail
