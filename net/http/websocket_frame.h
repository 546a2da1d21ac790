// The frames of WebSocket, as RFC 6455, 5.2 writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "plait/stream.h"
#include "plait/websocket.h"
#include "websocket_mask.h"

namespace plait::http::detail {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

inline constexpr std::size_t kFrameHeaderMax = 14;  // bytes
inline constexpr std::size_t kControlMax = 125;     // bytes of a control frame's payload
inline constexpr std::size_t kCloseReasonMax = kControlMax - 2;

struct FrameHeader {
  Opcode opcode = Opcode::continuation;
  bool last = true;
  bool compressed = false;  // RSV1
  bool masked = false;
  MaskKey key{};
  std::uint64_t length = 0;  // bytes of the payload

  bool isControl() const noexcept { return static_cast<std::uint8_t>(opcode) >= 8; }
};

// Reads the header that `bytes` begin with; returns how many it has, 0 if there are more to come.
// Never switches. Throws: WebSocketError for what no frame to this `receiver` begins with.
std::size_t parseFrameHeader(net::Bytes bytes, WebSocketRole receiver, FrameHeader& into);
// Returns how many bytes it wrote.
std::size_t writeFrameHeader(const FrameHeader& header,
                             std::array<std::byte, kFrameHeaderMax>& into) noexcept;

// What a close frame says.
struct CloseFrame {
  CloseCode code = CloseCode::noStatus;
  std::string reason;
};

// Throws: WebSocketError for a code that must not be sent, and for a reason that is not UTF-8.
CloseFrame parseClose(net::Bytes payload);
// Whether an endpoint may send it.
bool isSendable(CloseCode code) noexcept;

}  // namespace plait::http::detail
