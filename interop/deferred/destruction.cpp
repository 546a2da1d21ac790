#include "destruction.h"

#include "plait/detail/stack_marks.h"

namespace plait::detail {
namespace {

// The innermost on this thread. A destructor that a chain runs may park its fiber, and another
// fiber destroy chains meanwhile: the list has one for each such stack.
constinit thread_local Destruction* innermost = nullptr;

}  // namespace

Destruction::Destruction(const void* stack) noexcept : stack_(stack), outer_(innermost) {
  innermost = this;
}

Destruction::~Destruction() {
  Destruction** place = &innermost;
  while (*place != this) place = &(*place)->outer_;
  *place = outer_;
}

void Destruction::of(Chain& chain) noexcept {
  const void* const stack = runningStack();
  for (Destruction* each = innermost; each != nullptr; each = each->outer_) {
    if (each->stack_ != stack) continue;
    chain.below_ = each->waiting_;
    each->waiting_ = &chain;
    return;
  }
  Destruction mine(stack);
  chain.below_ = nullptr;
  mine.waiting_ = &chain;
  while (Chain* const next = mine.waiting_) {
    mine.waiting_ = next->below_;
    next->endNow();
  }
}

}  // namespace plait::detail
