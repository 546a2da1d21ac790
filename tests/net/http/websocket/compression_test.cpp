// permessage-deflate: what travels, what is refused, and what kills leave of the context.

#include <random>
#include <string>
#include <vector>

#include "permessage_deflate.h"
#include "plait/timeout.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;
using plait::test::settle;

WebSocketOptions compressed(WebSocketCompression compression = {}) {
  return {.compression = compression};
}

std::string pack(std::string_view text, WebSocketCompression compression = {}) {
  detail::Deflater deflater(compression);
  std::string packed;
  deflater.compress(net::asBytes(text), true, packed);
  return packed;
}

FIBER_TEST("the examples of RFC 7692 are understood [WS-14]") {
  using std::string_literals::operator""s;
  const std::string hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
  Wire wire(WebSocketRole::server, compressed());
  wire.peer.writeAll(
      encode({.payload = hello, .reserved = 4}) +
      encode({.payload = hello.substr(0, 3), .last = false, .reserved = 4}) +
      encode({.opcode = 0, .payload = hello.substr(3)}) +
      encode({.payload = hello, .last = false, .reserved = 4}) +
      encode({.opcode = 0, .payload = ""}) +
      // The second time it refers to the first.
      encode({.payload = "\xf2\x00\x11\x00\x00"s, .reserved = 4}) +
      encode({.payload = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s, .reserved = 4}) +
      // A block that says it is the last one, and an empty one behind it.
      encode({.payload = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, .reserved = 4}) +
      // Two blocks, and one message that is not compressed.
      encode({.payload = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s, .reserved = 4}) +
      encode({.payload = "Hello"}) + encode({.payload = "\x00"s, .reserved = 4}));

  for (int i = 0; i < 8; ++i) CHECK(wire.socket.receive()->data == "Hello");
  CHECK(wire.socket.receive()->data.empty());
}

FIBER_TEST("messages of the minimum's size are compressed, smaller ones are not [WS-14]") {
  Wire wire(WebSocketRole::server, compressed({.minimum = 100}));
  wire.socket.sendText(std::string(99, 'a'));
  wire.socket.sendText(std::string(100, 'a'));

  CHECK(readFrame(wire.peer) == RawFrame{.payload = std::string(99, 'a'), .masked = false});
  const RawFrame frame = readFrame(wire.peer);
  CHECK(frame.reserved == 4);
  CHECK(frame.payload.size() < 30);
  CHECK(wire.socket.isCompressed());
}

FIBER_TEST("a context that is kept makes like messages smaller [WS-14]") {
  std::mt19937_64 random(plait::test::seed());
  std::string text;
  while (text.size() < 1'000) text += static_cast<char>('a' + random() % 26);
  for (const bool keeps : {true, false}) {
    CAPTURE(keeps);
    Pair pair(compressed({.contextTakeover = keeps, .peerContextTakeover = keeps}));
    Wire wire(WebSocketRole::server, compressed({.contextTakeover = keeps}));
    for (int i = 0; i < 3; ++i) {
      wire.socket.sendText(text);
      const std::size_t size = readFrame(wire.peer).payload.size();
      CHECK((size < 100) == (keeps && i > 0));
      pair.client.sendText(text);
      CHECK(pair.server.receive()->data == text);
    }
  }
}

FIBER_TEST("every window and level is understood by the other side [WS-14]") {
  std::mt19937_64 random(plait::test::seed());
  std::string text;
  while (text.size() < 70'000) text += std::to_string(random() % 1'000);
  for (const int bits : {9, 10, 15}) {
    for (const int level : {1, 6, 9}) {
      CAPTURE(bits);
      CAPTURE(level);
      Pair pair(compressed({.level = level, .windowBits = bits, .peerWindowBits = bits}));
      auto sender = spawn([&pair, &text] {
        for (int i = 0; i < 2; ++i) pair.client.sendText(text);
      });
      for (int i = 0; i < 2; ++i) CHECK(pair.server.receive()->data == text);
      sender.get();
    }
  }
}

FIBER_TEST("parts are compressed, whatever their sizes [WS-6] [WS-14]") {
  Pair pair(compressed());
  const std::string part(10'000, 'p');

  for (const std::size_t size : {0, 1, 10'000}) {
    const std::string_view piece = std::string_view(part).substr(0, size);
    pair.client.sendFragment(WebSocket::Kind::binary, piece, false);
    pair.client.sendFragment(WebSocket::Kind::binary, "", false);
    pair.client.sendFragment(WebSocket::Kind::binary, piece, false);
    pair.client.sendFragment(WebSocket::Kind::binary, size == 1 ? "end" : "", true);

    CHECK(pair.server.receive()->data ==
          std::string(piece) + std::string(piece) + (size == 1 ? "end" : ""));
  }
}

FIBER_TEST("a message that inflates above messageMax is refused with little memory [WS-4]") {
  Wire wire(WebSocketRole::server, {.messageMax = 100'000, .compression = WebSocketCompression()});
  wire.peer.writeAll(encode({.payload = pack(std::string(100'000, '0')), .reserved = 4}));
  CHECK(wire.socket.receive()->data.size() == 100'000);
  wire.peer.writeAll(encode({.payload = pack(std::string(100'001, '0')), .reserved = 4}));

  CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) == CloseCode::tooBig);
  CHECK(codeOf(readFrame(wire.peer)) == 1009);
}

FIBER_TEST("a bomb in small frames is refused, too, and can be read in pieces [WS-4] [WS-22]") {
  const std::string packed = pack(std::string(10'000'000, '0'));
  REQUIRE(packed.size() < 20'000);
  std::string bytes;
  for (std::size_t at = 0; at < packed.size(); at += 50) {
    bytes += encode({.opcode = at == 0 ? 1 : 0,
                     .payload = packed.substr(at, 50),
                     .last = at + 50 >= packed.size(),
                     .reserved = at == 0 ? 4 : 0});
  }
  const WebSocketOptions options{.messageMax = 100'000, .compression = WebSocketCompression()};
  Wire whole(WebSocketRole::server, options);
  Wire inPieces(WebSocketRole::server, options);
  auto writer = spawn([&whole, &inPieces, &bytes] {
    whole.peer.writeAll(bytes);
    inPieces.peer.writeAll(bytes);
  });

  CHECK(closeCodeOf<WebSocketError>([&whole] { whole.socket.receive(); }) == CloseCode::tooBig);
  std::array<std::byte, 4'096> buffer;
  std::size_t size = 0;
  for (bool last = false; !last;) {
    const auto piece = inPieces.socket.receiveSome(buffer);
    size += piece->size;
    last = piece->last;
  }
  CHECK(size == 10'000'000);
  writer.get();
}

FIBER_TEST("what is not DEFLATE, or is cut short, is refused with 1007 [WS-2] [WS-14]") {
  const std::string good = pack("a text that is long enough to be cut in the middle of a block");
  for (const std::string& bad :
       {std::string("\xFF\xFF\xFF\xFF"), good.substr(0, good.size() / 2), std::string()}) {
    Wire wire(WebSocketRole::server, compressed());
    wire.peer.writeAll(encode({.payload = bad, .reserved = 4}));
    wire.peer.writeAll(encode({.payload = "next"}));

    if (bad.empty()) {
      CHECK(wire.socket.receive()->data.empty());
      continue;
    }
    CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) ==
          CloseCode::invalidPayload);
  }
}

FIBER_TEST("text that inflates to what is not UTF-8 is refused [WS-3]") {
  Wire wire(WebSocketRole::server, compressed());
  wire.peer.writeAll(encode({.payload = pack("caf\xC3"), .reserved = 4}));

  CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) ==
        CloseCode::invalidPayload);
}

FIBER_TEST("only a message's first frame says that it is compressed [WS-2]") {
  Wire wire(WebSocketRole::server, compressed());
  wire.peer.writeAll(encode({.payload = "a", .last = false}) +
                     encode({.opcode = 0, .payload = "b", .reserved = 4}));

  CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) ==
        CloseCode::protocolError);
}

FIBER_TEST(
    "a compressed message that is received byte by byte, and killed at each, is whole "
    "[WS-5]") {
  Wire wire(WebSocketRole::server, compressed());
  const std::string text = "a text, a text, and another text, all of them alike";
  const std::string packed = pack(text);
  const std::string bytes = encode({.payload = packed.substr(0, 9), .last = false, .reserved = 4}) +
                            encode({.opcode = 0, .payload = packed.substr(9)});
  std::string received;
  for (const char each : bytes) {
    auto receiver = spawn([&wire, &received] { received += wire.socket.receive()->data; });
    settle();
    wire.peer.writeAll(std::string_view(&each, 1));
    settle();
    receiver.kill();
  }

  CHECK(received == text);
}

FIBER_TEST(
    "a compressed message that was killed before it was sent is referred to by none [WS-13]") {
  Pair pair(compressed(), 2'000);
  std::mt19937_64 random(plait::test::seed());
  std::string text;
  while (text.size() < 1'000) text += static_cast<char>('a' + random() % 26);
  // Fills the stream, and has the turn to write.
  auto pinger = spawn([&pair] {
    for (int i = 0; i < 50; ++i) pair.client.ping(std::string(125, 'p'));
  });
  auto killed = spawn([&pair, &text] { pair.client.sendText(text); });
  settle();

  killed.kill();
  auto receiver = spawn([&pair] { return pair.server.receive()->data; });
  pinger.get();
  pair.client.sendText(text);

  CHECK(killed.isKilled());
  CHECK(receiver.get() == text);
}

FIBER_TEST("options that make no sense are refused [WS-14]") {
  auto [a, b] = net::memoryPair();
  for (const WebSocketCompression bad :
       {WebSocketCompression{.level = 0}, WebSocketCompression{.level = 10},
        WebSocketCompression{.windowBits = 8}, WebSocketCompression{.windowBits = 16},
        WebSocketCompression{.peerWindowBits = 7}, WebSocketCompression{.peerWindowBits = 16}}) {
    CHECK_THROWS_AS(WebSocket(a, WebSocketRole::server, compressed(bad)), std::invalid_argument);
  }
}

}  // namespace
}  // namespace plait::http::test
