// Many messages, both ways at once, over memory, tcp, and a kernel that cuts and delays.

#include <random>
#include <string>

#include "plait/group.h"
#include "plait/tcp.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

constexpr int kMessages = 1'000;

// The n-th message of a side: mostly short, now and then long, texts and bytes.
std::string messageOf(std::uint64_t seed, int n) {
  std::mt19937_64 random(seed * 7'919 + static_cast<std::uint64_t>(n));
  const std::size_t size = random() % (n % 50 == 0 ? 40'000 : 300);
  std::string text = std::to_string(n) + ":";
  while (text.size() < size) text += random() % 4 == 0 ? "\xE2\x82\xAC" : "abcabcabc";
  return text;
}

void sendAll(WebSocket& socket, std::uint64_t seed) {
  for (int n = 0; n < kMessages; ++n) {
    const std::string message = messageOf(seed, n);
    if (n % 97 == 0) socket.ping("p");
    if (n % 5 == 0) {
      const WebSocket::Kind kind = WebSocket::Kind::binary;
      socket.sendFragment(kind, std::string_view(message).substr(0, message.size() / 2), false);
      socket.sendFragment(kind, std::string_view(message).substr(message.size() / 2), true);
    } else {
      socket.sendText(message);
    }
  }
}

void receiveAll(WebSocket& socket, std::uint64_t seed) {
  WebSocket::Message message;
  for (int n = 0; n < kMessages; ++n) {
    REQUIRE(socket.receive(message));
    CHECK(message.isText() == (n % 5 != 0));
    if (message.data != messageOf(seed, n)) FAIL("message ", n, " is another");
  }
}

void exchange(WebSocket& client, WebSocket& server) {
  const std::uint64_t seed = plait::test::seed();
  Group all;
  all.spawn([&client, seed] { sendAll(client, seed); });
  all.spawn([&server, seed] { receiveAll(server, seed); });
  all.spawn([&server, seed] { sendAll(server, seed + 1); });
  all.spawn([&client, seed] { receiveAll(client, seed + 1); });
  all.joinOrThrow();

  auto closer = spawn([&client] { return client.close(); });
  CHECK_FALSE(server.receive());
  server.close();
  CHECK(closer.get());
}

std::pair<net::TcpStream, net::TcpStream> tcpPair() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  net::TcpStream client = net::connect(listener.address());
  return {std::move(client), listener.accept()};
}

void exchangeOverTcp(const WebSocketOptions& options) {
  auto [a, b] = tcpPair();
  WebSocket client(a, WebSocketRole::client, options);
  WebSocket server(b, WebSocketRole::server, options);
  exchange(client, server);
}

FIBER_TEST("a thousand messages go both ways at once over little streams [WS-1] [WS-6]") {
  for (const std::size_t capacity : {7, 1'000, 65'536}) {
    Pair pair({}, capacity);
    exchange(pair.client, pair.server);
  }
}

FIBER_TEST("a thousand messages go both ways, compressed [WS-1] [WS-14]") {
  Pair pair({.compression = WebSocketCompression{.minimum = 10}}, 300);

  exchange(pair.client, pair.server);
}

FIBER_TEST("a thousand messages go both ways over tcp, plain and compressed [WS-1] [WS-14]") {
  exchangeOverTcp({});
  exchangeOverTcp({.compression = WebSocketCompression()});
}

FIBER_TEST_SIM(SimOptions::hostile(plait::test::seed()),
               "a thousand messages go both ways on a hostile kernel [WS-1] [WS-14]") {
  exchangeOverTcp({});
  exchangeOverTcp({.compression = WebSocketCompression{.contextTakeover = false,
                                                       .peerContextTakeover = false}});
}

FIBER_TEST("many senders' messages arrive whole, each sender's in its order [WS-6]") {
  auto [a, b] = tcpPair();
  const WebSocketOptions options{.compression = WebSocketCompression{.minimum = 500}};
  WebSocket client(a, WebSocketRole::client, options);
  WebSocket server(b, WebSocketRole::server, options);
  Group senders;
  for (int sender = 0; sender < 10; ++sender) {
    senders.spawn([&client, sender] {
      for (int n = 0; n < 100; ++n) {
        client.sendText(std::string(1, static_cast<char>('a' + sender)) + std::to_string(n) + "." +
                        std::string(static_cast<std::size_t>(n * 37 % 2'000), 'x'));
      }
    });
  }

  int next[10] = {};
  for (int n = 0; n < 1'000; ++n) {
    const auto message = server.receive();
    REQUIRE(message);
    const int sender = message->data[0] - 'a';
    CHECK(std::stoi(message->data.substr(1)) == next[sender]);
    CHECK(message->data.size() - message->data.find('.') - 1 ==
          static_cast<std::size_t>(next[sender] * 37 % 2'000));
    ++next[sender];
  }

  senders.joinOrThrow();
}

}  // namespace
}  // namespace plait::http::test
