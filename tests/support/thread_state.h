// Sees from outside whether a thread sleeps, so that tests need not guess how long that takes.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

namespace plait::test {

inline int threadId() { return static_cast<int>(::syscall(SYS_gettid)); }

// Of this process: 'S' while it sleeps in the kernel, 'R' while it runs.
inline char threadState(int id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name = text.rfind(") ");
  return name == std::string::npos ? '?' : text[name + 2];
}

inline void waitUntilAsleep(int id) {
  while (threadState(id) != 'S') std::this_thread::yield();
}

}  // namespace plait::test
