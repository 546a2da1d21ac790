// What the tests of stacks share: pools whose stacks belong to nobody, and children that may die.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "plait/detail/mask.h"
#include "stack_pool.h"

namespace stacks {

using plait::detail::Fiber;
using plait::detail::Stack;
using plait::detail::StackPool;

// The owners are never looked at here: a pool keeps their addresses only.
alignas(16) inline std::array<std::byte, 16> nobodyStorage{};
inline const Fiber& nobody = reinterpret_cast<const Fiber&>(nobodyStorage);

inline constexpr std::size_t kPageBytes = 4096;

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Of the stack's pages those in memory.
inline std::size_t residentBytes(const Stack& stack) {
  std::vector<unsigned char> pages(stack.bytes / kPageBytes);
  REQUIRE(mincore(stack.bottom, stack.bytes, pages.data()) == 0);
  return kPageBytes * static_cast<std::size_t>(std::count_if(
                          pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

// Uses at least so much stack, all of it touched.
[[gnu::noinline]] inline std::size_t dig(std::size_t bytes) {
  std::array<volatile char, 1024> frame;
  for (std::size_t i = 0; i < frame.size(); i += 64) frame[i] = 1;
  if (bytes <= frame.size()) return static_cast<std::size_t>(frame[0]);
  return dig(bytes - frame.size()) + static_cast<std::size_t>(frame[64]);
}

// Hides guards from the pools made in its scope.
class Mask final {
 public:
  explicit Mask(const char* features) {
    if (const char* const before = getenv("PLAIT_MASK")) before_ = before;
    setenv("PLAIT_MASK", features, 1);
  }
  Mask(const Mask&) = delete;
  Mask& operator=(const Mask&) = delete;
  ~Mask() {
    unsetenv("PLAIT_MASK");
    if (before_) setenv("PLAIT_MASK", before_->c_str(), 1);
  }

 private:
  std::optional<std::string> before_;
};

// Says so, for a test that needs it. By the kernel, or by a mask.
inline bool isGuardInstallMissing() {
  void* const page = mmap(nullptr, kPageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool isMissing =
      madvise(page, kPageBytes, 102) != 0 || plait::detail::isMasked("guard_install");
  munmap(page, kPageBytes);
  if (isMissing) MESSAGE("left out: MADV_GUARD_INSTALL (Linux 6.13)");
  return isMissing;
}

inline constexpr const char* kMaskNothing = "";
inline constexpr const char* kMaskInstall = "some_other,guard_install";
inline constexpr const char* kMaskBoth = "guard_install,guard_mprotect";

// A pool and the stacks taken from it, given back at the end.
struct Taken {
  StackPool pool;
  std::vector<Stack> stacks;

  explicit Taken(std::size_t count, std::size_t bytes = StackPool::kMinimumBytes) {
    stacks.reserve(count);
    while (stacks.size() < count) stacks.push_back(pool.allocate(bytes, nobody));
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() { releaseAll(); }

  void releaseAll() {
    for (const Stack& stack : stacks) pool.release(stack);
    stacks.clear();
  }
};

// How a forked child ended and what it wrote to standard error. `body` must not use doctest.
struct Death {
  int signal = 0;
  int status = 0;
  std::string standardError;
};

template <class Body>
Death inChild(Body body) {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);
    dup2(ends[1], 2);
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) ::signal(number, SIG_DFL);  // doctest's
    body();
    _exit(0);
  }
  close(ends[1]);
  Death death;
  std::array<char, 512> buffer{};
  for (ssize_t count = 0; (count = read(ends[0], buffer.data(), buffer.size())) != 0;) {
    if (count > 0) death.standardError.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) death.signal = WTERMSIG(status);
  if (WIFEXITED(status)) death.status = WEXITSTATUS(status);
  return death;
}

inline void write(void* address) { *static_cast<volatile char*>(address) = 1; }

}  // namespace stacks
