// The sending side of a WebSocket: messages become frames, and frames take turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "permessage_deflate.h"
#include "plait/detail/signal_node.h"
#include "plait/mutex.h"
#include "plait/stream.h"
#include "plait/websocket.h"
#include "utf8.h"
#include "websocket_frame.h"
#include "websocket_mask.h"

namespace plait::http::detail {

class WebSocketWriter final {
 public:
  // `stream` outlives it.
  WebSocketWriter(net::Stream& stream, WebSocketRole role,
                  const std::optional<WebSocketCompression>& compression);
  WebSocketWriter(const WebSocketWriter&) = delete;
  WebSocketWriter& operator=(const WebSocketWriter&) = delete;

  // As the calls of WebSocket.
  void sendMessage(WebSocket::Kind kind, net::Bytes message);
  void sendFragment(WebSocket::Kind kind, net::Bytes part, bool last);
  void sendPing(net::Bytes payload);
  // The next flushControl() sends a pong with the payload given last; a ping, too. Never switch.
  void queuePong(net::Bytes payload) { pong_.emplace(asText(payload)); }
  void queuePing() noexcept { pings_ = true; }
  bool hasQueued() const noexcept { return pong_.has_value() || pings_; }
  void flushControl();
  // The last frame; again does nothing. noStatus says nothing.
  void sendClose(CloseCode code, std::string_view reason);

  bool saidClose() const noexcept { return saidClose_; }
  // Those who wait for their turn, and those to come, get WebSocketClosed with `code`. Never
  // switches.
  void end(CloseCode code) noexcept;

 private:
  class MessageTurn;

  static std::string_view asText(net::Bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void takeMessageTurn();
  void passMessageTurn() noexcept;
  void requireOpen() const;
  void sendPart(FrameHeader header, net::Bytes part);
  void writeFrame(FrameHeader header, net::Bytes payload);
  void writeFrameInTurn(FrameHeader header, net::Bytes payload);
  void writeRest(const FrameHeader& header, net::Bytes payload, std::size_t done);
  void write(net::Bytes bytes);

  net::Stream& stream_;
  WebSocketRole role_;
  std::size_t compressionMinimum_;
  std::unique_ptr<Deflater> deflater_;
  std::string compressed_;  // of the message whose turn it is
  MaskKeys keys_;

  // Whose message it is. A fragmented one keeps the turn between its parts.
  bool sending_ = false;
  plait::detail::SignalQueue senders_;
  std::uint64_t fragmentsOf_ = 0;  // the fiber whose fragmented message has begun; 0: none
  WebSocket::Kind fragmentsKind_ = WebSocket::Kind::text;
  Utf8Check fragmentsText_;

  // Whose frame it is.
  Mutex frameTurn_;
  std::optional<std::string> pong_;
  bool pings_ = false;
  bool saidClose_ = false;
  bool interrupted_ = false;  // a frame was left when only a part of it was written
  bool ended_ = false;
  CloseCode endCode_ = CloseCode::abnormal;
};

}  // namespace plait::http::detail
