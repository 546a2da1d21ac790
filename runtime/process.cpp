#include "plait/detail/process.h"

#include <dirent.h>
#include <pthread.h>

#include "loop_registry.h"

namespace plait::detail::process {

constinit std::atomic<unsigned> forks{0};

namespace {

// Registered when the library is loaded, so that no fork goes unnoticed.
[[maybe_unused]] const int kRegistered = pthread_atfork(
    nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

int foreignThreads() noexcept {
  DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;  // unknown: assume that somebody may still help
  int count = 0;
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(tasks);
  return count - registry::threads();
}

}  // namespace plait::detail::process
