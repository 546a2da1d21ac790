#include "plait/websocket.h"

#include <stdexcept>
#include <utility>

#include "websocket_options.h"
#include "websocket_state.h"

namespace plait::http {

void detail::requireSense(const WebSocketOptions& options) {
  if (options.pingInterval <= Duration::zero()) {
    throw std::invalid_argument("WebSocket: a pingInterval is above 0; kForever is for none");
  }
  if (!options.compression) return;
  const WebSocketCompression& compression = *options.compression;
  // zlib cannot compress with a window of 8 bits.
  if (compression.windowBits < 9 || compression.windowBits > 15 || compression.peerWindowBits < 8 ||
      compression.peerWindowBits > 15) {
    throw std::invalid_argument(
        "WebSocket: windowBits is from 9 to 15, peerWindowBits from 8 to 15");
  }
  if (compression.level < 1 || compression.level > 9) {
    throw std::invalid_argument("WebSocket: the level of compression is from 1 to 9");
  }
}

namespace {

detail::WebSocketState& opened(const std::unique_ptr<detail::WebSocketState>& state) {
  if (state) return *state;
  throw WebSocketClosed(CloseCode::abnormal, "using a WebSocket that was never opened");
}

}  // namespace

WebSocketError::WebSocketError(CloseCode closeCode, std::string message)
    : Error(std::errc::protocol_error, std::move(message)), closeCode_(closeCode) {}

WebSocketClosed::WebSocketClosed(CloseCode closeCode, std::string message)
    : ConnectionClosed(std::errc::connection_aborted, std::move(message)), closeCode_(closeCode) {}

WebSocket::WebSocket() noexcept = default;

WebSocket::WebSocket(std::unique_ptr<net::Stream> stream, WebSocketRole role,
                     WebSocketOptions agreed, std::string protocol, std::string received) {
  detail::requireSense(agreed);
  net::Stream& below = *stream;
  state_ = std::make_unique<detail::WebSocketState>(
      std::move(stream), below, role, std::move(agreed), std::move(protocol), received);
}

WebSocket::WebSocket(net::Stream& stream, WebSocketRole role, WebSocketOptions agreed,
                     std::string protocol, std::string received) {
  detail::requireSense(agreed);
  state_ = std::make_unique<detail::WebSocketState>(nullptr, stream, role, std::move(agreed),
                                                    std::move(protocol), received);
}

WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&&) noexcept = default;
WebSocket::~WebSocket() = default;

std::optional<WebSocket::Message> WebSocket::receive() {
  std::optional<Message> message(std::in_place);
  if (!receive(*message)) message.reset();
  return message;
}

bool WebSocket::receive(Message& into) { return opened(state_).receive(into); }

std::optional<WebSocket::Piece> WebSocket::receiveSome(net::MutableBytes into) {
  return opened(state_).receiveSome(into);
}

void WebSocket::sendText(std::string_view text) {
  opened(state_).send(Kind::text, net::asBytes(text));
}

void WebSocket::sendBinary(net::Bytes bytes) { opened(state_).send(Kind::binary, bytes); }

void WebSocket::sendFragment(Kind kind, net::Bytes part, bool last) {
  opened(state_).sendFragment(kind, part, last);
}

void WebSocket::ping(std::string_view payload) { opened(state_).ping(net::asBytes(payload)); }

bool WebSocket::close(CloseCode code, std::string_view reason) {
  return state_ && state_->close(code, reason);
}

bool WebSocket::isOpen() const noexcept { return state_ && state_->isOpen(); }

CloseCode WebSocket::closeCode() const noexcept {
  return state_ ? state_->closeCode() : CloseCode::abnormal;
}

std::string WebSocket::closeReason() const {
  return state_ ? state_->closeReason() : std::string();
}

const std::string& WebSocket::protocol() const noexcept {
  static const std::string kNone;
  return state_ ? state_->protocol() : kNone;
}

bool WebSocket::isCompressed() const noexcept { return state_ && state_->isCompressed(); }

std::string WebSocket::describe() const {
  return state_ ? state_->describe() : "a closed websocket";
}

net::Stream& WebSocket::below() { return opened(state_).below(); }

}  // namespace plait::http
