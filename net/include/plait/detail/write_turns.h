// Who may write to a stream: one call after the other in the order in which they came, and nobody
// after a write that was stopped in its middle.
#pragma once

#include <cstdint>
#include <string>

#include "plait/detail/descriptor.h"
#include "plait/detail/signal_node.h"

namespace plait::net::detail {

class WriteTurns final {
 public:
  // The right to write, from before the call's first checkpoint to its end.
  class Turn final {
   public:
    // `bytes`: how many are to be written. May switch.
    Turn(WriteTurns& turns, plait::detail::Descriptor& descriptor, std::uint64_t bytes);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    // Passes it on. What was written in part, also because an exception leaves the frame, breaks
    // the stream; a write of which nothing was written has done no harm.
    ~Turn();

    std::uint64_t total;
    std::uint64_t written = 0;

   private:
    // close() waits also for those who wait for their turn, so the stream may go as soon as it
    // returns.
    const plait::detail::Descriptor::Use use_;
    WriteTurns& turns_;
  };

  bool isBroken() const noexcept { return brokenAfter_ > 0; }
  std::uint64_t brokenAfter() const noexcept { return brokenAfter_; }  // bytes; 0: it is not
  std::string describeBreak() const;  // what to add to a stream's description; empty if unbroken

 private:
  bool writing_ = false;
  // A kill or error stopped a write in the middle: after how many bytes, of how many. 0: none did.
  std::uint64_t brokenAfter_ = 0;
  std::uint64_t brokenOf_ = 0;
  plait::detail::SignalQueue waiting_;
};

}  // namespace plait::net::detail
