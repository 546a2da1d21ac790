// Many cores: one loop per thread, each with its own fibers; they share nothing but what they post.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "plait/event.h"
#include "plait/loop_handle.h"
#include "plait/run.h"

namespace plait {

namespace detail {
class ThreadTeam;
}

// One of the loops that runThreads() started, as its main function sees it.
class TeamMember final {
 public:
  TeamMember(detail::ThreadTeam& team, std::size_t index) : team_(team), index_(index) {}

  std::size_t index() const noexcept { return index_; }  // 0 is the caller's thread
  std::size_t count() const noexcept;

  // The handle of the loop with this index. Any thread.
  LoopHandle loop(std::size_t index) const;

  // Asks all mains to end: sets stopRequested() on each loop. Any thread.
  void stop() const;
  // Set once stop() was called anywhere, or a main has failed: stop accepting, finish, return.
  Event& stopRequested() noexcept { return stopRequested_; }

 private:
  detail::ThreadTeam& team_;
  std::size_t index_;
  Event stopRequested_;
};

// Calls main on `count` loops, one on this thread and the others on threads of their own, and
// returns when all have ended. All loops exist before the first main begins. If a main throws, the
// others are asked to stop and then killed, and the first error is thrown. Each loop of the team
// can be reached by the others, through stop() if nothing else, so none ends with a DeadlockError.
// Blocks the thread.
// Throws: what a main throws; std::logic_error inside a run.
void runThreads(std::size_t count, std::function<void(TeamMember&)> main,
                const RunOptions& options = RunOptions());

}  // namespace plait
