#include "plait/websocket_server.h"

#include <memory>
#include <string>

#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/report.h"
#include "websocket_handshake.h"
#include "websocket_options.h"

namespace plait::http {
namespace {

using Talk = std::function<void(WebSocket&, Request&)>;

// What all connections of a route have in common.
struct Shared {
  Talk talk;
  WebSocketOptions options;
};

void talkAndClose(const Talk& talk, WebSocket& socket, Request& request) {
  CloseCode code = CloseCode::normal;
  try {
    talk(socket, request);
  } catch (const WebSocketError&) {
    // The peer has been told.
  } catch (const ConnectionClosed&) {
  } catch (const TimeoutError&) {
  } catch (const Cancellation&) {
    const CancelShield shield;
    socket.close(CloseCode::goingAway);
    throw;
  } catch (...) {
    reportError("the handler of a WebSocket at " + std::string(request.target()),
                std::current_exception());
    code = CloseCode::internalError;
  }
  socket.close(code);
}

Response refusal(const detail::HandshakeAnswer& answer) {
  Response response = Response::text(answer.reason + "\n", answer.status);
  for (const Field each : answer.fields) response.fields().add(each.name, each.value);
  return response;
}

}  // namespace

Handler webSocket(Talk talk, WebSocketOptions options) {
  detail::requireSense(options);
  // Handlers are copied, and many connections run one at once.
  const auto shared = std::make_shared<const Shared>(Shared{std::move(talk), std::move(options)});
  return [shared](Request& request) {
    detail::HandshakeAnswer answer = detail::answerHandshake(
        {request.method(), request.version(), request.hasBody(), request.fields()},
        shared->options);
    if (answer.status != 101) return refusal(answer);
    Fields fields = answer.fields;
    return Response::upgrade(
        std::move(fields), [shared, &request, answer = std::move(answer)](net::Stream& stream) {
          WebSocket socket(stream, WebSocketRole::server, answer.agreed, answer.protocol);
          talkAndClose(shared->talk, socket, request);
        });
  };
}

}  // namespace plait::http
