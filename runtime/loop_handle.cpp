#include "plait/loop_handle.h"

#include "loop_registry.h"
#include "plait/detail/loop.h"
#include "plait/error.h"

namespace plait {
LoopHandle::LoopHandle() : LoopHandle(detail::Loop::require("LoopHandle").inbox()) {}

LoopHandle::LoopHandle(std::shared_ptr<detail::Inbox> inbox) noexcept : inbox_(std::move(inbox)) {
  inbox_->handles.fetch_add(1, std::memory_order_relaxed);
}

LoopHandle::LoopHandle(const LoopHandle& other) noexcept : LoopHandle(other.inbox_) {}

LoopHandle& LoopHandle::operator=(const LoopHandle& other) noexcept {
  if (this == &other) return *this;
  LoopHandle copy(other);
  std::swap(inbox_, copy.inbox_);
  return *this;
}

LoopHandle::~LoopHandle() {
  // The last handle gone may leave a loop without any hope: let it look again.
  if (inbox_->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) inbox_->wake();
}

bool LoopHandle::isStopped() const noexcept {
  return inbox_->refusesCalls.load(std::memory_order_relaxed) || inbox_->isClosed();
}

void LoopHandle::post(detail::UniqueFunction<void()> f, std::source_location at) const {
  detail::postCallback(*inbox_, std::move(f), at);
}

void detail::postToFirstLoop(UniqueFunction<void()> f, std::source_location at) {
  const std::shared_ptr<Inbox> inbox = registry::first();
  if (!inbox) throw ReactorStopped("callFromThread: no loop is running in this process");
  postCallback(*inbox, std::move(f), at);
}

}  // namespace plait
