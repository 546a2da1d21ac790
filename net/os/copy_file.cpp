#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "plait/directory.h"
#include "system_call.h"

namespace plait::os {
namespace {

// How much one call on the pool copies: as long as that a kill may wait.
constexpr std::size_t kKernelCopyBytes = 32 << 20;
constexpr std::size_t kCopyBytes = 256 << 10;

bool isRefusal(std::int64_t result) noexcept {
  return result == -EXDEV || result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP ||
         result == -EPERM || result == -ETXTBSY;
}

// As far as the kernel copies itself; it does not between all file systems.
std::uint64_t copyInKernel(const File& from, const File& to) {
  std::uint64_t copied = 0;
  for (;;) {
    off_t in = static_cast<off_t>(copied);
    off_t out = in;
    const std::int64_t result = detail::offloadCall([&from, &to, &in, &out] {
      return ::copy_file_range(from.descriptor(), &in, to.descriptor(), &out, kKernelCopyBytes, 0);
    });
    if (result == 0 || isRefusal(result)) return copied;
    if (result < 0) {
      throw IoError(static_cast<int>(-result),
                    "copying " + from.describe() + " to " + to.describe());
    }
    copied += static_cast<std::uint64_t>(result);
  }
}

// The rest: nothing, where the kernel has copied all. Of files that it makes up as they are read,
// as those in /proc, it says that they are empty.
std::uint64_t copyByHand(File& from, File& to, std::uint64_t copied) {
  std::vector<std::byte> buffer(kCopyBytes);
  while (const std::size_t count = from.readAt(copied, buffer)) {
    to.writeAt(copied, Bytes(buffer).first(count));
    copied += count;
  }
  return copied;
}

}  // namespace

std::uint64_t copyFile(std::string from, std::string to) {
  File source = File::open(from);
  const FileStatus status = source.status();
  if (status.isDirectory()) throw IoError(EISDIR, "copying " + from);
  // Opened as it is, since it might be the same file.
  File target = File::open(
      to, {.read = false, .write = true, .create = true, .permissions = status.permissions});
  const FileStatus before = target.status();
  if (before.device == status.device && before.inode == status.inode) {
    throw IoError(EINVAL, "copying " + from + " to " + to + ", which are the same file");
  }
  if (before.size > 0) target.truncate(0);
  const std::uint64_t copied = copyByHand(source, target, copyInKernel(source, target));
  detail::offloadOrThrow("setting the permissions of " + to, [&target, &status] {
    return ::fchmod(target.descriptor(), status.permissions);
  });
  target.close();
  return copied;
}

}  // namespace plait::os
