// What concerns the process as a whole: forks, and how many of its threads are strangers.
#pragma once

#include <atomic>

namespace plait::detail::process {

// Counts forks on the child's side: a loop made under another count is a parent's.
extern constinit std::atomic<unsigned> forks;
inline unsigned forkGeneration() noexcept { return forks.load(std::memory_order_relaxed); }

// Live threads that plait did not start and that run no loop. Reads /proc.
int foreignThreads() noexcept;

}  // namespace plait::detail::process
