// What a WebSocket is behind its handle: a reader, a writer, and who says close when.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "plait/detail/occupancy.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/stream.h"
#include "plait/websocket.h"
#include "websocket_reader.h"
#include "websocket_writer.h"

namespace plait::http::detail {

class WebSocketState final : private WebSocketReader::Control {
 public:
  // `owned` may be null: `stream` is lent then.
  WebSocketState(std::unique_ptr<net::Stream> owned, net::Stream& stream, WebSocketRole role,
                 WebSocketOptions options, std::string protocol, std::string_view received);
  WebSocketState(const WebSocketState&) = delete;
  WebSocketState& operator=(const WebSocketState&) = delete;
  ~WebSocketState();

  bool receive(WebSocket::Message& into);
  std::optional<WebSocket::Piece> receiveSome(net::MutableBytes into);
  void send(WebSocket::Kind kind, net::Bytes message);
  void sendFragment(WebSocket::Kind kind, net::Bytes part, bool last);
  void ping(net::Bytes payload);
  bool close(CloseCode code, std::string_view reason);

  bool isOpen() const noexcept;
  CloseCode closeCode() const noexcept { return peerSaid_ ? peerSaid_->code : CloseCode::abnormal; }
  std::string closeReason() const { return peerSaid_ ? peerSaid_->reason : std::string(); }
  const std::string& protocol() const noexcept { return protocol_; }
  bool isCompressed() const noexcept { return options_.compression.has_value(); }
  std::string describe() const { return "websocket over " + stream_.describe(); }
  net::Stream& below() noexcept { return stream_; }

 private:
  class Receiving;

  void onPing(net::Bytes payload) override;
  void onClose(CloseFrame frame) override { peerSaid_ = std::move(frame); }

  template <class F>
  bool receiveWith(F read);
  template <class F>
  bool readOrFail(F read);
  bool mayReceive() const;
  void fail(const WebSocketError& error);
  void sayClose(CloseCode code, std::string_view reason);

  void shakeHands(CloseCode code, std::string_view reason);
  void dropUntilClose();
  void linger();
  void end(CloseCode code) noexcept;

  void flushInBackground();
  void keepAlive();
  bool isSilent(std::uint64_t asked) const noexcept;

  std::unique_ptr<net::Stream> owned_;
  net::Stream& stream_;
  WebSocketOptions options_;
  std::string protocol_;
  WebSocketWriter writer_;
  WebSocketReader reader_;

  bool receiving_ = false;
  Event receiverLeft_;
  std::optional<CloseFrame> peerSaid_;
  std::exception_ptr failure_;  // what ended the receiving

  bool closing_ = false;  // close() was called here
  Event closed_;          // and has done its work
  bool flushing_ = false;
  net::detail::Occupancy inside_;
  Group background_;
};

}  // namespace plait::http::detail
