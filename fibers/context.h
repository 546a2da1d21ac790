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

using Transfer = boost::context::detail::transfer_t;

// The first switch to `context` calls `entry` on `stack`. It begins with arriveFirst(), and never
// returns.
void prepare(Context& context, const Stack& stack, void (*entry)(Transfer) noexcept);
inline void arriveFirst(Transfer transfer) noexcept;

// Suspends the running code into `from` and resumes `to`; returns when somebody resumes `from`.
inline void switchContext(Context& from, Context& to) noexcept;

// Leaves the running stack for good. `from` may be destroyed before `to` runs on.
[[noreturn]] inline void leaveContext(Context& from, Context& to) noexcept;

// The default rounding and exception mask: a new stack inherits those of whoever made it.
void resetFloatingPoint() noexcept;

// For the thread's own stack, before the first switch away from it.
void adoptThreadStack(Context& context) noexcept;

// --- inline: it is passed at every switch ---

// What sanitizers want to know before a switch; `from` is null if that stack has no future.
void announceSwitch(Context* from, Context& to) noexcept;
void arriveAnnounced(Context& at) noexcept;
void arriveFirstAnnounced() noexcept;
void announceEnd(Context& from) noexcept;

// jump_fcontext(), entered by a jump as it is left by one. A call would push a prediction of where
// it returns to, which nobody takes, and every return after the switch, up to the user's, would be
// predicted wrong: a yield then costs 18 ns in place of 9.
// The clobbers must name every register that a call may change, and no shadow stack may miss it.
#if defined(__x86_64__) && !defined(__ILP32__) && !defined(__AVX512F__) && !defined(__APX_F__) && \
    !(defined(__CET__) && (__CET__ & 2))
[[gnu::always_inline]] inline Transfer jumpTo(void* to, void* data) noexcept {
  Transfer transfer;
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // the red zone is the compiler's
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "jmp *jump_fcontext@GOTPCREL(%%rip)\n"
      "1:\n\t"
      "leaq 128(%%rsp), %%rsp"
      : "=a"(transfer.fctx), "=d"(transfer.data), "+D"(to), "+S"(data)
      :
      : "rcx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
        "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
  return transfer;
}
#else
inline Transfer jumpTo(void* to, void* data) noexcept {
  return boost::context::detail::jump_fcontext(to, data);
}
#endif

inline void switchContext(Context& from, Context& to) noexcept {
  if constexpr (kSanitized) announceSwitch(&from, to);
  const Transfer transfer = jumpTo(to.suspended, &from);
  // The one who switched here says where to store it; one that has ended says nothing.
  if (transfer.data != nullptr) static_cast<Context*>(transfer.data)->suspended = transfer.fctx;
  if constexpr (kSanitized) arriveAnnounced(from);
}

inline void arriveFirst(Transfer transfer) noexcept {
  if constexpr (kSanitized) arriveFirstAnnounced();
  if (transfer.data != nullptr) static_cast<Context*>(transfer.data)->suspended = transfer.fctx;
}

[[gnu::always_inline]] inline void leaveContext(Context& from, Context& to) noexcept {
  if constexpr (kSanitized) {
    announceEnd(from);
    announceSwitch(nullptr, to);
  }
  jumpTo(to.suspended, nullptr);
  __builtin_unreachable();
}

}  // namespace plait::detail
