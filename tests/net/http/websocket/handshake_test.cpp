// The server's side of the handshake, without a server.

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "websocket_handshake.h"

namespace plait::http::detail {
namespace {

// RFC 6455's own.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

Fields goodFields() {
  return {{"Host", "example.org:8080"},
          {"Upgrade", "WebSocket"},
          {"Connection", "keep-alive, Upgrade"},
          {"Sec-WebSocket-Key", kKey},
          {"Sec-WebSocket-Version", "13"}};
}

HandshakeAnswer answer(const Fields& fields, const WebSocketOptions& options = {}) {
  return answerHandshake({.method = "GET", .fields = fields}, options);
}

TEST_CASE("the handshake of the RFC is answered as the RFC does [WS-16] [WS-17]") {
  const HandshakeAnswer result = answer(goodFields());

  CHECK(result.status == 101);
  CHECK(result.fields.get("Sec-WebSocket-Accept") == kAccept);
  CHECK(result.fields.get("Upgrade") == "websocket");
  CHECK(result.fields.get("Connection") == "Upgrade");
  CHECK_FALSE(result.fields.has("Sec-WebSocket-Protocol"));
  CHECK_FALSE(result.fields.has("Sec-WebSocket-Extensions"));
  CHECK_FALSE(result.agreed.compression.has_value());
}

TEST_CASE("a request that is no handshake gets the status that says why [WS-17]") {
  struct Case {
    const char* what;
    std::function<void(Fields&)> change;
    int status;
  };
  const Case cases[] = {
      {"no Upgrade", [](Fields& f) { f.remove("Upgrade"); }, 426},
      {"another Upgrade", [](Fields& f) { f.set("Upgrade", "h2c"); }, 426},
      {"no Connection", [](Fields& f) { f.remove("Connection"); }, 426},
      {"a Connection without it", [](Fields& f) { f.set("Connection", "keep-alive"); }, 426},
      {"no version", [](Fields& f) { f.remove("Sec-WebSocket-Version"); }, 426},
      {"an old version", [](Fields& f) { f.set("Sec-WebSocket-Version", "8"); }, 426},
      {"two versions", [](Fields& f) { f.add("Sec-WebSocket-Version", "13"); }, 426},
      {"no key", [](Fields& f) { f.remove("Sec-WebSocket-Key"); }, 400},
      {"a short key", [](Fields& f) { f.set("Sec-WebSocket-Key", "c2hvcnQ="); }, 400},
      {"a key that is none", [](Fields& f) { f.set("Sec-WebSocket-Key", "!"); }, 400},
      {"two keys", [](Fields& f) { f.add("Sec-WebSocket-Key", kKey); }, 400},
      {"bad extensions", [](Fields& f) { f.add("Sec-WebSocket-Extensions", "a b"); }, 400},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    Fields fields = goodFields();
    each.change(fields);

    const HandshakeAnswer result = answer(fields);

    CHECK(result.status == each.status);
    CHECK_FALSE(result.reason.empty());
  }
  Fields old = goodFields();
  old.set("Sec-WebSocket-Version", "8");
  CHECK(answer(old).fields.get("Sec-WebSocket-Version") == "13");

  const Fields good = goodFields();
  CHECK(answerHandshake({.method = "POST", .fields = good}, {}).status == 405);
  CHECK(answerHandshake({.method = "GET", .version = 10, .fields = good}, {}).status == 400);
  CHECK(answerHandshake({.method = "GET", .hasBody = true, .fields = good}, {}).status == 400);
}

TEST_CASE("pages may connect to their own host, or as the options say [WS-19]") {
  const auto status = [](std::string_view origin, const WebSocketOptions& options) {
    Fields fields = goodFields();
    fields.add("Origin", origin);
    return answer(fields, options).status;
  };

  CHECK(status("http://example.org:8080", {}) == 101);
  CHECK(status("http://EXAMPLE.org:8080", {}) == 101);
  CHECK(status("http://example.org", {}) == 403);
  CHECK(status("http://evil.example.org:8080", {}) == 403);
  CHECK(status("http://example.org:8080.evil.org", {}) == 403);
  CHECK(status("null", {}) == 403);
  CHECK(status("", {}) == 403);
  const WebSocketOptions named{.origins = {"https://a.org", "https://b.org"}};
  CHECK(status("https://b.org", named) == 101);
  CHECK(status("https://b.org.evil.org", named) == 403);
  CHECK(status("http://example.org:8080", named) == 403);
  CHECK(status("null", {.origins = {"*"}}) == 101);
  CHECK(answer(goodFields(), named).status == 101);
}

TEST_CASE("the default port of a host may be said or not [WS-19]") {
  Fields fields = goodFields();
  fields.set("Host", "example.org:443");
  fields.add("Origin", "https://example.org");

  CHECK(answer(fields).status == 101);
}

TEST_CASE("a server chooses the subprotocol that it prefers of those asked for [WS-19]") {
  Fields fields = goodFields();
  fields.add("Sec-WebSocket-Protocol", "chat.v1, chat.v2");
  fields.add("Sec-WebSocket-Protocol", "superchat");
  const auto chosen = [&fields](std::vector<std::string> spoken) {
    WebSocketOptions options;
    options.protocols = std::move(spoken);
    const HandshakeAnswer result = answer(fields, options);
    CHECK(result.protocol == result.fields.get("Sec-WebSocket-Protocol"));
    return result.protocol;
  };

  CHECK(chosen({"chat.v2", "chat.v1"}) == "chat.v2");
  CHECK(chosen({"other", "superchat"}) == "superchat");
  CHECK(chosen({"CHAT.V1"}).empty());
  CHECK(chosen({}).empty());
}

TEST_CASE("compression is agreed on if both want it [WS-18]") {
  Fields fields = goodFields();
  const WebSocketOptions wants{.compression = WebSocketCompression()};
  CHECK_FALSE(answer(fields, wants).agreed.compression.has_value());
  CHECK_FALSE(answer(fields, wants).fields.has("Sec-WebSocket-Extensions"));

  fields.add("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=12");

  CHECK_FALSE(answer(fields).agreed.compression.has_value());
  const HandshakeAnswer result = answer(fields, wants);
  CHECK(result.agreed.compression->windowBits == 12);
  CHECK(result.fields.get("Sec-WebSocket-Extensions") ==
        "permessage-deflate; server_max_window_bits=12");
}

}  // namespace
}  // namespace plait::http::detail
