// Names in the file system: asking, making, moving, removing and listing. Nothing here blocks the
// loop's thread. Every call may switch and throws IoError naming what was tried on which path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plait/file.h"

namespace plait::os {

FileStatus status(std::string path);      // of what a symbolic link leads to
FileStatus linkStatus(std::string path);  // of the link itself
bool exists(std::string path);            // false also if a part of the path is no directory

// Replaces `to` if it exists; exclusive: an existing one is an error (EEXIST).
void rename(std::string from, std::string to, bool exclusive = false);
void remove(std::string path);           // a file or link
void removeDirectory(std::string path);  // an empty one
// The directory and everything in it; links are removed, not followed. What is gone already is no
// error.
void removeTree(std::string path);
void makeDirectory(std::string path, std::uint32_t permissions = 0777);
void makeDirectories(std::string path,
                     std::uint32_t permissions = 0777);  // existing ones are no error
void makeLink(std::string existing, std::string name);
void makeSymbolicLink(std::string target, std::string name);
std::string readLink(std::string path);
void setPermissions(std::string path, std::uint32_t permissions);

struct DirectoryEntry {
  std::string name;  // without the directory
  FileType type = FileType::unknown;
};

inline constexpr std::size_t kDirectoryEntriesMax = 1'000'000;

// Everything in the directory but "." and "..", sorted by name. Throws also: LimitError for more
// than `limit` entries.
std::vector<DirectoryEntry> listDirectory(std::string path,
                                          std::size_t limit = kDirectoryEntriesMax);

// The content, in blocks that the kernel copies itself where it can; permissions too. `to` is made
// or replaced. Returns the bytes. A kill leaves a part of it.
std::uint64_t copyFile(std::string from, std::string to);

// A file that has no name and goes with its last descriptor, open for reading and writing.
File temporaryFile(std::string directory = "/tmp");

// A directory of its own, mode 0700, removed with everything in it when the object dies: its
// destructor may switch; what it cannot remove is reported.
class TemporaryDirectory final {
 public:
  explicit TemporaryDirectory(std::string prefix = "/tmp/plait-");
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const noexcept { return path_; }
  void remove();  // now, and hear of errors

 private:
  std::string path_;
};

}  // namespace plait::os
