// What the tests of files and pipes share.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

namespace plait::test {

// A folder of its own, made and removed by other code than the one under test.
class Folder final {
 public:
  Folder() {
    std::string pattern = "/tmp/plait-os-test-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void fill(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline int openDescriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

// Both ends of a new terminal that passes bytes on as they are. The numbers are the caller's.
struct TerminalPair {
  int master = -1;
  int slave = -1;
};

inline TerminalPair makeTerminal() {
  TerminalPair pair;
  pair.master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(pair.master >= 0);
  REQUIRE(::grantpt(pair.master) == 0);
  REQUIRE(::unlockpt(pair.master) == 0);
  pair.slave = ::open(::ptsname(pair.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(pair.slave >= 0);
  termios raw{};
  REQUIRE(::tcgetattr(pair.slave, &raw) == 0);
  ::cfmakeraw(&raw);
  REQUIRE(::tcsetattr(pair.slave, TCSANOW, &raw) == 0);
  return pair;
}

}  // namespace plait::test
