// WebSocket (RFC 6455) over any stream, with compression (RFC 7692): messages, both ways at once,
// for as long as both sides like. http::webSocket() serves them, http::connectWebSocket() opens
// them.
//
//   while (auto message = socket.receive()) socket.sendText(message->data);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/error.h"
#include "plait/stream.h"
#include "plait/time.h"

namespace plait::http {

namespace detail {
class WebSocketState;
}

inline constexpr std::size_t kWebSocketMessageMax = 16 << 20;  // bytes
inline constexpr std::size_t kWebSocketFrameMax = 16 << 20;    // bytes, as they travel
inline constexpr std::size_t kCompressionMinimum = 256;        // bytes
inline constexpr Duration kWebSocketCloseTimeout = std::chrono::seconds(5);
inline constexpr Duration kPongTimeout = std::chrono::seconds(20);

// Why a connection is closed. Programs have 4000 to 4999 for their own: CloseCode(4001).
enum class CloseCode : std::uint16_t {
  normal = 1000,
  goingAway = 1001,
  protocolError = 1002,
  unsupportedData = 1003,
  noStatus = 1005,  // the peer gave none; cannot be sent
  abnormal = 1006,  // the connection ended without a close; cannot be sent
  invalidPayload = 1007,
  policyViolation = 1008,
  tooBig = 1009,
  extensionMissing = 1010,
  internalError = 1011,
  serviceRestart = 1012,
  tryAgainLater = 1013,
  badGateway = 1014,
};

// The peer broke the protocol or a limit, or its answer to the handshake was refused.
class WebSocketError : public Error {
 public:
  WebSocketError(CloseCode closeCode, std::string message);
  // What the peer was told.
  CloseCode closeCode() const noexcept { return closeCode_; }

 private:
  CloseCode closeCode_;
};

// The connection was closed, or ended, so that nothing can be sent or received any more.
class WebSocketClosed : public ConnectionClosed {
 public:
  WebSocketClosed(CloseCode closeCode, std::string message);
  CloseCode closeCode() const noexcept { return closeCode_; }

 private:
  CloseCode closeCode_;
};

enum class WebSocketRole : bool { server, client };

// permessage-deflate. Each connection that uses it holds about 300 KiB; less with smaller windows,
// and in a handshake either side may bring them down.
struct WebSocketCompression {
  int level = 6;                              // 1 is the fastest, 9 the smallest
  std::size_t minimum = kCompressionMinimum;  // smaller messages are sent as they are
  int windowBits = 15;                        // of what is sent, 9 to 15
  int peerWindowBits = 15;                    // of what is received, 8 to 15
  // Whether a message may refer to those before it: smaller by far if they are alike.
  bool contextTakeover = true;
  bool peerContextTakeover = true;
};

struct WebSocketOptions {
  std::size_t messageMax = kWebSocketMessageMax;  // that receive() takes, once inflated
  std::size_t frameMax = kWebSocketFrameMax;
  // In a handshake: offered, or taken up if it is offered. None: not used.
  std::optional<WebSocketCompression> compression = std::nullopt;
  Duration closeTimeout = kWebSocketCloseTimeout;  // for the closing handshake
  // A peer that was not heard of for so long is sent a ping; kForever: never. Pongs are noticed
  // while somebody receives.
  Duration pingInterval = kForever;
  Duration pongTimeout = kPongTimeout;  // then the connection is ended
  // The subprotocols that are spoken, the preferred one first.
  std::vector<std::string> protocols = {};
  // Server: which pages may connect, as "https://example.org"; "*": any. Empty: those of the host
  // that the request names. Programs that send no Origin are not asked.
  std::vector<std::string> origins = {};
};

// One fiber may receive while any number send. A handle; it belongs to its loop's thread.
class WebSocket final {
 public:
  enum class Kind : std::uint8_t { text, binary };

  struct Message {
    Kind kind = Kind::text;
    std::string data;

    bool isText() const noexcept { return kind == Kind::text; }
    net::Bytes bytes() const noexcept { return net::asBytes(data); }
  };

  // A part of a message, as receiveSome() gives it.
  struct Piece {
    Kind kind = Kind::text;
    std::size_t size = 0;  // bytes
    bool last = false;     // of its message
  };

  WebSocket() noexcept;  // closed
  // A connection whose handshake is done: `agreed` is what it has settled, `received` what came
  // behind it. `stream` is closed with the socket; one that is lent outlives it. Throws:
  // std::invalid_argument for options that make no sense.
  WebSocket(std::unique_ptr<net::Stream> stream, WebSocketRole role,
            WebSocketOptions agreed = WebSocketOptions(), std::string protocol = {},
            std::string received = {});
  WebSocket(net::Stream& stream, WebSocketRole role, WebSocketOptions agreed = WebSocketOptions(),
            std::string protocol = {}, std::string received = {});
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;
  // Ends the stream without a closing handshake if it was not closed; nobody may be parked in it.
  // May switch.
  ~WebSocket();

  // The next message, whole; nothing once the peer has closed. Answers pings. One receiver at a
  // time. A kill loses nothing: the next call goes on with the message. May switch. Throws:
  // WebSocketError if the peer breaks the protocol or a limit, it has been told then;
  // WebSocketClosed if the connection ends without a close, or close() was called here;
  // TimeoutError if it does not answer pings; ConcurrentUseError, IoError.
  std::optional<Message> receive();
  // The same into memory that is used again; false once the peer has closed.
  bool receive(Message& into);
  // The next part of a message, at least one byte but for the last one, for messages of any length.
  // That text is UTF-8 is certain only with its last part. May switch. Throws: as receive().
  std::optional<Piece> receiveSome(net::MutableBytes into);

  // Send a message; when they return, the stream below has taken it. In order of arrival, each
  // whole. A kill or timeout in the middle of a frame ends the sending side. May switch: they park
  // while the peer does not read. Throw: WebSocketClosed after a close, std::invalid_argument for
  // text that is not UTF-8, IoError.
  void sendText(std::string_view text);
  void sendBinary(net::Bytes bytes);
  void sendBinary(std::string_view bytes) { sendBinary(net::asBytes(bytes)); }
  // The next part of a message, which is the calling fiber's until it has sent the last one: the
  // messages of others wait for that. May switch. Throws: as sendText; std::logic_error for another
  // kind than that of the first part.
  void sendFragment(Kind kind, net::Bytes part, bool last);
  void sendFragment(Kind kind, std::string_view part, bool last) {
    sendFragment(kind, net::asBytes(part), last);
  }

  // At most 125 bytes. It may go between the parts of a message. May switch. Throws: as sendText,
  // std::invalid_argument if it is longer.
  void ping(std::string_view payload = {});

  // Says close, waits for the peer's, at most for the closeTimeout, and ends the stream; what still
  // arrives is dropped. True if the peer has closed, too. Fibers parked in it have left it when
  // this returns. Again is no error. `reason` at most 123 bytes. May switch; a kill cuts it short,
  // and the stream is ended. Throws: std::invalid_argument.
  bool close(CloseCode code = CloseCode::normal, std::string_view reason = {});

  bool isOpen() const noexcept;                  // until either side has said close
  CloseCode closeCode() const noexcept;          // what the peer said; abnormal before
  std::string closeReason() const;               // what the peer said
  const std::string& protocol() const noexcept;  // that was agreed on; empty: none
  bool isCompressed() const noexcept;
  std::string describe() const;  // "websocket over tcp 127.0.0.1:80 <- 127.0.0.1:51234"
  net::Stream& below();          // Throws: WebSocketClosed if there is none.

 private:
  std::unique_ptr<detail::WebSocketState> state_;
};

}  // namespace plait::http
