// The closing handshake.

#include <string>

#include "plait/timeout.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;
using plait::test::settle;

FIBER_TEST("close() says why, waits for the peer's close and ends the stream [WS-10]") {
  Wire wire(WebSocketRole::client);
  auto closer = spawn([&wire] { return wire.socket.close(CloseCode(4001), "enough"); });

  CHECK(readFrame(wire.peer) == RawFrame{.opcode = 8, .payload = closePayload(4001, "enough")});
  settle();
  CHECK_FALSE(closer.isReady());
  wire.peer.writeAll(
      encode({.opcode = 8, .payload = closePayload(4002, "me too"), .masked = false}));

  CHECK(closer.get());
  CHECK(wire.socket.closeCode() == CloseCode(4002));
  CHECK(wire.socket.closeReason() == "me too");
  CHECK(readBytes(wire.peer, 1).empty());
  CHECK_FALSE(wire.socket.isOpen());
}

FIBER_TEST("what arrives between the two closes is dropped [WS-10]") {
  Wire wire;
  auto closer = spawn([&wire] { return wire.socket.close(); });
  CHECK(codeOf(readFrame(wire.peer)) == 1000);
  wire.peer.writeAll(encode({.payload = "late"}) +
                     encode({.opcode = 2, .payload = std::string(30'000, 'l')}) +
                     encode({.opcode = 9, .payload = "ping"}));
  wire.peer.writeAll(encode({.opcode = 8}));

  CHECK(closer.get());
  CHECK(wire.socket.closeCode() == CloseCode::noStatus);
  CHECK(readBytes(wire.peer, 1).empty());
}

FIBER_TEST("a receiver that waits meets the peer's answer, and no message before it [WS-10]") {
  Wire wire;
  auto receiver = spawn([&wire] { return wire.socket.receive().has_value(); });
  settle();
  auto closer = spawn([&wire] { return wire.socket.close(); });
  CHECK(codeOf(readFrame(wire.peer)) == 1000);
  wire.peer.writeAll(encode({.payload = "late"}) + encode({.opcode = 8}));

  CHECK(closer.get());
  CHECK_FALSE(receiver.get());
}

FIBER_TEST("a receiver that comes after close() began is told [WS-11]") {
  Wire wire;
  auto closer = spawn([&wire] { return wire.socket.close(); });
  settle();

  CHECK_THROWS_AS(wire.socket.receive(), WebSocketClosed);

  wire.peer.writeAll(encode({.opcode = 8}));
  CHECK(closer.get());
  CHECK_FALSE(wire.socket.receive());
}

FIBER_TEST("the peer's close is answered with its code, and close() then ends the stream [WS-10]") {
  Wire wire;
  wire.peer.writeAll(encode({.opcode = 8, .payload = closePayload(3000, "their reason")}));

  CHECK_FALSE(wire.socket.receive());
  CHECK(readFrame(wire.peer) ==
        RawFrame{.opcode = 8, .payload = closePayload(3000), .masked = false});
  CHECK_THROWS_AS(wire.socket.sendText("x"), WebSocketClosed);

  CHECK(wire.socket.close());
  CHECK(readBytes(wire.peer, 1).empty());
}

FIBER_TEST("a close without a code is answered with one without [WS-10]") {
  Wire wire;
  wire.peer.writeAll(encode({.opcode = 8}));

  CHECK_FALSE(wire.socket.receive());

  CHECK(wire.socket.closeCode() == CloseCode::noStatus);
  CHECK(readFrame(wire.peer) == RawFrame{.opcode = 8, .masked = false});
}

FIBER_TEST_ON("sim", "a peer that does not answer is left after the closeTimeout [WS-10]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 3s});
  const TimePoint start = now();

  CHECK_FALSE(wire.socket.close());

  CHECK(now() - start == 3s);
  CHECK(wire.socket.closeCode() == CloseCode::abnormal);
}

FIBER_TEST_ON("sim", "a peer that does not read holds up neither close() nor an answer [WS-10]") {
  Wire closing(WebSocketRole::server, {.closeTimeout = 3s}, 100);
  auto writer = spawn([&closing] { closing.socket.sendBinary(std::string(1'000, 'w')); });
  settle();
  TimePoint start = now();
  CHECK_FALSE(closing.socket.close());
  CHECK(now() - start == 3s);
  CHECK_THROWS_AS(writer.get(), WebSocketClosed);

  Wire answering(WebSocketRole::server, {.closeTimeout = 3s}, 100);
  auto other = spawn([&answering] { answering.socket.sendBinary(std::string(1'000, 'w')); });
  settle();
  start = now();
  answering.peer.writeAll(encode({.opcode = 8}));
  CHECK_FALSE(answering.socket.receive());
  CHECK(now() - start == 3s);
  answering.socket.close();
  CHECK_THROWS_AS(other.get(), WebSocketClosed);
}

FIBER_TEST_ON("sim", "a peer that sends for ever after its fault is left, too [WS-10]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 3s});
  wire.peer.writeAll(encode({.opcode = 3}));
  CHECK_THROWS_AS(wire.socket.receive(), WebSocketError);
  const TimePoint start = now();
  auto sender = spawn([&wire] {
    for (;;) {
      wire.peer.writeAll("more");
      sleep(1ms);
    }
  });

  CHECK_FALSE(wire.socket.close());

  CHECK(now() - start == 3s);
  CHECK_THROWS_AS(sender.get(), ConnectionClosed);
}

FIBER_TEST("a killed close() ends the stream all the same [WS-10]") {
  Wire wire;
  auto receiver = spawn([&wire] { wire.socket.receive(); });
  auto closer = spawn([&wire] { wire.socket.close(); });
  auto second = spawn([&wire] { return wire.socket.close(); });
  settle();

  closer.kill();

  CHECK(closer.isKilled());
  CHECK_FALSE(second.get());
  CHECK_THROWS_AS(receiver.get(), WebSocketClosed);
  CHECK(codeOf(readFrame(wire.peer)) == 1000);
  CHECK(readBytes(wire.peer, 1).empty());
}

FIBER_TEST("a timeout around close() ends the stream and is thrown [WS-10]") {
  Wire wire;

  CHECK_THROWS_AS(withTimeout(0ns, [&wire] { wire.socket.close(); }), TimeoutError);

  CHECK_FALSE(wire.socket.below().isOpen());
  CHECK_FALSE(wire.socket.close());
}

FIBER_TEST("both may close at once, and again is no error [WS-10]") {
  Pair pair;
  auto server = spawn([&pair] { return pair.server.close(CloseCode::goingAway, "first"); });

  CHECK(pair.client.close(CloseCode(4000), "second"));

  CHECK(server.get());
  CHECK(pair.client.closeCode() == CloseCode::goingAway);
  CHECK(pair.server.closeCode() == CloseCode(4000));
  CHECK(pair.client.close());
  CHECK(pair.server.close());
}

FIBER_TEST("a close goes between the parts of a message [WS-6] [WS-10]") {
  Wire wire;
  wire.socket.sendFragment(WebSocket::Kind::text, "part", false);
  wire.peer.writeAll(encode({.opcode = 8}));

  CHECK(wire.socket.close());

  CHECK(readFrame(wire.peer).payload == "part");
  CHECK(codeOf(readFrame(wire.peer)) == 1000);
}

FIBER_TEST("what cannot be said is refused, and the socket stays open [WS-10]") {
  Wire wire;

  CHECK_THROWS_AS(wire.socket.close(CloseCode::abnormal), std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.close(CloseCode::noStatus), std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.close(CloseCode(2000)), std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.close(CloseCode::normal, std::string(124, 'r')),
                  std::invalid_argument);
  CHECK_THROWS_AS(wire.socket.close(CloseCode::normal, "\xFF"), std::invalid_argument);

  CHECK(wire.socket.isOpen());
}

FIBER_TEST("a socket that was never opened, or moved from, is closed [WS-11]") {
  WebSocket none;
  CHECK_FALSE(none.isOpen());
  CHECK_FALSE(none.close());
  CHECK_THROWS_AS(none.sendText("x"), WebSocketClosed);
  CHECK_THROWS_AS(none.receive(), WebSocketClosed);
  CHECK(none.describe() == "a closed websocket");

  Wire wire;
  WebSocket moved = std::move(wire.socket);
  wire.peer.writeAll(encode({.payload = "to the new one"}));
  CHECK(moved.receive()->data == "to the new one");
  CHECK(moved.describe() == "websocket over memory stream");
}

}  // namespace
}  // namespace plait::http::test
