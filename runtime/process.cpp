#include "plait/detail/process.h"

#include <dirent.h>
#include <pthread.h>

#include <array>
#include <cstddef>

#include "loop_registry.h"
#include "plait/detail/sanitizer.h"

namespace plait::detail::process {

constinit std::atomic<unsigned> forks{0};

namespace {

// ThreadSanitizer runs one of its own in every process.
#ifdef PLAIT_TSAN
constexpr int kSanitizerThreads = 1;
#else
constexpr int kSanitizerThreads = 0;
#endif

constexpr std::size_t kLocksMax = 16;
constinit std::array<raw::Lock*, kLocksMax> locks{};
constinit std::size_t lockCount = 0;

void lockAll() {
  for (std::size_t i = 0; i < lockCount; ++i) locks[i]->lock();
}

void unlockAll() {
  for (std::size_t i = lockCount; i-- > 0;) locks[i]->unlock();
}

// Registered when the library is loaded, so that no fork goes unnoticed.
[[maybe_unused]] const int kRegistered = pthread_atfork(&lockAll, &unlockAll, [] {
  unlockAll();
  registry::restartAfterFork();
  forks.fetch_add(1, std::memory_order_relaxed);
});

}  // namespace

bool holdAcrossFork(raw::Lock& lock) noexcept {
  if (lockCount == kLocksMax) return false;
  locks[lockCount++] = &lock;
  return true;
}

int foreignThreads() noexcept {
  DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;  // unknown: assume that somebody may still help
  int count = 0;
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(tasks);
  return count - kSanitizerThreads - registry::threads();
}

}  // namespace plait::detail::process
