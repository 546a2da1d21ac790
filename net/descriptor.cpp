#include "plait/detail/descriptor.h"

#include <cerrno>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/detail/await.h"

namespace plait::detail {
namespace {

void closeNumber(int number) {
  Op op(OpKind::close, number);
  callKernel(op);
}

}  // namespace

Descriptor::~Descriptor() {
  PLAIT_ASSERT(users_ == 0);
  if (number_ >= 0 && owned_) closeNumber(number_);
}

std::int32_t Descriptor::await(Op& op, const char* what) {
  const Use use(*this);
  checkpoint();
  if (!isOpen()) return -EBADF;
  op.descriptor = number_;
  for (;;) {
    // Nobody else runs between the look at closing_ and the submission: a close() cancels what it
    // finds in flight, and would wait for what comes after.
    const std::int32_t result = awaitNow(op, what);
    if (result != -ECANCELED) return result;
    if (closing_) return -EBADF;
    // A cancel by descriptor means the file: a duplicate of this one was closed. It is not our end.
  }
}

std::int32_t Descriptor::call(Op& op) const {
  if (!isOpen()) return -EBADF;
  op.descriptor = number_;
  return callKernel(op);
}

void Descriptor::leave() noexcept {
  if (--users_ > 0) return;
  while (SignalNode* closer = closers_.pop()) closer->fire();
}

void Descriptor::close() {
  const int number = retire();
  if (number >= 0) closeNumber(number);
}

int Descriptor::retire() {
  if (number_ < 0) return -1;
  const CancelShield shield;
  if (!closing_) {
    closing_ = true;
    if (users_ > 0) cancelDescriptor(number_);
  }
  while (users_ > 0) waitForSignal(closers_, {"close", this, nullptr}, kForever);
  // Two may close at once; the first to wake does it.
  const int number = std::exchange(number_, -1);
  return owned_ ? number : -1;
}

int Descriptor::release() noexcept {
  PLAIT_ASSERT(users_ == 0);
  return std::exchange(number_, -1);
}

}  // namespace plait::detail
