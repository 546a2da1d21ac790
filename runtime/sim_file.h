// Files under the simulated kernel are the real ones: an operation on a file does not wait for
// anybody, so there is nothing to simulate but when it is told, and how much of it is done.
#pragma once

#include <cstdint>

#include "plait/detail/op.h"
#include "sim_random.h"

namespace plait::detail::sim {

// Whether the op opens a file, or its descriptor is a real one of a file or directory.
bool isForFile(const Op& op) noexcept;

// Does it, and blocks the thread as long as the disk takes. With dice reads and writes come short.
std::int32_t callFile(const Op& op, Dice* dice) noexcept;

}  // namespace plait::detail::sim
