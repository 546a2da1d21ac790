// http::webSocket on a real server, with real clients.

#include <algorithm>
#include <string>
#include <vector>

#include "certificates.h"
#include "plait/group.h"
#include "plait/http_server.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "plait/websocket_client.h"
#include "plait/websocket_server.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;
using plait::test::ExpectedErrors;

void echo(WebSocket& socket) {
  while (auto message = socket.receive()) {
    if (message->isText()) {
      socket.sendText(message->data);
    } else {
      socket.sendBinary(message->bytes());
    }
  }
}

// A server with one route, "/<room>".
class Serving final {
 public:
  explicit Serving(Handler handler) : server_("tcp:127.0.0.1:0", appOf(std::move(handler))) {
    server_.start();
  }

  std::string url(std::string_view path = "/room") const {
    return "ws://" + server_.address().toString() + std::string(path);
  }
  net::TcpStream connect() const { return net::connect(server_.address()); }
  void stop() { server_.stop(); }

 private:
  static App appOf(Handler handler) {
    App app;
    app.route("GET", "/<room>", std::move(handler));
    return app;
  }
  Server server_;
};

std::string handshake(std::string_view more = "") {
  return "GET /room HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(more) + "\r\n";
}

// Status line and fields.
std::string readHead(net::Stream& stream) {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    const std::string next = readBytes(stream, 1);
    if (next.empty()) break;
    head += next;
  }
  return head;
}

FIBER_TEST("a route speaks WebSocket with a client, plain and compressed [WS-17] [WS-18]") {
  for (const bool compresses : {false, true}) {
    WebSocketOptions options;
    if (compresses) options.compression = WebSocketCompression{.minimum = 10};
    Serving serving(webSocket(echo, options));
    WebSocket socket = connectWebSocket(serving.url(), options);
    const std::string big(100'000, 'b');

    socket.sendText("h\xC3\xA9llo");
    CHECK(socket.receive()->data == "h\xC3\xA9llo");
    socket.sendBinary(big);
    CHECK(socket.receive()->data == big);

    CHECK(socket.isCompressed() == compresses);
    CHECK(socket.close());
  }
}

FIBER_TEST("a handler sees the request, and which subprotocol was chosen [WS-19]") {
  Serving serving(webSocket(
      [](WebSocket& socket, Request& request) {
        socket.sendText(std::string(request.parameter("room")) + " " +
                        std::string(request.field("X-Who")) + " " + socket.protocol());
      },
      {.protocols = {"v2", "v1"}}));

  WebSocket socket = connectWebSocket(serving.url("/kitchen"), {.protocols = {"v1"}},
                                      {.fields = {{"X-Who", "me"}}});

  CHECK(socket.receive()->data == "kitchen me v1");
  CHECK(socket.protocol() == "v1");
  // It has returned.
  CHECK_FALSE(socket.receive());
  CHECK(socket.closeCode() == CloseCode::normal);
}

FIBER_TEST("frames that come together with the handshake are received [WS-1] [WS-17]") {
  Serving serving(webSocket(echo));
  net::TcpStream client = serving.connect();

  client.writeAll(handshake() + encode({.payload = "early"}) + encode({.payload = "bird"}));

  const std::string head = readHead(client);
  CHECK(head.starts_with("HTTP/1.1 101 "));
  CHECK(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != std::string::npos);
  CHECK(head.find("Upgrade: websocket\r\n") != std::string::npos);
  CHECK(head.find("Connection: Upgrade\r\n") != std::string::npos);
  CHECK(head.find("Content-Length") == std::string::npos);
  CHECK(readFrame(client).payload == "early");
  CHECK(readFrame(client).payload == "bird");
}

FIBER_TEST("what is no handshake gets an answer, and the connection stays of use [WS-17]") {
  Serving serving(webSocket(echo));
  net::TcpStream client = serving.connect();
  client.writeAll("GET /room HTTP/1.1\r\nHost: here\r\n\r\n");
  std::string head = readHead(client);
  CHECK(head.starts_with("HTTP/1.1 426 "));
  CHECK(head.find("Upgrade: websocket\r\n") != std::string::npos);
  const std::size_t at = head.find("Content-Length: ") + 16;
  readBytes(client, static_cast<std::size_t>(std::stoi(head.substr(at))));

  client.writeAll(handshake());
  CHECK(readHead(client).starts_with("HTTP/1.1 101 "));

  net::TcpStream page = serving.connect();
  page.writeAll(handshake("Origin: https://elsewhere.org\r\n"));
  CHECK(readHead(page).starts_with("HTTP/1.1 403 "));
}

FIBER_TEST("a client that breaks the protocol is told so, and nothing is reported [WS-2]") {
  Serving serving(webSocket(echo));
  net::TcpStream client = serving.connect();
  client.writeAll(handshake() + encode({.payload = "x", .masked = false}));
  readHead(client);

  CHECK(codeOf(readFrame(client)) == 1002);
  CHECK(readBytes(client, 1).empty());
}

FIBER_TEST("a client that goes without a word is no error of the server's [WS-12]") {
  Serving serving(webSocket(echo));
  for (const bool resets : {false, true}) {
    net::TcpStream client = serving.connect();
    client.writeAll(handshake());
    readHead(client);
    client.setResetOnClose(resets);
    client.close();
  }

  WebSocket socket = connectWebSocket(serving.url());
  socket.sendText("still serving");
  CHECK(socket.receive()->data == "still serving");
  socket.close();
}

FIBER_TEST("what a handler throws is reported, and the peer is told 1011 [WS-10]") {
  ExpectedErrors expected;
  Serving serving(webSocket([](WebSocket&) { throw std::runtime_error("out of biscuits"); }));
  WebSocket socket = connectWebSocket(serving.url());

  CHECK_FALSE(socket.receive());

  CHECK(socket.closeCode() == CloseCode::internalError);
  CHECK(expected.take().at(0).find("out of biscuits") != std::string::npos);
}

FIBER_TEST("clients are told that the server goes away [WS-10]") {
  ExpectedErrors expected;
  App app;
  app.route("GET", "/", webSocket(echo));
  Server server("tcp:127.0.0.1:0", app, {.stopGrace = 1ms});
  server.start();
  WebSocket socket = connectWebSocket("ws://" + server.address().toString());
  auto client = spawn([&socket] {
    const bool isMessage = socket.receive().has_value();
    socket.close();
    return isMessage;
  });
  plait::test::settle();

  server.stop();

  CHECK_FALSE(client.get());
  CHECK(socket.closeCode() == CloseCode::goingAway);
}

FIBER_TEST("what one client says is sent to all by its fiber [WS-6]") {
  std::vector<WebSocket*> present;
  Serving serving(webSocket([&present](WebSocket& mine) {
    present.push_back(&mine);
    while (auto message = mine.receive()) {
      for (WebSocket* each : std::vector<WebSocket*>(present)) each->sendText(message->data);
    }
    std::erase(present, &mine);
  }));
  static constexpr std::size_t kClients = 10;
  std::vector<WebSocket> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(connectWebSocket(serving.url()));
  while (present.size() < kClients) sleep(1ms);
  Group all;
  for (std::size_t i = 0; i < kClients; ++i) {
    all.spawn([&clients, i] {
      for (int n = 0; n < 20; ++n) clients[i].sendText(std::to_string(i));
      std::vector<int> heard(kClients);
      for (std::size_t n = 0; n < 20 * kClients; ++n) {
        ++heard.at(std::stoul(clients[i].receive()->data));
      }
      CHECK(std::count(heard.begin(), heard.end(), 20) == kClients);
    });
  }

  all.joinOrThrow();

  for (WebSocket& each : clients) CHECK(each.close());
}

FIBER_TEST("a socket over TLS is the same, both sides writing at once [WS-1] [WS-20]") {
  App app;
  app.route("GET", "/", webSocket(echo));
  Server server(net::StreamListener(net::listen("tcp:127.0.0.1:0"),
                                    net::TlsContext(plait::test::serverOptions())),
                app);
  server.start();
  const std::string url = "wss://127.0.0.1:" + std::to_string(server.address().port());
  CHECK_THROWS_AS(connectWebSocket(url), net::TlsError);
  WebSocket socket =
      connectWebSocket(url, {}, {.tls = net::TlsContext(plait::test::clientOptions())});
  const std::string big(200'000, 'b');
  auto sender = spawn([&socket, &big] {
    for (int i = 0; i < 20; ++i) socket.sendText(big);
  });

  for (int i = 0; i < 20; ++i) CHECK(socket.receive()->data == big);

  sender.get();
  CHECK(socket.close());
}

FIBER_TEST("options that make no sense are refused when the route is made [WS-14]") {
  CHECK_THROWS_AS(webSocket(echo, {.compression = WebSocketCompression{.level = 11}}),
                  std::invalid_argument);
}

}  // namespace
}  // namespace plait::http::test
