// connectWebSocket, against servers that are written here.

#include <functional>
#include <string>

#include "base64.h"
#include "plait/buffered_stream.h"
#include "plait/http_error.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "plait/websocket_client.h"
#include "websocket_handshake.h"
#include "websocket_support.h"

namespace plait::http::test {
namespace {

using namespace std::chrono_literals;

// Accepts one connection, reads a request, and sends what `answer` makes of it; then `after`.
class OneAnswer final {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit OneAnswer(Answer answer, std::function<void(net::Stream&)> after = {})
      : listener_(net::listen("tcp:127.0.0.1:0")),
        serving_(spawn([this, answer = std::move(answer), after = std::move(after)] {
          net::BufferedStream stream(listener_.accept());
          request_ = stream.readUntil("\r\n\r\n").value_or("") + "\r\n";
          stream.writeAll(answer(request_));
          if (after) after(stream);
          stream.close();
        })) {}
  ~OneAnswer() { serving_.kill(); }

  std::string url(std::string_view path = "/chat?a=b") const {
    return "ws://" + listener_.address().toString() + std::string(path);
  }
  const std::string& request() const { return request_; }
  std::string field(const std::string& name) const {
    const std::size_t at = request_.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 4;
    return request_.substr(begin, request_.find("\r\n", begin) - begin);
  }

 private:
  net::Listener listener_;
  std::string request_;
  Greenlet<void> serving_;
};

std::string keyIn(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t at = request.find(name) + name.size();
  return request.substr(at, request.find("\r\n", at) - at);
}

std::string good(const std::string& request, const std::string& more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         detail::acceptOf(keyIn(request)) + "\r\n" + more + "\r\n";
}

FIBER_TEST("a client asks as the RFC says, and what came behind the answer is received [WS-20]") {
  OneAnswer server([](const std::string& request) {
    return "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good(request) +
           encode({.payload = "welcome", .masked = false});
  });

  WebSocket socket = connectWebSocket(server.url());

  CHECK(socket.receive()->data == "welcome");
  CHECK(server.request().starts_with("GET /chat?a=b HTTP/1.1\r\n"));
  CHECK("ws://" + server.field("Host") + "/chat?a=b" == server.url());
  CHECK(server.field("Upgrade") == "websocket");
  CHECK(server.field("Connection") == "Upgrade");
  CHECK(server.field("Sec-WebSocket-Version") == "13");
  CHECK(detail::fromBase64(server.field("Sec-WebSocket-Key")).value().size() == 16);
  CHECK(server.field("Sec-WebSocket-Protocol").empty());
  CHECK(server.field("Sec-WebSocket-Extensions").empty());
  CHECK(server.field("Origin").empty());
}

FIBER_TEST("a client says what it was told to, and takes what was agreed on [WS-20]") {
  OneAnswer server(
      [](const std::string& request) {
        return good(request,
                    "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Extensions: "
                    "permessage-deflate; client_no_context_takeover\r\n");
      },
      [](net::Stream& stream) {
        const RawFrame frame = readFrame(stream);
        CHECK(frame.reserved == 4);
        stream.writeAll(encode({.opcode = 8, .masked = false}));
        readFrame(stream);
      });

  WebSocket socket = connectWebSocket(
      "ws://Aladdin:open%20sesame@" + server.url("").substr(5),
      {.compression = WebSocketCompression{.minimum = 0}, .protocols = {"v2", "v1"}},
      {.fields = {{"Origin", "https://example.org"}, {"Cookie", "a=b"}}});
  socket.sendText("compressed");

  CHECK_FALSE(socket.receive());
  CHECK(socket.protocol() == "v1");
  CHECK(socket.isCompressed());
  CHECK(server.field("Sec-WebSocket-Protocol") == "v2, v1");
  CHECK(server.field("Sec-WebSocket-Extensions") == "permessage-deflate; client_max_window_bits");
  CHECK(server.field("Authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(server.field("Origin") == "https://example.org");
  CHECK(server.field("Cookie") == "a=b");
}

FIBER_TEST("an answer that is not 101 is an HttpError with its status [WS-20]") {
  for (const int status : {200, 302, 403, 404, 426, 503}) {
    OneAnswer server([status](const std::string&) {
      return "HTTP/1.1 " + std::to_string(status) +
             " No\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n";
    });

    try {
      connectWebSocket(server.url());
      FAIL_CHECK("it was taken");
    } catch (const HttpError& error) {
      CHECK(error.status() == status);
    }
  }
}

FIBER_TEST("a 101 that is not what it has to be is refused [WS-20]") {
  using Change = std::function<std::string(std::string)>;
  const auto without = [](std::string what, std::string with) -> Change {
    return
        [what, with](std::string text) { return text.replace(text.find(what), what.size(), with); };
  };
  const std::pair<const char*, Change> cases[] = {
      {"no Upgrade", without("Upgrade: websocket\r\n", "")},
      {"another Upgrade", without("Upgrade: websocket", "Upgrade: h2c")},
      {"no Connection", without("Connection: Upgrade\r\n", "")},
      {"another Connection", without("Connection: Upgrade", "Connection: close")},
      {"no accept", without("Sec-WebSocket-Accept", "X-Accept")},
      {"a wrong accept", without("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x")},
      {"two accepts", without("\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n")},
      {"a protocol unasked", without("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v9\r\n\r\n")},
      {"an empty protocol", without("\r\n\r\n", "\r\nSec-WebSocket-Protocol:\r\n\r\n")},
      {"two protocols",
       without("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v1\r\n\r\n")},
      {"an extension", without("\r\n\r\n", "\r\nSec-WebSocket-Extensions: foo\r\n\r\n")},
      {"bad extensions", without("\r\n\r\n", "\r\nSec-WebSocket-Extensions: a b\r\n\r\n")},
      {"compression unasked",
       without("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")},
  };
  for (const auto& [what, change] : cases) {
    CAPTURE(what);
    OneAnswer server([&change](const std::string& request) { return change(good(request)); });

    CHECK(closeCodeOf<WebSocketError>([&server] {
            connectWebSocket(server.url(), {.protocols = {"v1"}});
          }) == CloseCode::protocolError);
  }
}

FIBER_TEST("a server that says nothing, or goes, is an error [WS-20]") {
  OneAnswer silent([](const std::string&) -> std::string {
    sleep(1h);
    return "";
  });
  CHECK_THROWS_AS(connectWebSocket(silent.url(), {}, {.timeout = 10ms}), TimeoutError);

  OneAnswer gone([](const std::string&) { return std::string(); });
  CHECK_THROWS_AS(connectWebSocket(gone.url()), ConnectionClosed);

  OneAnswer half([](const std::string&) { return std::string("HTTP/1.1 101 Swit"); });
  CHECK_THROWS_AS(connectWebSocket(half.url()), ConnectionClosed);

  OneAnswer other([](const std::string&) { return std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"); });
  CHECK_THROWS_AS(connectWebSocket(other.url()), HttpError);
}

FIBER_TEST("a connecting client that is killed leaves nothing behind [WS-20]") {
  OneAnswer silent([](const std::string&) -> std::string {
    sleep(1h);
    return "";
  });
  auto client = spawn([&silent] { connectWebSocket(silent.url()); });
  while (silent.request().empty()) yield();

  client.kill();

  CHECK(client.isKilled());
}

FIBER_TEST("what cannot be asked for is refused before anything is sent [WS-20]") {
  CHECK_THROWS_AS(connectWebSocket("http://127.0.0.1:1/"), Error);
  CHECK_THROWS_AS(connectWebSocket("127.0.0.1"), Error);
  for (const char* name :
       {"Host", "upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "sec-websocket-protocol", "Sec-WebSocket-Extensions"}) {
    CHECK_THROWS_AS(connectWebSocket("ws://127.0.0.1:1/", {}, {.fields = {{name, "x"}}}),
                    std::invalid_argument);
  }
}

}  // namespace
}  // namespace plait::http::test
