// What a loop has done so far. All counts are since the loop began.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait {

struct LoopStatistics {
  std::uint64_t turns = 0;
  std::uint64_t enters = 0;     // system calls that submit, wait or reap
  std::uint64_t submitted = 0;  // SQEs
  std::uint64_t completed = 0;  // CQEs
  std::uint64_t tasks = 0;      // Tasks run: resumes, callbacks, completions
  std::uint64_t switches = 0;   // switches between stacks
  std::uint64_t spawned = 0;
  std::uint64_t handlesDropped = 0;  // greenlets whose last handle went while they had not ended
  std::uint64_t killsSwallowed = 0;  // kills that had to strike again
  std::size_t readyMax = 0;          // most Tasks run in one turn
  std::size_t timers = 0;            // armed now
  std::size_t inFlight = 0;          // operations in the kernel now
  std::size_t fibersReady = 0;       // started or not, waiting for their turn
  std::size_t fibersParked = 0;
  std::size_t stacks = 0;  // stacks in use now
};

// The current loop's. Never switches. Throws: std::logic_error off a loop.
LoopStatistics loopStatistics();

}  // namespace plait
