#include "context.h"

#include <boost/context/detail/fcontext.hpp>

#ifdef PLAIT_ASAN
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef PLAIT_TSAN
#include <sanitizer/tsan_interface.h>

#include <utility>
#endif

namespace plait::detail {
namespace {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

#ifdef PLAIT_TSAN
// A TSan fiber cannot be destroyed while it runs: whoever is switched to does it.
constinit thread_local void* endedFiber = nullptr;
#endif

// What the context switched to is told: where to store the one it came from, null if that has ended.
void arrive(transfer_t transfer) noexcept {
  if (transfer.data != nullptr) static_cast<Context*>(transfer.data)->suspended = transfer.fctx;
#ifdef PLAIT_TSAN
  if (endedFiber != nullptr) __tsan_destroy_fiber(std::exchange(endedFiber, nullptr));
#endif
}

void firstFrame(transfer_t transfer) noexcept {
#ifdef PLAIT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  arrive(transfer);
  runFiberStack();
}

void announce([[maybe_unused]] Context* from, [[maybe_unused]] Context& to) noexcept {
#ifdef PLAIT_ASAN
  // A null slot tells that the stack left has no future, so its fake stack can go.
  __sanitizer_start_switch_fiber(from == nullptr ? nullptr : &from->fakeStack, to.bottom, to.bytes);
#endif
#ifdef PLAIT_TSAN
  __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

}  // namespace

void prepare(Context& context, const Stack& stack) {
  context.suspended = make_fcontext(stack.top(), stack.bytes, &firstFrame);
#ifdef PLAIT_ASAN
  context.bottom = stack.bottom;
  context.bytes = stack.bytes;
#endif
#ifdef PLAIT_TSAN
  if (context.fiber == nullptr) context.fiber = __tsan_create_fiber(0);
#endif
}

void switchContext(Context& from, Context& to) noexcept {
  announce(&from, to);
  const transfer_t transfer = jump_fcontext(to.suspended, &from);
#ifdef PLAIT_ASAN
  __sanitizer_finish_switch_fiber(from.fakeStack, nullptr, nullptr);
#endif
  arrive(transfer);
}

void leaveContext([[maybe_unused]] Context& from, Context& to) noexcept {
#ifdef PLAIT_TSAN
  endedFiber = from.fiber;
#endif
  announce(nullptr, to);
  jump_fcontext(to.suspended, nullptr);
  __builtin_unreachable();
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
