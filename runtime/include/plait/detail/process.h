// What concerns the process as a whole: forks, and how many of its threads are strangers.
#pragma once

#include <atomic>

#include "plait/detail/raw.h"

namespace plait::detail::process {

// Counts forks on the child's side: a loop made under another count is a parent's.
extern constinit std::atomic<unsigned> forks;
inline unsigned forkGeneration() noexcept { return forks.load(std::memory_order_relaxed); }

// The lock is taken before a fork and free after it, in parent and child, whoever holds it: for the
// global ones. To be called while the library is loaded.
bool holdAcrossFork(raw::Lock& lock) noexcept;

// Live threads that plait did not start and that run no loop. Reads /proc.
int foreignThreads() noexcept;

}  // namespace plait::detail::process
