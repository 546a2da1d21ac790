// Accepting many connections with one operation. The multishot accept is armed only while the
// server wants connections; what arrives beyond that, until the kernel has heard of the cancel,
// waits here and is given out first. Nothing accepted is ever forgotten: whoever destroys the
// acceptor closes the rest.
#pragma once

#include <cstdint>
#include <deque>

#include "plait/detail/descriptor.h"
#include "plait/detail/signal_node.h"

namespace plait::net::detail {

class Acceptor final {
 public:
  explicit Acceptor(plait::detail::Descriptor& listener);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();  // disarmed; closes what nobody took

  // The next connection's descriptor, or a negative errno; -ECANCELED after a disarm(). May switch.
  std::int32_t next();

  // Accepting is wanted, until disarm(): before each next(). Never switches.
  void want() noexcept { wanted_ = true; }
  // Asks the kernel to accept no more; what has come is kept. Never switches.
  void disarm();
  // disarm(), and returns when nothing is in flight any more. May switch; shielded.
  void finish();

  std::size_t waiting() const noexcept { return arrived_.size(); }

 private:
  void arm();
  void onCompletion(std::int32_t result, bool more);

  plait::detail::Descriptor& listener_;
  plait::detail::Op op_;
  std::deque<std::int32_t> arrived_;  // descriptors; an error ends the operation and comes last
  bool wanted_ = false;
  plait::detail::SignalQueue waiters_;
};

}  // namespace plait::net::detail
