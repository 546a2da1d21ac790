// Which sanitizer this is built with, as g++ and clang tell it.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define PLAIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIT_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define PLAIT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLAIT_TSAN 1
#endif
#endif

// For what enters on one stack and leaves on another, or never: an instrumented function would
// enter on one stack's shadow and leave on the other's.
#if defined(__clang__)
#define PLAIT_UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define PLAIT_UNINSTRUMENTED __attribute__((no_sanitize("thread"), no_sanitize("address")))
#endif

namespace plait::detail {
#if defined(PLAIT_ASAN) || defined(PLAIT_TSAN)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
}  // namespace plait::detail
