// Follows a file as `tail -F` does: prints what it ends with and what is added to it, also when it
// is cut or another takes its name.
//
//   tail_follow FILE
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <string>

#include <plait/directory.h>
#include <plait/pipe.h>
#include <plait/plait.h>

using namespace plait;

constexpr std::uint64_t kBytesAtFirst = 1024;

void printNew(os::File& file, os::PipeStream& output) {
  if (file.size() < file.position()) file.seek(0);
  std::array<std::byte, 16384> buffer;
  while (const std::size_t count = file.readSome(buffer)) {
    output.writeAll(net::Bytes(buffer).first(count));
  }
}

// The descriptor tells of all that happens in the folder; a read of it parks like any other.
os::PipeStream changesIn(const std::string& folder) {
  os::PipeStream changes(::inotify_init1(IN_CLOEXEC), "the changes in " + folder);
  if (::inotify_add_watch(changes.descriptor(), folder.c_str(),
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
    throw IoError(errno, "watching " + folder);
  }
  return changes;
}

void follow(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path();
  os::PipeStream changes = changesIn(folder);
  os::PipeStream output = os::standardOutput();
  os::File file = os::File::open(path);
  const std::uint64_t size = file.size();
  file.seek(size > kBytesAtFirst ? size - kBytesAtFirst : 0);
  std::array<std::byte, 4096> events;
  do {
    printNew(file, output);
    if (os::exists(path) && os::status(path).inode != file.status().inode) {
      file = os::File::open(path);
      printNew(file, output);
    }
  } while (changes.readSome(events) > 0);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tail_follow FILE" << std::endl;
    return 2;
  }
  return run([path = std::string(argv[1])] {
    Event stop;
    const SignalHandle onInterrupt = onSignal(SIGINT, [&stop] { stop.set(); });
    const SignalHandle onTerminate = onSignal(SIGTERM, [&stop] { stop.set(); });
    race([&path] { follow(path); }, [&stop] { stop.wait(); });
  });
}
