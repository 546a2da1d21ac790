#include "context.h"

#include <cfenv>

#ifdef PLAIT_ASAN
#include <pthread.h>

#include <sanitizer/common_interface_defs.h>
#endif
#ifdef PLAIT_TSAN
#include <utility>

#include <sanitizer/tsan_interface.h>
#endif

namespace plait::detail {
namespace {

constexpr std::size_t kColors = 24;
constexpr std::size_t kCacheLine = 64;

#ifdef PLAIT_TSAN
// A TSan fiber cannot be destroyed while it runs: whoever is switched to does it.
constinit thread_local void* endedFiber = nullptr;
#endif

// Named where a linker that optimises sees it; context.h names it in assembly only.
[[maybe_unused, gnu::used]] constinit auto* const kJump = &boost::context::detail::jump_fcontext;

void destroyEnded() noexcept {
#ifdef PLAIT_TSAN
  if (endedFiber != nullptr) __tsan_destroy_fiber(std::exchange(endedFiber, nullptr));
#endif
}

}  // namespace

PLAIT_UNINSTRUMENTED void announceSwitch([[maybe_unused]] Context* from,
                                         [[maybe_unused]] Context& to) noexcept {
#ifdef PLAIT_ASAN
  __sanitizer_start_switch_fiber(from == nullptr ? nullptr : &from->fakeStack, to.bottom, to.bytes);
#endif
#ifdef PLAIT_TSAN
  __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

void arriveAnnounced([[maybe_unused]] Context& at) noexcept {
#ifdef PLAIT_ASAN
  __sanitizer_finish_switch_fiber(at.fakeStack, nullptr, nullptr);
#endif
  destroyEnded();
}

void arriveFirstAnnounced() noexcept {
#ifdef PLAIT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  destroyEnded();
}

void announceEnd([[maybe_unused]] Context& from) noexcept {
#ifdef PLAIT_TSAN
  endedFiber = from.fiber;
#endif
}

void prepare(Context& context, const Stack& stack, void (*entry)(Transfer) noexcept) {
  // The tops of all stacks have the same low address bits, and would share a few sets of every
  // cache: the first frames are spread over a part of the top page.
  const std::size_t color = stack.index % kColors * kCacheLine;
  context.suspended =
      boost::context::detail::make_fcontext(stack.top() - color, stack.bytes - color, entry);
#ifdef PLAIT_ASAN
  context.bottom = stack.bottom;
  context.bytes = stack.bytes;
#endif
#ifdef PLAIT_TSAN
  if (context.fiber == nullptr) context.fiber = __tsan_create_fiber(0);
#endif
}

void resetFloatingPoint() noexcept {
#if defined(__x86_64__)
  // Reading is cheap, writing is not, and a fiber that changed them is rare.
  constexpr unsigned kDefaultSse = 0x1f80;
  constexpr unsigned kSseStatus = 0x3f;
  constexpr unsigned short kDefaultX87 = 0x37f;
  unsigned sse = 0;
  unsigned short x87 = 0;
  asm volatile("stmxcsr %0" : "=m"(sse));
  asm volatile("fnstcw %0" : "=m"(x87));
  if ((sse & ~kSseStatus) != kDefaultSse) asm volatile("ldmxcsr %0" : : "m"(kDefaultSse));
  if (x87 != kDefaultX87) asm volatile("fldcw %0" : : "m"(kDefaultX87));
#else
  std::fesetenv(FE_DFL_ENV);
#endif
}

void adoptThreadStack([[maybe_unused]] Context& context) noexcept {
#ifdef PLAIT_ASAN
  pthread_attr_t attributes;
  void* bottom = nullptr;
  std::size_t bytes = 0;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    ::pthread_attr_getstack(&attributes, &bottom, &bytes);
    ::pthread_attr_destroy(&attributes);
  }
  context.bottom = bottom;
  context.bytes = bytes;
#endif
#ifdef PLAIT_TSAN
  context.fiber = __tsan_get_current_fiber();
#endif
}

}  // namespace plait::detail
