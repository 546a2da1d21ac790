#include "websocket_frame.h"

#include <algorithm>

#include "utf8.h"

namespace plait::http::detail {
namespace {

constexpr std::uint8_t kLastBit = 0x80;
constexpr std::uint8_t kCompressedBit = 0x40;
constexpr std::uint8_t kReservedBits = 0x30;
constexpr std::uint8_t kMaskedBit = 0x80;
constexpr std::uint8_t kLengthIn16 = 126;
constexpr std::uint8_t kLengthIn64 = 127;

[[noreturn]] void refuse(const std::string& what) {
  throw WebSocketError(CloseCode::protocolError, "reading a WebSocket frame: " + what);
}

std::uint64_t loadBigEndian(net::Bytes bytes) noexcept {
  std::uint64_t value = 0;
  for (const std::byte each : bytes) value = value << 8 | std::to_integer<std::uint64_t>(each);
  return value;
}

bool isKnown(std::uint8_t opcode) noexcept { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

// What the first two bytes say is looked at as soon as they are here.
void parseStart(std::uint8_t first, std::uint8_t second, WebSocketRole receiver,
                FrameHeader& into) {
  const std::uint8_t opcode = first & 0x0F;
  if ((first & kReservedBits) != 0) refuse("a reserved bit is set");
  if (!isKnown(opcode)) refuse("the opcode " + std::to_string(opcode) + " is reserved");
  into.opcode = static_cast<Opcode>(opcode);
  into.last = (first & kLastBit) != 0;
  into.compressed = (first & kCompressedBit) != 0;
  into.masked = (second & kMaskedBit) != 0;
  if (receiver == WebSocketRole::server && !into.masked) refuse("a client's frame is not masked");
  if (receiver == WebSocketRole::client && into.masked) refuse("a server's frame is masked");
  if (!into.isControl()) return;
  if (!into.last) refuse("a control frame is in fragments");
  if (into.compressed) refuse("a control frame is compressed");
  if ((second & ~kMaskedBit) > kControlMax) {
    refuse("a control frame is longer than " + std::to_string(kControlMax) + " bytes");
  }
}

// `field`: the bytes of the length, when it did not fit the second byte.
std::uint64_t extendedLength(net::Bytes field) {
  const std::uint64_t length = loadBigEndian(field);
  const std::uint64_t least = field.size() == 2 ? kLengthIn16 : 0x1'0000;
  if (length < least) refuse("its length is not written in the fewest bytes");
  if (length >> 63 != 0) refuse("its length has the top bit set");
  return length;
}

}  // namespace

std::size_t parseFrameHeader(net::Bytes bytes, WebSocketRole receiver, FrameHeader& into) {
  if (bytes.size() < 2) return 0;
  const auto second = std::to_integer<std::uint8_t>(bytes[1]);
  parseStart(std::to_integer<std::uint8_t>(bytes[0]), second, receiver, into);
  const std::uint8_t length = second & ~kMaskedBit;
  const std::size_t extended = length == kLengthIn16 ? 2 : length == kLengthIn64 ? 8 : 0;
  if (bytes.size() < 2 + extended) return 0;
  into.length = extended == 0 ? length : extendedLength(bytes.subspan(2, extended));
  const std::size_t key = into.masked ? into.key.size() : 0;
  if (bytes.size() < 2 + extended + key) return 0;
  std::copy_n(bytes.data() + 2 + extended, key, into.key.data());
  return 2 + extended + key;
}

std::size_t writeFrameHeader(const FrameHeader& header,
                             std::array<std::byte, kFrameHeaderMax>& into) noexcept {
  const auto byte = [](std::uint64_t value) { return static_cast<std::byte>(value & 0xFF); };
  const std::uint8_t masked = header.masked ? kMaskedBit : 0;
  into[0] = byte((header.last ? kLastBit : 0) | (header.compressed ? kCompressedBit : 0) |
                 static_cast<std::uint8_t>(header.opcode));
  std::size_t extended = 0;
  if (header.length < kLengthIn16) {
    into[1] = byte(masked | header.length);
  } else {
    extended = header.length <= 0xFFFF ? 2 : 8;
    into[1] = byte(masked | (extended == 2 ? kLengthIn16 : kLengthIn64));
  }
  for (std::size_t i = 0; i < extended; ++i) {
    into[2 + i] = byte(header.length >> (8 * (extended - 1 - i)));
  }
  if (!header.masked) return 2 + extended;
  std::copy(header.key.begin(), header.key.end(), into.data() + 2 + extended);
  return 2 + extended + header.key.size();
}

CloseFrame parseClose(net::Bytes payload) {
  if (payload.empty()) return {};
  if (payload.size() < 2) refuse("the close frame has half a code");
  CloseFrame frame;
  frame.code = static_cast<CloseCode>(loadBigEndian(payload.first(2)));
  if (!isSendable(frame.code)) {
    refuse("nobody may send the close code " + std::to_string(static_cast<int>(frame.code)));
  }
  const net::Bytes reason = payload.subspan(2);
  if (!isUtf8(reason)) {
    throw WebSocketError(CloseCode::invalidPayload,
                         "reading a WebSocket frame: the reason for the close is not UTF-8");
  }
  frame.reason.assign(reinterpret_cast<const char*>(reason.data()), reason.size());
  return frame;
}

// Those of the RFC and of IANA's registry, but for the three that stand for what no frame has said;
// from 3000 on they are the libraries' and the programs'.
bool isSendable(CloseCode code) noexcept {
  const auto number = static_cast<int>(code);
  return (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014) ||
         (number >= 3000 && number <= 4999);
}

}  // namespace plait::http::detail
