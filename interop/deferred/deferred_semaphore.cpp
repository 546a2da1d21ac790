#include "plait/deferred_semaphore.h"

#include <stdexcept>

#include "plait/detail/loop.h"

namespace plait {

const void* detail::runningStack() noexcept {
  const Loop* const loop = Loop::current();
  return loop == nullptr ? nullptr : loop->runningStack();
}

void detail::SemaphoreState::release() {
  if (tokens == limit) {
    throw std::logic_error("a DeferredSemaphore was released more often than acquired");
  }
  ++tokens;
  serve();
}

DeferredSemaphore::DeferredSemaphore(std::size_t tokens)
    : state_(std::make_shared<detail::SemaphoreState>(*this, tokens)) {
  if (tokens == 0) throw std::invalid_argument("DeferredSemaphore needs at least one token");
}

}  // namespace plait
