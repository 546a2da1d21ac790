// Pings and pongs.

#include <string>

#include "plait/group.h"
#include "plait/timeout.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;
using plait::test::settle;

FIBER_TEST("a ping is answered with its payload while somebody receives [WS-8]") {
  Wire wire(WebSocketRole::client);
  auto receiver = spawn([&wire] { wire.socket.receive(); });
  for (const std::string payload : {"", "a payload", "another"}) {
    wire.peer.writeAll(encode({.opcode = 9, .payload = payload, .masked = false}));

    CHECK(readFrame(wire.peer) == RawFrame{.opcode = 10, .payload = payload});
  }
  receiver.kill();
}

FIBER_TEST("a receiver goes on while its pongs cannot be sent; then the newest is [WS-8]") {
  Wire wire(WebSocketRole::server, {}, 1'000);
  auto writer = spawn([&wire] { wire.socket.sendBinary(std::string(5'000, 'w')); });
  settle();
  std::string received;
  auto receiver = spawn([&wire, &received] {
    while (auto message = wire.socket.receive()) received += message->data;
  });

  for (int i = 0; i < 100; ++i) {
    wire.peer.writeAll(encode({.opcode = 9, .payload = "ping " + std::to_string(i)}));
    wire.peer.writeAll(encode({.payload = "."}));
  }
  settle();

  CHECK(received == std::string(100, '.'));
  CHECK(readFrame(wire.peer).payload == std::string(5'000, 'w'));
  CHECK(readFrame(wire.peer) == RawFrame{.opcode = 10, .payload = "ping 99", .masked = false});
  wire.socket.sendText("nothing between");
  CHECK(readFrame(wire.peer).payload == "nothing between");
  writer.get();
  receiver.kill();
}

FIBER_TEST("two that only write, and are pinged, do not wait for each other for ever [WS-8]") {
  Pair pair({}, 2'000);
  const std::string big(100'000, 'b');
  Group all;
  for (WebSocket* socket : {&pair.client, &pair.server}) {
    all.spawn([socket, &big] {
      for (int i = 0; i < 5; ++i) {
        socket->ping("p");
        socket->sendBinary(big);
      }
    });
    all.spawn([socket, &big] {
      for (int i = 0; i < 5; ++i) CHECK(socket->receive()->data == big);
    });
  }

  all.joinOrThrow();
}

FIBER_TEST("a ping carries its payload, of 125 bytes at most [WS-8]") {
  Wire wire;
  wire.socket.ping("sent");
  wire.socket.ping(std::string(125, 'p'));

  CHECK_THROWS_AS(wire.socket.ping(std::string(126, 'p')), std::invalid_argument);

  CHECK(readFrame(wire.peer) == RawFrame{.opcode = 9, .payload = "sent", .masked = false});
  CHECK(readFrame(wire.peer).payload == std::string(125, 'p'));
}

FIBER_TEST("a ping killed while it parks has sent nothing [WS-13]") {
  Wire wire(WebSocketRole::server, {}, 64);
  auto writer = spawn([&wire] { wire.socket.sendBinary(std::string(100, 'w')); });
  settle();
  auto pinger = spawn([&wire] { wire.socket.ping("never"); });
  settle();

  pinger.kill();
  CHECK(readFrame(wire.peer).payload == std::string(100, 'w'));
  wire.socket.sendText("next");

  CHECK(pinger.isKilled());
  CHECK(readFrame(wire.peer).payload == "next");
}

FIBER_TEST("pongs that nobody asked for are passed over [WS-8]") {
  Wire wire;
  wire.peer.writeAll(encode({.opcode = 10, .payload = "why"}) + encode({.payload = "text"}));

  CHECK(wire.socket.receive()->data == "text");
}

FIBER_TEST("a socket may be destroyed while a pong waits to be sent [WS-8] [WS-11]") {
  auto [mine, theirs] = net::memoryPair(16);
  {
    WebSocket socket(theirs, WebSocketRole::server);
    auto writer = spawn([&socket] { socket.sendBinary(std::string(100, 'w')); });
    mine.writeAll(encode({.opcode = 9, .payload = "p"}));
    CHECK_THROWS_AS(withTimeout(0ns, [&socket] { socket.receive(); }), TimeoutError);
    settle();
    writer.kill();
  }

  CHECK_FALSE(theirs.isOpen());
}

}  // namespace
}  // namespace plait::http::test
