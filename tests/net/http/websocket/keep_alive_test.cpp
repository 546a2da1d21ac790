// Keep-alive pings, on the virtual clock.

#include <string>

#include "plait/timeout.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;

WebSocketOptions keepAlive() { return {.pingInterval = 10s, .pongTimeout = 3s}; }

FIBER_TEST_ON("sim", "a silent peer is sent a ping, and is given up without an answer [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive());
  const TimePoint start = now();
  auto receiver = spawn([&wire] { wire.socket.receive(); });

  CHECK(readFrame(wire.peer).opcode == 9);
  CHECK(now() - start == 10s);
  CHECK_THROWS_AS(receiver.get(), TimeoutError);

  CHECK(now() - start == 13s);
  CHECK_FALSE(wire.socket.isOpen());
  CHECK_THROWS_AS(wire.socket.receive(), TimeoutError);
  CHECK_THROWS_AS(wire.socket.sendText("x"), WebSocketClosed);
  CHECK_FALSE(wire.socket.close());
}

FIBER_TEST_ON("sim", "a peer that answers, or sends anything, is kept [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive());
  auto receiver = spawn([&wire] {
    while (wire.socket.receive()) {
    }
  });

  for (int i = 0; i < 5; ++i) {
    const RawFrame ping = readFrame(wire.peer);
    CHECK(ping.opcode == 9);
    sleep(2s);
    wire.peer.writeAll(encode({.opcode = i % 2 == 0 ? 10 : 1, .payload = ping.payload}));
  }

  CHECK_FALSE(receiver.isReady());
  receiver.kill();
}

FIBER_TEST_ON("sim", "a peer that is heard of is not pinged [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive());
  auto receiver = spawn([&wire] {
    while (wire.socket.receive()) {
    }
  });
  for (int i = 0; i < 20; ++i) {
    wire.peer.writeAll(encode({.payload = "here"}));
    sleep(4s);
  }
  wire.socket.sendText("first");

  CHECK(readFrame(wire.peer).payload == "first");
  receiver.kill();
}

FIBER_TEST_ON("sim", "a peer is not given up while nobody here listens to it [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive());
  sleep(100s);
  wire.peer.writeAll(encode({.payload = "late"}));

  CHECK(wire.socket.receive()->data == "late");
  CHECK(wire.socket.isOpen());
}

FIBER_TEST_ON("sim",
              "a peer is given up only by who has listened for the whole pongTimeout [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive());
  const TimePoint start = now();
  sleep(12'900ms);

  CHECK_THROWS_AS(wire.socket.receive(), TimeoutError);

  // The ping after 10 s came too early for it; the next counts.
  CHECK(now() - start == 26s);
}

FIBER_TEST_ON("sim", "a peer that does not read either is given up, too [WS-9]") {
  Wire wire(WebSocketRole::server, keepAlive(), 100);
  auto writer = spawn([&wire] { wire.socket.sendBinary(std::string(1'000, 'w')); });

  CHECK_THROWS_AS(wire.socket.receive(), TimeoutError);

  CHECK_THROWS_AS(writer.get(), WebSocketClosed);
}

FIBER_TEST_ON("sim", "an interval that is none is refused [WS-9]") {
  auto [a, b] = net::memoryPair();

  CHECK_THROWS_AS(WebSocket(a, WebSocketRole::server, {.pingInterval = 0s}), std::invalid_argument);
}

}  // namespace
}  // namespace plait::http::test
