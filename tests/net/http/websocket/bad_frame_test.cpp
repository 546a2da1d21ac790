// What a peer must not send, each with the close code that it is answered with.

#include <string>
#include <vector>

#include "websocket_support.h"

namespace plait::http::test {
namespace {

struct BadInput {
  const char* what;
  std::string bytes;
  int code;
};

std::string text(std::string payload, bool last = true) {
  return encode({.opcode = 1, .payload = std::move(payload), .last = last});
}
std::string continuation(std::string payload, bool last = true) {
  return encode({.opcode = 0, .payload = std::move(payload), .last = last});
}
std::string closing(const std::string& payload) {
  return encode({.opcode = 8, .payload = payload});
}

std::vector<BadInput> badInputs() {
  using std::string_literals::operator""s;
  const std::string part = text("part", false);
  return {
      {"an unmasked frame of a client", encode({.payload = "x", .masked = false}), 1002},
      {"RSV1 without an extension", encode({.payload = "x", .reserved = 4}), 1002},
      {"RSV2", encode({.payload = "x", .reserved = 2}), 1002},
      {"RSV3", encode({.payload = "x", .reserved = 1}), 1002},
      {"RSV3 on a ping", encode({.opcode = 9, .reserved = 1}), 1002},
      {"reserved opcode 3", encode({.opcode = 3}), 1002},
      {"reserved opcode 7", encode({.opcode = 7}), 1002},
      {"reserved opcode 11", encode({.opcode = 11}), 1002},
      {"reserved opcode 15", encode({.opcode = 15}), 1002},
      {"a ping in fragments", encode({.opcode = 9, .last = false}), 1002},
      {"a pong in fragments", encode({.opcode = 10, .last = false}), 1002},
      {"a close in fragments", encode({.opcode = 8, .last = false}), 1002},
      {"a ping of 126 bytes", encode({.opcode = 9, .payload = std::string(126, 'p')}), 1002},
      {"a close of 126 bytes", closing(closePayload(1000, std::string(124, 'c'))), 1002},
      {"a continuation of nothing", continuation("x"), 1002},
      {"a continuation after the end", text("a") + continuation("x"), 1002},
      {"text within a message", part + text("x"), 1002},
      {"binary within a message", part + encode({.opcode = 2, .payload = "x"}), 1002},
      {"16 bits for a length of 125", "\x81\xFE\x00\x7D"s, 1002},
      {"64 bits for a length of 65,535", "\x81\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF"s, 1002},
      {"a length with the top bit", "\x81\xFF\x80\x00\x00\x00\x00\x00\x00\x00"s, 1002},
      {"a close with half a code", closing("\x03"), 1002},
      {"the close code 0", closing(closePayload(0)), 1002},
      {"the close code 999", closing(closePayload(999)), 1002},
      {"the close code 1004", closing(closePayload(1004)), 1002},
      {"the close code 1005", closing(closePayload(1005)), 1002},
      {"the close code 1006", closing(closePayload(1006)), 1002},
      {"the close code 1015", closing(closePayload(1015)), 1002},
      {"the close code 1016", closing(closePayload(1016)), 1002},
      {"the close code 2999", closing(closePayload(2999)), 1002},
      {"the close code 5000", closing(closePayload(5000)), 1002},
      {"the close code 65535", closing(closePayload(65'535)), 1002},
      {"a reason that is not UTF-8", closing(closePayload(1000, "\xCE")), 1007},
      {"text that is not UTF-8", text("a\xFFz"), 1007},
      {"text that ends within a character", text("\xE2\x82"), 1007},
      {"a character cut at the message's end", text("\xE2", false) + continuation("\x82"), 1007},
      {"a surrogate", text("\xED\xA0\x80"), 1007},
      {"a surrogate over fragments", text("\xED", false) + continuation("\xA0", false), 1007},
      {"a frame above frameMax", "\x82\xFE\x10\x01"s + "mask", 1009},
      {"a message above messageMax", "\x82\xFE\x08\x01"s + "mask", 1009},
      {"a message above messageMax, in parts",
       encode({.opcode = 2, .payload = std::string(2'000, 'b'), .last = false}) +
           encode({.opcode = 0, .payload = std::string(49, 'b'), .last = false}),
       1009},
  };
}

FIBER_TEST("what the RFC forbids ends the connection with its close code [WS-2] [WS-3] [WS-4]") {
  for (const BadInput& bad : badInputs()) {
    CAPTURE(bad.what);
    Wire wire(WebSocketRole::server, {.messageMax = 2'048, .frameMax = 4'096});
    wire.peer.writeAll(bad.bytes);

    const auto receiveAll = [&wire] {
      while (wire.socket.receive()) {
      }
    };

    CHECK(static_cast<int>(closeCodeOf<WebSocketError>(receiveAll)) == bad.code);
    CHECK(codeOf(readFrame(wire.peer)) == bad.code);
    CHECK_FALSE(wire.socket.isOpen());
    // It stays so, and nothing can be sent any more.
    CHECK(static_cast<int>(closeCodeOf<WebSocketError>(receiveAll)) == bad.code);
    CHECK(static_cast<int>(closeCodeOf<WebSocketClosed>([&wire] { wire.socket.sendText("x"); })) ==
          bad.code);
    wire.peer.close();
    CHECK_FALSE(wire.socket.close());
  }
}

FIBER_TEST("a fault is found when the bytes that show it are here, not later [WS-2] [WS-3]") {
  for (const BadInput& bad : badInputs()) {
    CAPTURE(bad.what);
    Wire wire(WebSocketRole::server, {.messageMax = 2'048, .frameMax = 4'096});
    auto receiver = spawn([&wire] {
      return closeCodeOf<WebSocketError>([&wire] {
        while (wire.socket.receive()) {
        }
      });
    });

    for (const char each : bad.bytes) {
      wire.peer.writeAll(std::string_view(&each, 1));
      plait::test::settle();
    }

    CHECK(static_cast<int>(receiver.get()) == bad.code);
    wire.peer.close();
    wire.socket.close();
  }
}

FIBER_TEST("a client refuses a masked frame of a server [WS-2]") {
  Wire wire(WebSocketRole::client);
  wire.peer.writeAll(encode({.payload = "x", .masked = true}));

  CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) ==
        CloseCode::protocolError);
  CHECK(codeOf(readFrame(wire.peer)) == 1002);
}

FIBER_TEST("text is refused before its message is whole [WS-3]") {
  Wire wire;
  wire.peer.writeAll(encode({.payload = "good ", .last = false}));
  const std::string whole = encode({.opcode = 0, .payload = "bad \xFF and more", .last = false});
  wire.peer.writeAll(std::string_view(whole).substr(0, whole.size() - 8));

  CHECK(closeCodeOf<WebSocketError>([&wire] { wire.socket.receive(); }) ==
        CloseCode::invalidPayload);
}

FIBER_TEST("what a header claims costs no memory before it is here [WS-4]") {
  Wire wire;
  wire.peer.writeAll(std::string("\x82\xFF\0\0\0\0\x01\0\0\0mask", 14));
  auto receiver = spawn([&wire] { wire.socket.receive(); });
  plait::test::settle();

  // It waits for 16 MiB, within the limit; the first bytes arrive and nothing has gone wrong.
  wire.peer.writeAll("a few");
  plait::test::settle();

  CHECK_FALSE(receiver.isReady());
  receiver.kill();
}

FIBER_TEST("a message of any kind of length within the limits is taken [WS-1] [WS-4]") {
  for (const std::size_t size : {0, 1, 125, 126, 127, 65'535, 65'536, 100'000}) {
    CAPTURE(size);
    Wire wire(WebSocketRole::server, {.messageMax = 100'000, .frameMax = 100'000});
    const std::string payload(size, 'm');
    auto writer =
        spawn([&wire, &payload] { wire.peer.writeAll(encode({.opcode = 2, .payload = payload})); });

    const auto message = wire.socket.receive();

    REQUIRE(message);
    CHECK(message->data == payload);
    CHECK_FALSE(message->isText());
    writer.get();
  }
}

FIBER_TEST("all close codes that may be sent are taken and answered [WS-10]") {
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    CAPTURE(code);
    Wire wire;
    wire.peer.writeAll(encode({.opcode = 8, .payload = closePayload(code, "why")}));

    CHECK_FALSE(wire.socket.receive());

    CHECK(static_cast<int>(wire.socket.closeCode()) == code);
    CHECK(wire.socket.closeReason() == "why");
    CHECK(codeOf(readFrame(wire.peer)) == code);
  }
}

}  // namespace
}  // namespace plait::http::test
