// How the messages of `load` lie on the wire: as they are, or as texts of a WebSocket (RFC 6455),
// of which the client's are masked. A key of zero masks nothing, so that the rest is the same for
// both.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "load_socket.h"

struct Framing {
  std::string headOut{};  // before what is sent, its key at the end
  std::string headIn{};   // before what is received
  std::uint64_t key = 0;  // of eight bytes
};

inline Framing webSocketFraming(std::size_t bytes) {
  constexpr std::string_view kKey = "\x6b\x1f\xa5\xc3";
  const auto length = [bytes](unsigned char maskBit) {
    if (bytes < 126) return std::string(1, static_cast<char>(maskBit | bytes));
    const char two[] = {static_cast<char>(maskBit | 126), static_cast<char>(bytes >> 8),
                        static_cast<char>(bytes & 0xff)};
    return std::string(two, sizeof two);
  };
  Framing framing;
  framing.headOut = "\x81" + length(0x80) + std::string(kKey);
  framing.headIn = "\x81" + length(0);
  std::memcpy(&framing.key, kKey.data(), 4);
  framing.key |= framing.key << 32;
  return framing;
}

// The opening handshake; what a server sends before the end of its head is all it sends by itself.
inline void openWebSocket(int fd) {
  constexpr std::string_view kRequest =
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  if (send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kRequest.size())) {
    die("the WebSocket handshake");
  }
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    char byte = 0;
    if (recv(fd, &byte, 1, 0) != 1) die("the WebSocket handshake");
    head += byte;
  }
  if (!head.starts_with("HTTP/1.1 101") || head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == head.npos) {
    die("the WebSocket handshake was refused: " + head);
  }
}
