// fork() inside a run.
#pragma once

namespace plait {

// A forked child shares nothing usable with its parent's loop: every call that may switch throws
// there. After this call the calling fiber goes on alone, on a loop of its own: all other fibers
// are forgotten without being unwound (their destructors do not run), the parent's ring is dropped,
// timers but the caller's own Timeouts, callbacks and signal handlers of the parent are gone, pools
// start anew. A socket in which another fiber waited cannot be closed through its object any more.
// When the fiber ends, run() returns in the child as if this fiber were main. Never switches.
// Throws: std::logic_error if this is no forked child, or off a fiber; IoError.
void afterForkInChild();

}  // namespace plait
