// The receiving side of a WebSocket: bytes become frames, and frames messages. Strict: what the
// RFC forbids is refused as soon as it is certain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "permessage_deflate.h"
#include "plait/stream.h"
#include "plait/websocket.h"
#include "utf8.h"
#include "websocket_frame.h"

namespace plait::http::detail {

class WebSocketReader final {
 public:
  // Told of the frames between those of messages; its calls never switch.
  class Control {
   public:
    virtual void onPing(net::Bytes payload) = 0;
    virtual void onClose(CloseFrame frame) = 0;

   protected:
    ~Control() = default;
  };

  // `stream` and `control` outlive it; `received` is what came before.
  WebSocketReader(net::Stream& stream, WebSocketRole role, const WebSocketOptions& options,
                  std::string_view received, Control& control);
  WebSocketReader(const WebSocketReader&) = delete;
  WebSocketReader& operator=(const WebSocketReader&) = delete;

  // As the calls of WebSocket; nothing after a close frame. Whatever they throw, all that was read
  // is kept for the next call, but for a WebSocketError, which is the end.
  bool receive(WebSocket::Message& into);
  std::optional<WebSocket::Piece> receiveSome(net::MutableBytes into);

  // How often the stream was asked for bytes, and how often it has answered.
  std::uint64_t asked() const noexcept { return asked_; }
  std::uint64_t answered() const noexcept { return answered_; }

 private:
  bool advance();
  bool readHeader(FrameHeader& header);
  void handleControl(const FrameHeader& header, net::MutableBytes payload);
  void beginData(const FrameHeader& header);
  bool isAtMessageEnd() const noexcept;
  std::size_t readMore(net::MutableBytes into);
  std::size_t copyMore(net::MutableBytes into);
  std::size_t inflateMore(net::MutableBytes into);
  void checkText(net::Bytes bytes, bool last);
  net::MutableBytes roomForMore();
  void endMessage();

  net::MutableBytes buffered() noexcept { return {input_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t count) noexcept;
  void fill(std::size_t atLeast);
  std::size_t readStream(net::MutableBytes into);

  net::Stream& stream_;
  Control& control_;
  WebSocketRole role_;
  std::size_t messageMax_;
  std::size_t frameMax_;
  std::unique_ptr<Inflater> inflater_;

  std::vector<std::byte> input_;
  std::size_t begin_ = 0;  // of what is in it
  std::size_t end_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;

  FrameHeader frame_;         // of data, the last one that began
  std::uint64_t left_ = 0;    // bytes of its payload that were not read
  std::size_t unmasked_ = 0;  // how many of those in the buffer are not masked any more
  bool inMessage_ = false;
  bool isPacked_ = false;    // some of its frames had a payload
  bool isInflated_ = false;  // all of the message has come out of the inflater
  bool messageCompressed_ = false;
  WebSocket::Kind kind_ = WebSocket::Kind::text;
  Utf8Check text_;

  std::string assembled_;   // receive()'s message
  std::size_t filled_ = 0;  // bytes of it
};

}  // namespace plait::http::detail
