// Sending: frames, turns, and what kills leave.

#include <string>
#include <vector>

#include "plait/group.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;
using plait::test::settle;

FIBER_TEST("a message leaves as one frame, in the fewest bytes for its length [WS-15]") {
  for (const WebSocketRole role : {WebSocketRole::server, WebSocketRole::client}) {
    for (const std::size_t size : {0, 1, 125, 126, 65'535, 65'536, 8'178, 8'192, 200'000}) {
      CAPTURE(size);
      Wire wire(role);
      const std::string payload(size, 'x');
      auto sender = spawn([&wire, &payload] {
        wire.socket.sendText(payload);
        wire.socket.sendBinary(payload);
      });

      // The header's length is the least that there is for this size; encode() writes no other.
      const bool masked = role == WebSocketRole::client;
      const std::size_t header = size < 126 ? 2 : size < 65'536 ? 4 : 10;
      const std::string start = readBytes(wire.peer, header + (masked ? 4 : 0));
      const RawFrame same{.opcode = 1, .payload = payload, .masked = masked};
      CHECK(start.substr(0, header) == encode(same).substr(0, header));
      std::string body = readBytes(wire.peer, size);
      for (std::size_t i = 0; masked && i < size; ++i) body[i] ^= start[header + i % 4];
      CHECK(body == payload);
      CHECK(readFrame(wire.peer) == RawFrame{.opcode = 2, .payload = payload, .masked = masked});
      sender.get();
    }
  }
}

FIBER_TEST("each frame of a client has a key of its own [WS-15]") {
  Wire wire(WebSocketRole::client);
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i) {
    wire.socket.sendText("");
    keys.push_back(readBytes(wire.peer, 6).substr(2));
  }

  CHECK((keys[0] != keys[1] || keys[1] != keys[2] || keys[2] != keys[3]));
}

FIBER_TEST("text that is not UTF-8 is refused before anything is sent [WS-3]") {
  Wire wire;

  CHECK_THROWS_AS(wire.socket.sendText("\xFF"), std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.sendFragment(WebSocket::Kind::text, "\xC3\x28", false),
                  std::invalid_argument);
  wire.socket.sendFragment(WebSocket::Kind::text, "\xE2\x82", false);
  CHECK_THROWS_AS(wire.socket.sendFragment(WebSocket::Kind::text, "\x41", false),
                  std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.sendFragment(WebSocket::Kind::text, "", true), std::invalid_argument);
  wire.socket.sendFragment(WebSocket::Kind::text, "\xAC", true);

  CHECK(readFrame(wire.peer) ==
        RawFrame{.opcode = 1, .payload = "\xE2\x82", .last = false, .masked = false});
  CHECK(readFrame(wire.peer) == RawFrame{.opcode = 0, .payload = "\xAC", .masked = false});
}

FIBER_TEST("the parts of a message are not mixed with other messages [WS-6]") {
  Wire wire;
  std::vector<std::string> order;
  wire.socket.sendFragment(WebSocket::Kind::binary, "part 1 ", false);
  auto other = spawn([&wire, &order] {
    wire.socket.sendText("of another fiber");
    order.push_back("other");
  });
  auto alsoInParts = spawn([&wire, &order] {
    wire.socket.sendFragment(WebSocket::Kind::binary, "a", false);
    wire.socket.sendFragment(WebSocket::Kind::binary, "b", true);
    order.push_back("parts");
  });
  settle();
  CHECK(order.empty());
  CHECK_THROWS_AS(wire.socket.sendText("mine"), std::logic_error);
  CHECK_THROWS_AS(wire.socket.sendFragment(WebSocket::Kind::text, "x", false), std::logic_error);
  wire.socket.ping("within");

  wire.socket.sendFragment(WebSocket::Kind::binary, "part 2", true);
  other.get();
  alsoInParts.get();

  const auto frame = [&wire] {
    const RawFrame next = readFrame(wire.peer);
    return std::to_string(next.opcode) + (next.last ? "." : "-") + next.payload;
  };
  CHECK(frame() == "2-part 1 ");
  CHECK(frame() == "9.within");
  CHECK(frame() == "0.part 2");
  CHECK(frame() == "1.of another fiber");
  CHECK(frame() == "2-a");
  CHECK(frame() == "0.b");
  CHECK(order == std::vector<std::string>{"other", "parts"});
}

FIBER_TEST("a sender parks while the peer does not read, and others wait behind it [WS-6] [WS-7]") {
  Wire wire(WebSocketRole::server, {}, 1'000);
  std::string order;
  auto first = spawn([&wire, &order] {
    wire.socket.sendBinary(std::string(50'000, '1'));
    order += '1';
  });
  auto second = spawn([&wire, &order] {
    wire.socket.sendBinary(std::string(20'000, '2'));
    order += '2';
  });
  auto third = spawn([&wire, &order] {
    wire.socket.ping("3");
    order += '3';
  });
  settle();
  CHECK(order.empty());

  CHECK(readFrame(wire.peer).payload == std::string(50'000, '1'));
  // The ping came after the second message, but needs no message's turn.
  CHECK(readFrame(wire.peer).payload == "3");
  CHECK(readFrame(wire.peer).payload == std::string(20'000, '2'));

  third.get();
  second.get();
  CHECK(order.substr(0, 1) == "1");
}

FIBER_TEST("senders are served in the order in which they came [WS-6]") {
  Wire wire(WebSocketRole::client, {}, 500);
  Group senders;
  for (int i = 0; i < 20; ++i) {
    senders.spawn(
        [&wire, i] { wire.socket.sendText(std::to_string(i) + std::string(3'000, '.')); });
  }

  for (int i = 0; i < 20; ++i) {
    CHECK(readFrame(wire.peer).payload == std::to_string(i) + std::string(3'000, '.'));
  }

  senders.joinOrThrow();
}

FIBER_TEST("a sender killed while it waits for its turn has sent nothing [WS-13]") {
  Wire wire(WebSocketRole::server, {}, 1'000);
  auto first = spawn([&wire] { wire.socket.sendBinary(std::string(5'000, '1')); });
  auto second = spawn([&wire] { wire.socket.sendText("killed"); });
  auto third = spawn([&wire] { wire.socket.sendText("third"); });
  settle();

  second.kill();

  CHECK(readFrame(wire.peer).payload == std::string(5'000, '1'));
  CHECK(readFrame(wire.peer).payload == "third");
  CHECK(second.isKilled());
  third.get();
}

FIBER_TEST("a sender killed in the middle of a frame ends the sending for all [WS-13]") {
  for (const WebSocketRole role : {WebSocketRole::server, WebSocketRole::client}) {
    for (const std::size_t taken : {0, 5'000, 8'192, 30'000, 80'000}) {
      CAPTURE(taken);
      Wire wire(role, {}, 1'000);
      auto first = spawn([&wire] { wire.socket.sendBinary(std::string(100'000, '1')); });
      auto second = spawn([&wire] { wire.socket.sendText("second"); });
      auto third = spawn([&wire] { wire.socket.sendText("third"); });
      settle();
      readBytes(wire.peer, taken);
      settle();

      first.kill();

      CHECK_THROWS_AS(second.get(), ConnectionClosed);
      CHECK_THROWS_AS(third.get(), ConnectionClosed);
      CHECK_THROWS_AS(wire.socket.ping(), ConnectionClosed);
      CHECK_THROWS_AS(wire.socket.sendText("later"), ConnectionClosed);
      wire.peer.close();
      wire.socket.close();
    }
  }
}

FIBER_TEST("a frame that was left between two writes ends the sending, too [WS-13]") {
  // The stream takes what leaves with the header, and nothing of the rest: to it no write is half.
  for (const WebSocketRole role : {WebSocketRole::server, WebSocketRole::client}) {
    Wire wire(role, {}, 8'192);
    auto first = spawn([&wire] { wire.socket.sendBinary(std::string(100'000, '1')); });
    settle();

    first.kill();
    CHECK(readBytes(wire.peer, 8'192).size() == 8'192);

    CHECK_THROWS_AS(wire.socket.sendText("second"), WebSocketClosed);
    CHECK_THROWS_AS(wire.socket.ping(), WebSocketClosed);
  }
}

FIBER_TEST("a message whose next part was killed before it was sent can go on [WS-13]") {
  Wire wire(WebSocketRole::server, {}, 1'000);
  auto filler = spawn([&wire] { wire.peer.writeAll(encode({.opcode = 9})); });
  wire.socket.sendFragment(WebSocket::Kind::text, "begun ", false);
  // The peer reads nothing, and what fills its buffer is whole.
  wire.socket.ping(std::string(100, 'p'));
  auto blocker = spawn([&wire] {
    for (;;) wire.socket.ping(std::string(125, 'p'));
  });
  settle();

  CHECK_THROWS_AS(
      withTimeout(0ns,
                  [&wire] { wire.socket.sendFragment(WebSocket::Kind::text, "timed out", true); }),
      TimeoutError);
  auto reader = spawn([&wire] {
    std::string text;
    for (;;) {
      const RawFrame frame = readFrame(wire.peer);
      if (frame.opcode <= 2) text += frame.payload;
      if (frame.opcode <= 2 && frame.last) return text;
    }
  });
  settle();
  wire.socket.sendFragment(WebSocket::Kind::text, "sent again", true);

  CHECK(reader.get() == "begun sent again");
  filler.get();
  wire.peer.close();
  CHECK_THROWS_AS(blocker.get(), ConnectionClosed);
}

FIBER_TEST("close() ends the waits of senders [WS-11]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 1ms}, 1'000);
  auto writing = spawn([&wire] { wire.socket.sendBinary(std::string(100'000, '1')); });
  auto waiting = spawn([&wire] { wire.socket.sendText("x"); });
  auto inParts = spawn([&wire] { wire.socket.sendFragment(WebSocket::Kind::text, "x", false); });
  auto pinging = spawn([&wire] { wire.socket.ping(); });
  settle();

  CHECK_FALSE(wire.socket.close());

  CHECK((writing.isReady() && waiting.isReady() && inParts.isReady() && pinging.isReady()));
  CHECK_THROWS_AS(writing.get(), WebSocketClosed);
  CHECK_THROWS_AS(waiting.get(), WebSocketClosed);
  CHECK_THROWS_AS(inParts.get(), WebSocketClosed);
  CHECK_THROWS_AS(pinging.get(), WebSocketClosed);
  CHECK_THROWS_AS(wire.socket.sendText("after"), WebSocketClosed);
  CHECK_THROWS_AS(wire.socket.ping(), WebSocketClosed);
}

FIBER_TEST("those who wait for the end of somebody's message leave at the close [WS-11]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 1ms});
  auto begun =
      spawn([&wire] { wire.socket.sendFragment(WebSocket::Kind::text, "never ended", false); });
  begun.get();
  auto waiting = spawn([&wire] { wire.socket.sendText("x"); });
  settle();
  CHECK_FALSE(waiting.isReady());

  wire.socket.close();

  CHECK(closeCodeOf<WebSocketClosed>([&waiting] { waiting.get(); }) == CloseCode::normal);
}

FIBER_TEST("a sender meets the end of the stream as an error [WS-11]") {
  Wire wire;
  wire.peer.close();

  CHECK_THROWS_AS(wire.socket.sendText("x"), ConnectionClosed);
  CHECK_THROWS_AS(wire.socket.ping(), ConnectionClosed);
  CHECK_THROWS_AS(wire.socket.sendFragment(WebSocket::Kind::text, "x", false), ConnectionClosed);
}

}  // namespace
}  // namespace plait::http::test
