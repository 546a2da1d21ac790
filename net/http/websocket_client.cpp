#include "plait/websocket_client.h"

#include <memory>
#include <utility>

#include "message_reader.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "plait/url.h"
#include "websocket_handshake.h"
#include "websocket_options.h"

namespace plait::http {
namespace {

std::unique_ptr<net::Stream> openStream(const Url& url, const WebSocketRequest& request) {
  if (!url.isSecure()) return std::make_unique<net::TcpStream>(net::connect(url.endpoint()));
  net::TlsOptions options;
  options.serverName = url.host;
  return std::make_unique<net::TlsStream>(net::connectTls(
      url.endpoint(), request.tls ? *request.tls : net::defaultTlsContext(), options));
}

// Reads up to the answer that counts: 100 and 103 say only that it takes longer.
void readAnswer(detail::MessageReader& reader, const Url& url, detail::Head& into) {
  do {
    if (!reader.readHead(into)) {
      throw ConnectionClosed(std::errc::connection_aborted,
                             "connecting to " + url.toString() +
                                 ": the server has closed the connection without an answer");
    }
  } while (into.status < 200 && into.status != 101);
}

}  // namespace

WebSocket connectWebSocket(std::string_view url, WebSocketOptions options,
                           WebSocketRequest request) {
  const Url parsed = Url::parse(url);
  if (parsed.scheme != "ws" && parsed.scheme != "wss") {
    throw Error(std::errc::invalid_argument, "connecting to " + parsed.toString() +
                                                 ": a WebSocket's URL begins with ws: or wss:");
  }
  detail::requireSense(options);
  return withTimeout(request.timeout, [&parsed, &options, &request] {
    const std::string key = detail::newWebSocketKey();
    const std::string lines = detail::handshakeRequest(parsed, key, options, request.fields);
    std::unique_ptr<net::Stream> stream = openStream(parsed, request);
    stream->writeAll(lines);
    detail::Head answer;
    std::string behind;
    {
      detail::MessageReader reader(*stream, detail::MessageReader::Kind::response, Limits());
      readAnswer(reader, parsed, answer);
      behind = reader.takeBuffered();
    }
    detail::HandshakeResult result = detail::checkHandshake(parsed, key, answer, options);
    return WebSocket(std::move(stream), WebSocketRole::client, std::move(result.agreed),
                     std::move(result.protocol), std::move(behind));
  });
}

}  // namespace plait::http
