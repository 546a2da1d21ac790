// The only file that includes liburing, and the constants that Debian's liburing 2.3 lacks.
#pragma once

#include <liburing.h>

// Kernel values that newer headers define; the kernel is probed before any is used.
namespace plait::detail::uring {

inline constexpr unsigned kSetupNoSqArray = 1U << 16;         // 6.6
inline constexpr unsigned kEnterNoIowait = 1U << 7;           // 6.15
inline constexpr unsigned kFeatureNoIowait = 1U << 17;        // 6.15
inline constexpr unsigned kRegisterUseRegistered = 1U << 31;  // 6.3
inline constexpr unsigned kOpFutexWait = 51;                  // 6.7
inline constexpr unsigned kFutexSize32 = 0x02;                // FUTEX2_SIZE_U32, not private
inline constexpr unsigned long kFutexMatchAny = 0xffffffff;

}  // namespace plait::detail::uring
