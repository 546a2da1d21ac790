#include "plait/detail/write_turns.h"

#include "plait/detail/waiter.h"

namespace plait::net::detail {

WriteTurns::Turn::Turn(WriteTurns& turns, plait::detail::Descriptor& descriptor,
                       std::uint64_t bytes)
    : total(bytes), use_(descriptor), turns_(turns) {
  // It may give way: so before the look at who writes.
  plait::detail::checkpoint();
  if (!turns_.writing_) {
    turns_.writing_ = true;
    return;
  }
  // A permit that was handed over is kept; a kill then strikes at the first operation.
  plait::detail::waitForPermit(turns_.waiting_, {"a turn to write", &turns_, nullptr}, kForever);
}

WriteTurns::Turn::~Turn() {
  if (written != 0 && written != total) {
    turns_.brokenAfter_ = written;
    turns_.brokenOf_ = total;
  }
  if (plait::detail::SignalNode* next = turns_.waiting_.pop()) {
    next->fire();
  } else {
    turns_.writing_ = false;
  }
}

std::string WriteTurns::describeBreak() const {
  if (!isBroken()) return {};
  return " (a write was interrupted after " + std::to_string(brokenAfter_) + " of " +
         std::to_string(brokenOf_) + " bytes; close it)";
}

}  // namespace plait::net::detail
