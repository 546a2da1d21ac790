// What only unix sockets can: hand over descriptors, and tell who the peer is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plait/stream.h"
#include "plait/tcp.h"

namespace plait::net {

inline constexpr std::size_t kDescriptorsMax = 16;  // in one message

struct Credentials {
  std::int32_t processId = 0;
  std::uint32_t userId = 0;
  std::uint32_t groupId = 0;
};

// Who was at the other end when the connection was made. Never switches. Throws: IoError.
Credentials peerCredentials(const SocketStream& stream);

// Writes all of `bytes`, at least one, and with the first of them copies of the descriptors, which
// stay the caller's. May switch. Throws: IoError; LimitError beyond kDescriptorsMax.
void sendDescriptors(SocketStream& stream, Bytes bytes, std::span<const int> descriptors);

struct ReceivedDescriptors {
  std::size_t bytes = 0;
  std::vector<int> descriptors;  // the caller's to close; close-on-exec
};

// Reads at least one byte, and the descriptors that came with it. A kill loses neither.
// May switch. Throws: IoError; LimitError if more came than kDescriptorsMax: those that came are
// closed.
ReceivedDescriptors receiveDescriptors(SocketStream& stream, MutableBytes into);

}  // namespace plait::net
