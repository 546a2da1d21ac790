#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "file_state.h"
#include "plait/cancel_shield.h"
#include "plait/detail/loop.h"
#include "plait/directory.h"
#include "plait/report.h"
#include "remove_tree.h"
#include "system_call.h"

namespace plait::os {
namespace {

constexpr std::uint32_t kOwnerOnly = 0600;

// Where the file system has no files without a name: a name for a moment.
std::int64_t makeUnlinked(const std::string& directory) {
  std::string path = directory + "/plait-XXXXXX";
  return detail::offloadCall([&path]() -> std::int64_t {
    const int number = ::mkostemp(path.data(), O_CLOEXEC);
    if (number >= 0) ::unlink(path.c_str());
    return number;
  });
}

bool isRefusal(std::int64_t result) noexcept {
  return result == -EOPNOTSUPP || result == -EISDIR || result == -EINVAL;
}

}  // namespace

File temporaryFile(std::string directory) {
  std::string name = "a temporary file in " + directory;
  std::int64_t number = detail::openNumber(directory, O_TMPFILE | O_RDWR, kOwnerOnly);
  if (isRefusal(number)) number = makeUnlinked(directory);
  if (number < 0) throw IoError(static_cast<int>(-number), "making " + name);
  return File(static_cast<int>(number), std::move(name));
}

TemporaryDirectory::TemporaryDirectory(std::string prefix) : path_(std::move(prefix) + "XXXXXX") {
  const std::string tried = "making a temporary directory " + path_;
  detail::offloadOrThrow(tried, [this] { return ::mkdtemp(path_.data()) == nullptr ? -1 : 0; });
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  try {
    if (plait::detail::Loop::current() == nullptr) {
      detail::removeTreeNow(path_);  // off a loop there is no fiber that could wait
      return;
    }
    const CancelShield shield;
    remove();
  } catch (const std::exception&) {
    reportError("a TemporaryDirectory", std::current_exception());
  }
}

void TemporaryDirectory::remove() {
  if (path_.empty()) return;
  removeTree(path_);
  path_.clear();
}

}  // namespace plait::os
