// Features of the kernel to do without, so that a test can run as on a kernel that lacks them.
#pragma once

#include <string_view>

namespace plait::detail {

// Whether `feature` stands in the comma list PLAIT_MASK. Any thread.
bool isMasked(std::string_view feature) noexcept;

}  // namespace plait::detail
