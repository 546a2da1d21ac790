// Frames by hand, written without the code under test, and sockets over memory streams whose other
// end is held as bytes or as a socket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "fiber_test.h"
#include "plait/memory_stream.h"
#include "plait/websocket.h"

namespace plait::http::test {

struct RawFrame {
  int opcode = 1;
  std::string payload = {};
  bool last = true;
  int reserved = 0;  // RSV1 is 4, RSV2 2, RSV3 1
  bool masked = true;
  bool operator==(const RawFrame&) const = default;
};

inline std::string encode(const RawFrame& frame) {
  std::string bytes;
  bytes += static_cast<char>((frame.last ? 0x80 : 0) | frame.reserved << 4 | frame.opcode);
  const int mask = frame.masked ? 0x80 : 0;
  const std::size_t size = frame.payload.size();
  const int extended = size < 126 ? 0 : size < 65'536 ? 2 : 8;
  bytes += static_cast<char>(mask | (extended == 0   ? static_cast<int>(size)
                                     : extended == 2 ? 126
                                                     : 127));
  for (int i = extended - 1; i >= 0; --i) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * i));
  }
  if (!frame.masked) return bytes + frame.payload;
  const std::string key = "\x37\xfa\x21\x3d";
  bytes += key;
  for (std::size_t i = 0; i < size; ++i) {
    bytes += static_cast<char>(frame.payload[i] ^ key[i % 4]);
  }
  return bytes;
}

inline std::string readBytes(net::Stream& stream, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const auto room = std::as_writable_bytes(std::span(bytes)).subspan(done);
    const std::size_t now = stream.readSome(room);
    if (now == 0) return bytes.substr(0, done);
    done += now;
  }
  return bytes;
}

// Throws if the stream ends before.
inline RawFrame readFrame(net::Stream& stream) {
  const auto need = [&stream](std::size_t count) {
    std::string bytes = readBytes(stream, count);
    if (bytes.size() < count) throw std::runtime_error("the stream ended within a frame");
    return bytes;
  };
  const std::string start = need(2);
  RawFrame frame;
  frame.last = (start[0] & 0x80) != 0;
  frame.reserved = start[0] >> 4 & 7;
  frame.opcode = start[0] & 15;
  frame.masked = (start[1] & 0x80) != 0;
  std::uint64_t size = start[1] & 0x7F;
  if (size >= 126) {
    const std::string field = need(size == 126 ? 2 : 8);
    size = 0;
    for (const char each : field) size = size << 8 | static_cast<unsigned char>(each);
  }
  const std::string key = frame.masked ? need(4) : std::string(4, '\0');
  frame.payload = need(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < frame.payload.size(); ++i) frame.payload[i] ^= key[i % 4];
  return frame;
}

inline std::string closePayload(int code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return payload.append(reason);
}

inline int codeOf(const RawFrame& close) {
  if (close.opcode != 8 || close.payload.size() < 2) return 0;
  return static_cast<unsigned char>(close.payload[0]) << 8 |
         static_cast<unsigned char>(close.payload[1]);
}

// A socket and the bytes at its other end.
struct Wire {
  explicit Wire(WebSocketRole role = WebSocketRole::server, WebSocketOptions options = {},
                std::size_t capacity = net::kMemoryStreamBytes)
      : Wire(net::memoryPair(capacity), role, std::move(options)) {}

  net::MemoryStream peer;
  WebSocket socket;

 private:
  Wire(std::pair<net::MemoryStream, net::MemoryStream> ends, WebSocketRole role,
       WebSocketOptions options)
      : peer(std::move(ends.first)),
        socket(std::make_unique<net::MemoryStream>(std::move(ends.second)), role,
               std::move(options)) {}
};

// Two sockets.
struct Pair {
  explicit Pair(WebSocketOptions options = {}, std::size_t capacity = net::kMemoryStreamBytes)
      : Pair(net::memoryPair(capacity), options) {}

  WebSocket client;
  WebSocket server;

 private:
  Pair(std::pair<net::MemoryStream, net::MemoryStream> ends, const WebSocketOptions& options)
      : client(std::make_unique<net::MemoryStream>(std::move(ends.first)), WebSocketRole::client,
               options),
        server(std::make_unique<net::MemoryStream>(std::move(ends.second)), WebSocketRole::server,
               options) {}
};

// What f throws; fails the test if it throws nothing of the kind.
template <class E, class F>
CloseCode closeCodeOf(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.closeCode();
  }
  FAIL_CHECK("nothing was thrown");
  return CloseCode::normal;
}

}  // namespace plait::http::test
