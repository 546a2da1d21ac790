// A suspended stack, and the switch to another. The only file pair that knows Boost.Context, and the
// place where AddressSanitizer and ThreadSanitizer are told which stack runs.
#pragma once

#include <cstddef>

#include "stack_pool.h"

#include "sanitizer.h"

namespace plait::detail {

struct Context {
  void* suspended = nullptr;  // null: never switched from, and not prepared
#ifdef PLAIT_ASAN
  void* fakeStack = nullptr;
  const void* bottom = nullptr;
  std::size_t bytes = 0;
#endif
#ifdef PLAIT_TSAN
  void* fiber = nullptr;
#endif
};

// The first switch to `context` calls runFiberStack() on `stack`.
void prepare(Context& context, const Stack& stack);

// What every stack runs; the scheduler's.
[[noreturn]] void runFiberStack() noexcept;

// Suspends the running code into `from` and resumes `to`; returns when somebody resumes `from`.
void switchContext(Context& from, Context& to) noexcept;

// Leaves the running stack for good. `from` may be destroyed before `to` runs on.
[[noreturn]] void leaveContext(Context& from, Context& to) noexcept;

// For the thread's own stack, before the first switch away from it.
void adoptThreadStack(Context& context) noexcept;
}  // namespace plait::detail
