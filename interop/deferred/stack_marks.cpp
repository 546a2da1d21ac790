#include "plait/detail/stack_marks.h"

#include "plait/detail/loop.h"

namespace plait {

const void* detail::runningStack() noexcept {
  const Loop* const loop = Loop::current();
  return loop == nullptr ? nullptr : loop->runningStack();
}

}  // namespace plait
