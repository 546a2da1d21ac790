// A suspended stack, and the switch to another. The only file pair that knows Boost.Context, and
// the place where AddressSanitizer and ThreadSanitizer are told which stack runs.
#pragma once

#include <cstddef>

#include <boost/context/detail/fcontext.hpp>

#include "plait/detail/sanitizer.h"
#include "stack_pool.h"

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
inline void switchContext(Context& from, Context& to) noexcept;

// Leaves the running stack for good. `from` may be destroyed before `to` runs on.
[[noreturn]] void leaveContext(Context& from, Context& to) noexcept;

// The default rounding and exception mask: a new stack inherits those of whoever made it.
void resetFloatingPoint() noexcept;

// For the thread's own stack, before the first switch away from it.
void adoptThreadStack(Context& context) noexcept;
// --- inline: it is passed at every switch ---

// What sanitizers want to know before a switch; `from` is null if that stack has no future.
void announceSwitch(Context* from, Context& to) noexcept;
void arriveAnnounced(Context& at) noexcept;

inline void switchContext(Context& from, Context& to) noexcept {
  namespace boost_context = boost::context::detail;
  if constexpr (kSanitized) announceSwitch(&from, to);
  const boost_context::transfer_t transfer = boost_context::jump_fcontext(to.suspended, &from);
  // The one who switched here says where to store it; one that has ended says nothing.
  if (transfer.data != nullptr) static_cast<Context*>(transfer.data)->suspended = transfer.fctx;
  if constexpr (kSanitized) arriveAnnounced(from);
}

}  // namespace plait::detail
