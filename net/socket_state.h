// What a socket is behind its movable handle: the descriptor, who reads, who writes, and what it is
// called.
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "plait/address.h"
#include "plait/detail/descriptor.h"
#include "plait/detail/stream_error.h"
#include "plait/detail/write_turns.h"
#include "plait/stream.h"

namespace plait::net::detail {

using plait::detail::Op;
using plait::detail::OpKind;

class SocketState final {
 public:
  explicit SocketState(int number, const char* protocol = "tcp ") noexcept
      : descriptor(number), protocol_(protocol) {}

  // `message`: what else is to be received or sent with the bytes, by recvmsg(2) or sendmsg(2); its
  // msg_iov is set here.
  std::size_t readSome(MutableBytes into, std::error_code& error, msghdr* message = nullptr);
  void writeAll(Bytes from, std::error_code& error, msghdr* message = nullptr);

  Address name(OpKind which) const;  // localName or peerName; none if the kernel refuses
  std::string describe() const;
  void setOption(int level, int option, const void* value, std::uint32_t bytes, const char* what);

  std::size_t brokenAfter() const noexcept { return writers.brokenAfter(); }

  plait::detail::Descriptor descriptor;
  WriteTurns writers;
  bool passesOptionsOn = false;  // a listener that had its options before its first connection

 private:
  bool reading_ = false;
  const char* protocol_;
};

// Makes a socket of the kind that the address needs. Negative errno on failure.
int makeSocket(Family family, int type) noexcept;

}  // namespace plait::net::detail
