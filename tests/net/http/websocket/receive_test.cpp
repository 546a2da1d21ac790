// Receiving: how messages come together, and what kills and timeouts leave.

#include <random>
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

// A text, a binary message in parts with a ping and a pong in it, an empty one, a close.
std::string conversation() {
  return encode({.payload = "h\xC3\xA9llo"}) +
         encode({.opcode = 2, .payload = "first ", .last = false}) +
         encode({.opcode = 9, .payload = "are you there"}) +
         encode({.opcode = 0, .payload = "", .last = false}) +
         encode({.opcode = 10, .payload = "nobody asked"}) +
         encode({.opcode = 0, .payload = "and last"}) + encode({.payload = ""}) +
         encode({.payload = std::string(200, 'l')}) +
         encode({.opcode = 8, .payload = closePayload(1001, "bye")});
}

void checkConversation(WebSocket& socket) {
  auto message = socket.receive();
  REQUIRE(message);
  CHECK(message->isText());
  CHECK(message->data == "h\xC3\xA9llo");
  message = socket.receive();
  REQUIRE(message);
  CHECK_FALSE(message->isText());
  CHECK(message->data == "first and last");
  message = socket.receive();
  REQUIRE(message);
  CHECK(message->data.empty());
  CHECK(message->isText());
  message = socket.receive();
  REQUIRE(message);
  CHECK(message->data == std::string(200, 'l'));
  CHECK_FALSE(socket.receive());
  CHECK(socket.closeCode() == CloseCode::goingAway);
  CHECK_FALSE(socket.receive());
}

FIBER_TEST("messages are the same wherever the stream cuts them [WS-1]") {
  const std::string bytes = conversation();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    CAPTURE(cut);
    Wire wire;
    auto writer = spawn([&wire, &bytes, cut] {
      wire.peer.writeAll(std::string_view(bytes).substr(0, cut));
      settle();
      wire.peer.writeAll(std::string_view(bytes).substr(cut));
    });

    checkConversation(wire.socket);

    writer.get();
  }
}

FIBER_TEST("messages that arrive byte by byte are the same [WS-1]") {
  const std::string bytes = conversation();
  Wire wire(WebSocketRole::server, {}, 1);
  auto writer = spawn([&wire, &bytes] { wire.peer.writeAll(bytes); });
  auto drain = spawn([&wire] {
    while (readBytes(wire.peer, 1).size() == 1) {
    }
  });

  checkConversation(wire.socket);

  writer.get();
  wire.socket.close();
  drain.get();
}

FIBER_TEST("a message is the same however it was fragmented [WS-1]") {
  std::mt19937_64 random(plait::test::seed());
  const std::string whole = "\xF0\x9F\x98\x80 and \xE2\x82\xAC, over and over";
  for (int round = 0; round < 200; ++round) {
    Wire wire;
    std::string bytes;
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t size = std::min<std::size_t>(random() % 7, whole.size() - at);
      bytes += encode(
          {.opcode = bytes.empty() ? 1 : 0, .payload = whole.substr(at, size), .last = false});
      at += size;
    }
    bytes += encode({.opcode = 0, .payload = ""});
    wire.peer.writeAll(bytes);

    const auto message = wire.socket.receive();

    REQUIRE(message);
    CHECK(message->data == whole);
  }
}

FIBER_TEST("a receiver that is killed again and again loses nothing [WS-5]") {
  const std::string bytes = conversation();
  Wire wire;
  std::vector<std::string> received;
  bool closed = false;
  for (const char each : bytes) {
    auto receiver = spawn([&wire, &received, &closed] {
      while (auto message = wire.socket.receive()) received.push_back(message->data);
      closed = true;
    });
    settle();
    wire.peer.writeAll(std::string_view(&each, 1));
    settle();
    receiver.kill();
  }

  CHECK(closed);
  CHECK(received ==
        std::vector<std::string>{"h\xC3\xA9llo", "first and last", "", std::string(200, 'l')});
}

FIBER_TEST("a receiver that times out within a long message goes on where it was [WS-5]") {
  Wire wire;
  const std::string payload(300'000, 'p');
  auto writer = spawn([&wire, &payload] {
    const std::string bytes = encode({.opcode = 2, .payload = payload});
    for (std::size_t at = 0; at < bytes.size(); at += 9'000) {
      wire.peer.writeAll(std::string_view(bytes).substr(at, 9'000));
      settle();
    }
  });
  std::optional<WebSocket::Message> message;
  int timeouts = 0;

  while (!message) {
    try {
      message = withTimeout(0ns, [&wire] { return wire.socket.receive(); });
    } catch (const TimeoutError&) {
      ++timeouts;
    }
  }

  CHECK(message->data == payload);
  CHECK(timeouts > 1);
  writer.get();
}

FIBER_TEST("a kill that waits strikes before a message is taken [WS-5] [KILL-12]") {
  Wire wire;
  wire.peer.writeAll(encode({.payload = "still there"}));
  auto receiver = spawn([&wire] {
    current().requestKill();
    wire.socket.receive();
  });

  receiver.join();

  CHECK(receiver.isKilled());
  CHECK(wire.socket.receive()->data == "still there");
}

FIBER_TEST("a second receiver is refused [WS-5]") {
  Wire wire;
  auto first = spawn([&wire] { return wire.socket.receive()->data; });
  settle();

  CHECK_THROWS_AS(wire.socket.receive(), ConcurrentUseError);

  wire.peer.writeAll(encode({.payload = "for the first"}));
  CHECK(first.get() == "for the first");
}

FIBER_TEST("a connection that ends without a close is told from one that was closed [WS-12]") {
  for (const std::size_t bytes : {0, 1, 5, 8}) {
    CAPTURE(bytes);
    Wire wire;
    wire.peer.writeAll(std::string_view(encode({.payload = "half"})).substr(0, bytes));
    wire.peer.shutdownWrite();

    CHECK(closeCodeOf<WebSocketClosed>([&wire] { wire.socket.receive(); }) == CloseCode::abnormal);
    CHECK(closeCodeOf<WebSocketClosed>([&wire] { wire.socket.receive(); }) == CloseCode::abnormal);
  }
}

FIBER_TEST("a connection that is reset is an error of the stream [WS-12]") {
  auto [a, b] = net::socketPair();
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  net::TcpStream peer = net::connect(listener.address());
  WebSocket socket(std::make_unique<net::TcpStream>(listener.accept()), WebSocketRole::server);
  auto receiver = spawn([&socket] { socket.receive(); });
  settle();

  peer.setResetOnClose(true);
  peer.close();

  CHECK_THROWS_AS(receiver.get(), ConnectionClosed);
  CHECK_FALSE(socket.isOpen());
}

FIBER_TEST("close() ends a receiver's wait [WS-11]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 1ms});
  auto receiver = spawn([&wire] { wire.socket.receive(); });
  settle();

  CHECK_FALSE(wire.socket.close());

  CHECK(receiver.isReady());
  CHECK_THROWS_AS(receiver.get(), WebSocketClosed);
}

FIBER_TEST("bytes that came behind the handshake are received first [WS-1]") {
  auto [mine, theirs] = net::memoryPair();
  const std::string first = encode({.payload = "early"}) + encode({.payload = "half"}).substr(0, 3);
  WebSocket socket(theirs, WebSocketRole::server, {}, "chat", first);
  mine.writeAll(std::string_view(encode({.payload = "half"})).substr(3));

  CHECK(socket.receive()->data == "early");
  CHECK(socket.receive()->data == "half");
  CHECK(socket.protocol() == "chat");
}

// --- receiveSome ---

FIBER_TEST("close() ends the wait for a piece, and so does a kill [WS-5] [WS-11]") {
  Wire wire(WebSocketRole::server, {.closeTimeout = 1ms});
  std::array<std::byte, 10> buffer;
  auto killed = spawn([&wire, &buffer] { wire.socket.receiveSome(buffer); });
  settle();
  killed.kill();
  CHECK(killed.isKilled());
  auto closed = spawn([&wire, &buffer] { wire.socket.receiveSome(buffer); });
  settle();

  wire.socket.close();

  CHECK_THROWS_AS(closed.get(), WebSocketClosed);
}

FIBER_TEST("a message comes in pieces of whatever size is asked for [WS-22]") {
  std::mt19937_64 random(plait::test::seed());
  const std::string whole(20'000, 'w');
  Wire wire(WebSocketRole::server, {.messageMax = 10});
  auto writer = spawn([&wire, &whole] {
    wire.peer.writeAll(encode({.opcode = 2, .payload = whole.substr(0, 7'000), .last = false}) +
                       encode({.opcode = 0, .payload = whole.substr(7'000)}) +
                       encode({.payload = ""}));
  });
  std::array<std::byte, 6'000> buffer;
  std::size_t size = 0;
  for (bool last = false; !last;) {
    const auto piece =
        wire.socket.receiveSome(net::MutableBytes(buffer).first(1 + random() % buffer.size()));
    REQUIRE(piece);
    CHECK(piece->kind == WebSocket::Kind::binary);
    CHECK((piece->size > 0 || piece->last));
    size += piece->size;
    last = piece->last;
  }

  CHECK(size == whole.size());
  const auto empty = wire.socket.receiveSome(buffer);
  REQUIRE(empty);
  CHECK(empty->last);
  CHECK(empty->size == 0);
  CHECK(empty->kind == WebSocket::Kind::text);
  writer.get();
}

FIBER_TEST("pieces hand out first what a killed receive() had read [WS-5] [WS-22]") {
  Wire wire;
  wire.peer.writeAll(encode({.payload = "one ", .last = false}));
  auto receiver = spawn([&wire] { wire.socket.receive(); });
  settle();
  receiver.kill();
  std::array<std::byte, 3> buffer;
  std::string text;

  wire.peer.writeAll(encode({.opcode = 0, .payload = "two"}));
  for (bool last = false; !last;) {
    const auto piece = wire.socket.receiveSome(buffer);
    REQUIRE(piece);
    text.append(reinterpret_cast<const char*>(buffer.data()), piece->size);
    last = piece->last;
  }

  CHECK(text == "one two");
  CHECK_THROWS_AS(wire.socket.receiveSome({}), std::invalid_argument);
}

FIBER_TEST("text in pieces is refused when it turns out not to be UTF-8 [WS-3] [WS-22]") {
  Wire wire;
  wire.peer.writeAll(encode({.payload = "good", .last = false}) +
                     encode({.opcode = 0, .payload = "\xC3"}));
  std::array<std::byte, 100> buffer;

  CHECK(wire.socket.receiveSome(buffer)->size == 4);
  CHECK(closeCodeOf<WebSocketError>([&wire, &buffer] { wire.socket.receiveSome(buffer); }) ==
        CloseCode::invalidPayload);
}

}  // namespace
}  // namespace plait::http::test
