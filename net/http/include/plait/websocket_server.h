// Serving WebSockets: a handler for a route of an App.
//
//   app.route("GET", "/echo", webSocket([](WebSocket& socket) {
//     while (auto message = socket.receive()) socket.sendText(message->data);
//   }));
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <utility>

#include "plait/http_app.h"
#include "plait/http_request.h"
#include "plait/websocket.h"

namespace plait::http {

// Answers the handshake, or says with 400, 403, 405 or 426 why not; then `talk` has the socket, on
// the connection's fiber, and the request, for as long as it likes. When it returns the socket is
// closed (1000). Out of an exception, too: the peer's misbehaviour and going (WebSocketError,
// ConnectionClosed, TimeoutError) end there, anything else is reported and closed with 1011; a
// kill, as by the end of the server, with 1001. Throws: std::invalid_argument for options that make
// no sense.
Handler webSocket(std::function<void(WebSocket&, Request&)> talk,
                  WebSocketOptions options = WebSocketOptions());

template <std::invocable<WebSocket&> F>
Handler webSocket(F talk, WebSocketOptions options = WebSocketOptions()) {
  // Shared by the connections, as the route's handler is.
  return webSocket(std::function<void(WebSocket&, Request&)>(
                       [shared = std::make_shared<F>(std::move(talk))](
                           WebSocket& socket, Request&) { std::invoke(*shared, socket); }),
                   std::move(options));
}

}  // namespace plait::http
