// Two turns: a message has the first until its last frame is out, so that the fragments of two
// messages do not mix; each frame, of control too, has the second while it is written, so that
// nothing gets inside it. What compresses is what has a message's turn: the order in which messages
// are compressed is that in which they are sent.
#include "websocket_writer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "plait/detail/waiter.h"
#include "plait/greenlet.h"

namespace plait::http::detail {
namespace {

// Up to so many bytes a frame leaves in one piece with its header; of a longer one the beginning.
constexpr std::size_t kGatherBytes = 8'192;
constexpr std::size_t kMaskedAtOnce = 65'536;  // of a longer one that has to be masked
constexpr std::size_t kKeptBytes = 65'536;     // of memory for compressed messages

Opcode opcodeOf(WebSocket::Kind kind) noexcept {
  return kind == WebSocket::Kind::text ? Opcode::text : Opcode::binary;
}

[[noreturn]] void refuseText() {
  throw std::invalid_argument("sending a text message: it is not UTF-8; send it as binary");
}

}  // namespace

// The turn of one call's message.
class WebSocketWriter::MessageTurn final {
 public:
  explicit MessageTurn(WebSocketWriter& writer) : writer_(writer) { writer.takeMessageTurn(); }
  MessageTurn(const MessageTurn&) = delete;
  MessageTurn& operator=(const MessageTurn&) = delete;
  ~MessageTurn() {
    if (!keeps_) writer_.passMessageTurn();
  }
  void keep() noexcept { keeps_ = true; }

 private:
  WebSocketWriter& writer_;
  bool keeps_ = false;
};

WebSocketWriter::WebSocketWriter(net::Stream& stream, WebSocketRole role,
                                 const std::optional<WebSocketCompression>& compression)
    : stream_(stream),
      role_(role),
      compressionMinimum_(compression ? compression->minimum : 0),
      deflater_(compression ? std::make_unique<Deflater>(*compression) : nullptr) {}

void WebSocketWriter::sendMessage(WebSocket::Kind kind, net::Bytes message) {
  if (kind == WebSocket::Kind::text && !isUtf8(message)) refuseText();
  const MessageTurn turn(*this);
  FrameHeader header;
  header.opcode = opcodeOf(kind);
  header.compressed = deflater_ != nullptr && message.size() >= compressionMinimum_;
  sendPart(header, message);
}

void WebSocketWriter::sendFragment(WebSocket::Kind kind, net::Bytes part, bool last) {
  const std::uint64_t me = current().id();
  const bool isFirst = fragmentsOf_ != me;
  if (!isFirst && kind != fragmentsKind_) {
    throw std::logic_error("sending a part of a message: its first part was of the other kind");
  }
  std::optional<MessageTurn> turn;
  if (isFirst) turn.emplace(*this);

  Utf8Check text = isFirst ? Utf8Check() : fragmentsText_;
  if (kind == WebSocket::Kind::text && !(text.add(part) && (!last || text.isComplete()))) {
    refuseText();
  }
  FrameHeader header;
  header.opcode = isFirst ? opcodeOf(kind) : Opcode::continuation;
  header.last = last;
  header.compressed = isFirst && deflater_ != nullptr;
  sendPart(header, part);

  // If the first part was not sent, the message has not begun; a later one may be sent again.
  fragmentsText_ = text;
  fragmentsKind_ = kind;
  if (isFirst && !last) {
    fragmentsOf_ = me;
    turn->keep();
  }
  if (!isFirst && last) {
    fragmentsOf_ = 0;
    passMessageTurn();
  }
}

void WebSocketWriter::sendPing(net::Bytes payload) {
  if (payload.size() > kControlMax) {
    throw std::invalid_argument("sending a ping: its payload has " +
                                std::to_string(payload.size()) + " bytes, at most " +
                                std::to_string(kControlMax));
  }
  FrameHeader header;
  header.opcode = Opcode::ping;
  writeFrame(header, payload);
}

void WebSocketWriter::flushControl() {
  const std::lock_guard turn(frameTurn_);
  FrameHeader header;
  // What is queued is looked at when it can be sent: of many pings only the newest is answered.
  while (hasQueued()) {
    requireOpen();
    const std::string payload = pong_.value_or(std::string());
    header.opcode = pong_ ? Opcode::pong : Opcode::ping;
    if (pong_) {
      pong_.reset();
    } else {
      pings_ = false;
    }
    writeFrameInTurn(header, net::asBytes(payload));
  }
}

void WebSocketWriter::sendClose(CloseCode code, std::string_view reason) {
  const std::lock_guard turn(frameTurn_);
  if (saidClose_) return;
  requireOpen();
  std::string payload;
  if (code != CloseCode::noStatus) {
    const auto number = static_cast<std::uint16_t>(code);
    payload += static_cast<char>(number >> 8);
    payload += static_cast<char>(number & 0xFF);
    payload += reason.substr(0, kCloseReasonMax);
  }
  FrameHeader header;
  header.opcode = Opcode::close;
  // Whether it gets out or not, it is the last.
  struct End {
    WebSocketWriter& writer;
    CloseCode code;
    ~End() {
      writer.saidClose_ = true;
      writer.end(code);
    }
  } const end{*this, code};
  writeFrameInTurn(header, net::asBytes(payload));
}

void WebSocketWriter::end(CloseCode code) noexcept {
  if (ended_) return;
  ended_ = true;
  endCode_ = code;
  while (plait::detail::SignalNode* sender = senders_.pop()) sender->fire();
}

void WebSocketWriter::takeMessageTurn() {
  plait::detail::checkpoint();
  requireOpen();
  if (fragmentsOf_ != 0 && fragmentsOf_ == current().id()) {
    throw std::logic_error(
        "sending a message: this fiber has begun another; send its last part before");
  }
  if (!sending_) {
    sending_ = true;
    return;
  }
  plait::detail::waitForPermit(senders_, {"a turn to send", this, nullptr}, kForever);
  // Otherwise it has the turn, and has to pass it on whatever comes.
  if (ended_) requireOpen();
}

void WebSocketWriter::passMessageTurn() noexcept {
  if (plait::detail::SignalNode* next = senders_.pop()) {
    next->fire();
  } else {
    sending_ = false;
  }
}

void WebSocketWriter::requireOpen() const {
  if (ended_) {
    throw WebSocketClosed(endCode_, "sending to websocket over " + stream_.describe() +
                                        ": it was closed (" +
                                        std::to_string(static_cast<int>(endCode_)) + ")");
  }
  if (interrupted_) {
    throw WebSocketClosed(CloseCode::abnormal,
                          "sending to websocket over " + stream_.describe() +
                              ": a kill, timeout or error has interrupted a frame before");
  }
}

// Of the message whose turn it is.
void WebSocketWriter::sendPart(FrameHeader header, net::Bytes part) {
  const bool compresses =
      header.opcode == Opcode::continuation ? deflater_ != nullptr : header.compressed;
  if (!compresses) return writeFrame(header, part);
  struct Packing {
    WebSocketWriter& writer;
    bool sent = false;
    ~Packing() {
      // The peer has not seen it, so that nothing may refer to it.
      if (!sent) writer.deflater_->forget();
      if (writer.compressed_.capacity() > kKeptBytes) std::string().swap(writer.compressed_);
    }
  } packing{*this};
  deflater_->compress(part, header.last, compressed_);
  writeFrame(header, net::asBytes(compressed_));
  packing.sent = true;
}

void WebSocketWriter::writeFrame(FrameHeader header, net::Bytes payload) {
  const std::lock_guard turn(frameTurn_);
  requireOpen();
  writeFrameInTurn(header, payload);
}

void WebSocketWriter::writeFrameInTurn(FrameHeader header, net::Bytes payload) {
  header.length = payload.size();
  header.masked = role_ == WebSocketRole::client;
  if (header.masked) header.key = keys_.next();
  std::array<std::byte, kFrameHeaderMax> start;
  const std::size_t startBytes = writeFrameHeader(header, start);

  std::array<std::byte, kGatherBytes> gathered;
  std::copy_n(start.data(), startBytes, gathered.data());
  const std::size_t fits = std::min(payload.size(), gathered.size() - startBytes);
  if (header.masked) {
    maskInto(gathered.data() + startBytes, payload.first(fits), header.key);
  } else {
    std::copy_n(payload.data(), fits, gathered.data() + startBytes);
  }
  // The stream itself knows whether it was left in the middle of this.
  write(net::Bytes(gathered).first(startBytes + fits));
  if (fits < payload.size()) writeRest(header, payload, fits);
}

// What follows `done` bytes of the payload. An exception leaves half a frame behind it.
void WebSocketWriter::writeRest(const FrameHeader& header, net::Bytes payload, std::size_t done) {
  interrupted_ = true;
  if (!header.masked) {
    write(payload.subspan(done));
  } else {
    std::vector<std::byte> masked(std::min(payload.size() - done, kMaskedAtOnce));
    while (done < payload.size()) {
      const net::Bytes part = payload.subspan(done, std::min(payload.size() - done, masked.size()));
      maskInto(masked.data(), part, header.key, done);
      write(net::Bytes(masked).first(part.size()));
      done += part.size();
    }
  }
  interrupted_ = false;
}

void WebSocketWriter::write(net::Bytes bytes) {
  std::error_code error;
  stream_.writeAll(bytes, error);
  if (!error) return;
  if (ended_) requireOpen();
  net::throwStreamError(error, "writing to", stream_.describe());
}

}  // namespace plait::http::detail
