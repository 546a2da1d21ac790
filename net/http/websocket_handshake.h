// How a connection becomes a WebSocket (RFC 6455, 4): both sides of it, without the connection.
#pragma once

#include <string>
#include <string_view>

#include "message_reader.h"
#include "plait/http_fields.h"
#include "plait/url.h"
#include "plait/websocket.h"

namespace plait::http::detail {

// 16 random bytes in Base64.
std::string newWebSocketKey();
// What a server answers to a client's key.
std::string acceptOf(std::string_view key);

// --- server ---

struct HandshakeRequest {
  std::string_view method;
  int version = 11;
  bool hasBody = false;
  const Fields& fields;
};

struct HandshakeAnswer {
  int status = 101;
  std::string reason;  // why not, if it is another
  Fields fields;
  WebSocketOptions agreed;
  std::string protocol;
};

HandshakeAnswer answerHandshake(const HandshakeRequest& request, const WebSocketOptions& options);

// --- client ---

// The request's lines, with `more` fields. Throws: std::invalid_argument for fields that are the
// handshake's own.
std::string handshakeRequest(const Url& url, std::string_view key, const WebSocketOptions& options,
                             const Fields& more);

struct HandshakeResult {
  WebSocketOptions agreed;
  std::string protocol;
};
// What the server's answer has settled. Throws: HttpError for a status other than 101;
// WebSocketError for a 101 that is none.
HandshakeResult checkHandshake(const Url& url, std::string_view key, const Head& answer,
                               const WebSocketOptions& options);

}  // namespace plait::http::detail
