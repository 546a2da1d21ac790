// The operations that never wait, as plain syscalls: shared by the kernels on real descriptors.
#pragma once

#include <cstdint>

#include "plait/detail/op.h"

namespace plait::detail {

// Negative errno on failure.
std::int32_t directCall(Op& op) noexcept;

}  // namespace plait::detail
