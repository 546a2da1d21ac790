#include "websocket_state.h"

#include <array>
#include <stdexcept>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/detail/waiter.h"
#include "plait/timeout.h"

namespace plait::http::detail {
namespace {

constexpr std::size_t kDropBytes = 4'096;  // at once, of what arrives while this side closes

}  // namespace

// The right to receive, for one call.
class WebSocketState::Receiving final {
 public:
  explicit Receiving(WebSocketState& state) : state_(state) {
    state.receiving_ = true;
    state.receiverLeft_.clear();
  }
  Receiving(const Receiving&) = delete;
  Receiving& operator=(const Receiving&) = delete;
  ~Receiving() {
    state_.receiving_ = false;
    state_.receiverLeft_.set();
  }

 private:
  WebSocketState& state_;
};

WebSocketState::WebSocketState(std::unique_ptr<net::Stream> owned, net::Stream& stream,
                               WebSocketRole role, WebSocketOptions options, std::string protocol,
                               std::string_view received)
    : owned_(std::move(owned)),
      stream_(stream),
      options_(std::move(options)),
      protocol_(std::move(protocol)),
      writer_(stream, role, options_.compression),
      reader_(stream, role, options_, received, *this) {
  if (options_.pingInterval != kForever) background_.spawn([this] { keepAlive(); });
}

WebSocketState::~WebSocketState() {
  if (!closed_.isSet()) end(CloseCode::abnormal);
}

// --- receiving ---

bool WebSocketState::receive(WebSocket::Message& into) {
  return receiveWith([this, &into] { return reader_.receive(into); });
}

std::optional<WebSocket::Piece> WebSocketState::receiveSome(net::MutableBytes into) {
  std::optional<WebSocket::Piece> piece;
  receiveWith([this, &piece, into] {
    piece = reader_.receiveSome(into);
    return piece.has_value();
  });
  return piece;
}

// False if the peer has closed; it has been answered then.
template <class F>
bool WebSocketState::receiveWith(F read) {
  const net::detail::Occupancy::Visit visit(inside_);
  plait::detail::checkpoint();
  if (!mayReceive()) return false;
  const Receiving receiving(*this);
  // What arrives after this side began to close is dropped.
  bool isMessage = readOrFail(read);
  while (isMessage && closing_) isMessage = readOrFail(read);
  if (!isMessage) sayClose(peerSaid_->code, {});
  return isMessage;
}

template <class F>
bool WebSocketState::readOrFail(F read) {
  try {
    return read();
  } catch (const WebSocketError& error) {
    fail(error);
    throw;
  } catch (const Error&) {
    // close(), or who waited for a pong, has ended the stream under the reader.
    if (failure_) std::rethrow_exception(failure_);
    if (closing_) {
      throw WebSocketClosed(CloseCode::abnormal,
                            "receiving from " + describe() + ": it was closed here");
    }
    failure_ = std::current_exception();
    throw;
  }
}

// False if there will be nothing more. Throws what has ended the receiving before.
bool WebSocketState::mayReceive() const {
  if (peerSaid_) return false;
  if (failure_) std::rethrow_exception(failure_);
  if (closing_) {
    throw WebSocketClosed(CloseCode::abnormal,
                          "receiving from " + describe() + ": it was closed here");
  }
  if (receiving_) {
    throw ConcurrentUseError("receiving from " + describe() +
                             ": another fiber does so already; give each socket one receiver");
  }
  return true;
}

void WebSocketState::fail(const WebSocketError& error) {
  failure_ = std::current_exception();
  const std::string message = error.what();
  // The part that says what is wrong.
  sayClose(error.closeCode(), message.substr(message.find(": ") + 2));
}

// As much of it as gets out within the closeTimeout: a writer may stand before it.
void WebSocketState::sayClose(CloseCode code, std::string_view reason) {
  try {
    withTimeout(options_.closeTimeout, [this, code, reason] { writer_.sendClose(code, reason); });
  } catch (const Error&) {
    // The connection is at its end, whether the peer hears of it or not.
    writer_.end(code);
  }
}

void WebSocketState::onPing(net::Bytes payload) {
  writer_.queuePong(payload);
  flushInBackground();
}

// --- sending ---

void WebSocketState::send(WebSocket::Kind kind, net::Bytes message) {
  const net::detail::Occupancy::Visit visit(inside_);
  writer_.sendMessage(kind, message);
}

void WebSocketState::sendFragment(WebSocket::Kind kind, net::Bytes part, bool last) {
  const net::detail::Occupancy::Visit visit(inside_);
  writer_.sendFragment(kind, part, last);
}

void WebSocketState::ping(net::Bytes payload) {
  const net::detail::Occupancy::Visit visit(inside_);
  writer_.sendPing(payload);
}

// --- closing ---

bool WebSocketState::close(CloseCode code, std::string_view reason) {
  if (!isSendable(code)) {
    throw std::invalid_argument("closing " + describe() + ": nobody may send the code " +
                                std::to_string(static_cast<int>(code)));
  }
  if (reason.size() > kCloseReasonMax || !isUtf8(net::asBytes(reason))) {
    throw std::invalid_argument("closing " + describe() + ": the reason is UTF-8 of at most " +
                                std::to_string(kCloseReasonMax) + " bytes");
  }
  if (closing_) {
    closed_.wait();
    return peerSaid_.has_value();
  }
  closing_ = true;
  // However the handshake is left, the stream is ended.
  struct End {
    WebSocketState& state;
    CloseCode code;
    ~End() { state.end(code); }
  } const theEnd{*this, code};
  shakeHands(code, reason);
  return peerSaid_.has_value();
}

void WebSocketState::shakeHands(CloseCode code, std::string_view reason) {
  try {
    withTimeout(options_.closeTimeout, [this, code, reason] {
      if (!writer_.saidClose()) writer_.sendClose(code, reason);
      dropUntilClose();
      if (failure_) linger();
    });
  } catch (const Error&) {
    // The peer is gone or too slow: close() returns false.
  }
}

// Until the peer's close is here: whoever receives reads it.
void WebSocketState::dropUntilClose() {
  std::array<std::byte, kDropBytes> dropped;
  while (!peerSaid_ && !failure_) {
    if (receiving_) {
      receiverLeft_.wait();
      continue;
    }
    const Receiving receiving(*this);
    while (readOrFail([this, &dropped] { return reader_.receiveSome(dropped).has_value(); })) {
    }
  }
}

// A stream that is closed while bytes of the peer are unread is reset, and the peer may lose what
// it was told last: so read until it has closed.
void WebSocketState::linger() {
  std::array<std::byte, kDropBytes> dropped;
  stream_.shutdownWrite();
  while (stream_.readSome(dropped) > 0) {
  }
}

void WebSocketState::end(CloseCode code) noexcept {
  const CancelShield shield;
  closing_ = true;
  writer_.end(code);
  background_.kill();
  stream_.close();
  inside_.waitUntilEmpty();
  closed_.set();
}

bool WebSocketState::isOpen() const noexcept {
  return !closing_ && !peerSaid_ && !failure_ && !writer_.saidClose() && stream_.isOpen();
}

// --- in the background ---

// A pong is sent by a fiber of its own: the receiver must go on reading if the peer does not, or
// two that both write would wait for each other for ever.
void WebSocketState::flushInBackground() {
  if (flushing_ || closing_) return;
  flushing_ = true;
  background_.spawn([this] {
    struct Done {
      bool& flag;
      ~Done() { flag = false; }
    } const done{flushing_};
    try {
      while (writer_.hasQueued()) writer_.flushControl();
    } catch (const Error&) {
      // The receiver meets it, too.
    }
  });
}

void WebSocketState::keepAlive() {
  for (;;) {
    const std::uint64_t before = reader_.answered();
    sleep(options_.pingInterval);
    if (reader_.answered() != before || !isOpen()) continue;
    writer_.queuePing();
    flushInBackground();
    const std::uint64_t asked = reader_.asked();
    sleep(options_.pongTimeout);
    // Silent is who was listened to all the time.
    if (reader_.answered() != before || !isSilent(asked) || !isOpen()) continue;
    failure_ = std::make_exception_ptr(
        TimeoutError("receiving from " + describe() + ": no answer to a ping within pongTimeout"));
    writer_.end(CloseCode::abnormal);
    stream_.close();
    return;
  }
}

bool WebSocketState::isSilent(std::uint64_t asked) const noexcept {
  return reader_.asked() == asked && reader_.asked() > reader_.answered();
}

}  // namespace plait::http::detail
