// For those who send on a socket by other means than writeAll(), as a file is sent: they take their
// turn among its writers.
#pragma once

#include "plait/detail/descriptor.h"
#include "plait/detail/write_turns.h"

namespace plait::net {
class SocketStream;
}

namespace plait::net::detail {

struct WriteAccess {
  plait::detail::Descriptor* descriptor = nullptr;  // null: it is closed
  WriteTurns* turns = nullptr;
};

// As long as the stream is open.
WriteAccess writeAccess(const SocketStream& stream) noexcept;

}  // namespace plait::net::detail
