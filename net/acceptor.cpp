#include "acceptor.h"

#include <sys/socket.h>

#include <cerrno>

#include "plait/cancel_shield.h"
#include "plait/detail/await.h"

namespace plait::net::detail {

using plait::detail::Op;
using plait::detail::OpKind;

Acceptor::Acceptor(plait::detail::Descriptor& listener)
    : listener_(listener), op_(OpKind::acceptMany) {
  op_.flags = SOCK_CLOEXEC;
  op_.completionData = this;
  op_.complete = [](Op& op, std::int32_t result, bool more) {
    static_cast<Acceptor*>(op.completionData)->onCompletion(result, more);
  };
}

Acceptor::~Acceptor() {
  PLAIT_ASSERT(!op_.inFlight);
  for (const std::int32_t descriptor : arrived_) {
    if (descriptor >= 0) plait::detail::Descriptor closeIt(descriptor);
  }
}

std::int32_t Acceptor::next() {
  for (;;) {
    plait::detail::checkpoint();
    if (!arrived_.empty()) {
      const std::int32_t first = arrived_.front();
      arrived_.pop_front();
      if (first == -EINTR) continue;
      return first;
    }
    if (!listener_.isOpen()) return -EBADF;
    // A disarm() while this gave way found nothing in flight.
    if (!wanted_) return -ECANCELED;
    if (!op_.inFlight) arm();
    plait::detail::waitForSignal(waiters_, {"accept", this, nullptr}, kForever);
  }
}

void Acceptor::arm() {
  op_.descriptor = listener_.number();
  listener_.enter();
  plait::detail::submitToKernel(op_);
}

void Acceptor::disarm() {
  wanted_ = false;
  if (op_.inFlight) plait::detail::cancelInKernel(op_);
}

void Acceptor::finish() {
  const CancelShield shield;
  disarm();
  while (op_.inFlight)
    plait::detail::waitForSignal(waiters_, {"the end of accepting", this, nullptr}, kForever);
}

void Acceptor::onCompletion(std::int32_t result, bool more) {
  arrived_.push_back(result);
  if (!more) listener_.leave();
  while (plait::detail::SignalNode* node = waiters_.pop()) node->fire();
}

}  // namespace plait::net::detail
