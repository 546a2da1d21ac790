#include "plait/deferred_semaphore.h"

#include <stdexcept>

namespace plait {

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
