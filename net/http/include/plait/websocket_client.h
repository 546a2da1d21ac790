// Connecting to a WebSocket by its URL.
//
//   WebSocket socket = connectWebSocket("wss://example.org/chat");
#pragma once

#include <optional>
#include <string_view>

#include "plait/http_fields.h"
#include "plait/time.h"
#include "plait/tls.h"
#include "plait/websocket.h"

namespace plait::http {

inline constexpr Duration kWebSocketConnectTimeout = std::chrono::seconds(30);

// How it is asked for.
struct WebSocketRequest {
  Fields fields = {};                                 // more of them: Origin, Cookie, Authorization
  std::optional<net::TlsContext> tls = std::nullopt;  // for wss; none: the default for clients
  Duration timeout = kWebSocketConnectTimeout;        // until the handshake is done
};

// "ws://HOST/PATH" or "wss://...", with user and password if need be. Redirects are not followed.
// May switch. Throws: HttpError with the status if the server answers with another than 101;
// WebSocketError if its 101 is wrong; TimeoutError; Error for another URL; std::invalid_argument
// for fields that are the handshake's own; as net::connect and net::connectTls.
WebSocket connectWebSocket(std::string_view url, WebSocketOptions options = WebSocketOptions(),
                           WebSocketRequest request = WebSocketRequest());

}  // namespace plait::http
