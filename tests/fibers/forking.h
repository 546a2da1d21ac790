// A fork inside a run, seen from both sides.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <new>
#include <string>

#include <doctest/doctest.h>

#include "child_process.h"
#include "plait/detail/sanitizer.h"
#include "plait/error.h"

namespace plait::test {

// Forks inside the run; `f` is the child's life, its result the exit status. 99: an exception.
inline int forkHere(const std::function<int()>& f) {
  const pid_t child = ::fork();
  if (child != 0) return endOf(child);
  ::alarm(kChildPatience);
  int status = 99;
  try {
    status = f();
  } catch (...) {
    status = 99;
  }
  ::_exit(status);
}

// ThreadSanitizer supports no threads in the child of a process that has threads.
inline bool childMayHaveThreads() {
#ifdef PLAIT_TSAN
  MESSAGE("left out: threads in a forked child, which ThreadSanitizer does not support");
  return false;
#else
  return true;
#endif
}

inline bool isAboutFork(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return std::string(error.what()).find("fork") != std::string::npos;
  } catch (...) {
  }
  return false;
}

// A word that parent and child both see.
struct Shared {
  Shared()
      : value(new(::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) std::atomic<int>(0)) {}
  ~Shared() { ::munmap(value, sizeof(std::atomic<int>)); }
  std::atomic<int>* value;
};

}  // namespace plait::test
