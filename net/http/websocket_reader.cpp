// A call may be left at every read by a kill, and the next one goes on where it was: everything
// that was read is in members, and a frame's header, or a whole control frame, is taken out of the
// buffer only when all of it is there.
#include "websocket_reader.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace plait::http::detail {
namespace {

constexpr std::size_t kInputBytes = 4'096;
constexpr std::size_t kInputBytesMax = 16'384;  // for a peer who fills the smaller one
constexpr std::size_t kDirectBytes = 4'096;     // of a payload that are read where they belong
// How much memory a message gets before its bytes are here: what a header claims costs nothing.
constexpr std::size_t kGrowthMin = 65'536;
constexpr std::size_t kInflatedGrowthMin = 4'096;

[[noreturn]] void refuse(CloseCode code, const std::string& what) {
  throw WebSocketError(code, "receiving a WebSocket message: " + what);
}

}  // namespace

WebSocketReader::WebSocketReader(net::Stream& stream, WebSocketRole role,
                                 const WebSocketOptions& options, std::string_view received,
                                 Control& control)
    : stream_(stream),
      control_(control),
      role_(role),
      messageMax_(options.messageMax),
      frameMax_(options.frameMax),
      inflater_(options.compression ? std::make_unique<Inflater>(*options.compression) : nullptr) {
  const net::Bytes bytes = net::asBytes(received);
  input_.assign(bytes.begin(), bytes.end());
  end_ = input_.size();
}

bool WebSocketReader::receive(WebSocket::Message& into) {
  for (;;) {
    if (!advance()) return false;
    if (!messageCompressed_ && left_ > messageMax_ - std::min(filled_, messageMax_)) {
      refuse(CloseCode::tooBig,
             "longer than messageMax, " + std::to_string(messageMax_) + " bytes");
    }
    filled_ += readMore(roomForMore());
    if (filled_ > messageMax_) {
      refuse(CloseCode::tooBig,
             "longer than messageMax, " + std::to_string(messageMax_) + " bytes, once inflated");
    }
    if (isAtMessageEnd()) break;
  }
  assembled_.resize(filled_);
  into.kind = kind_;
  // The caller's memory is for the next message.
  into.data.swap(assembled_);
  assembled_.clear();
  endMessage();
  return true;
}

std::optional<WebSocket::Piece> WebSocketReader::receiveSome(net::MutableBytes into) {
  if (into.empty()) throw std::invalid_argument("WebSocket::receiveSome: there is no room");
  // What a receive() has left when it was killed.
  if (filled_ > 0) {
    const std::size_t count = std::min(filled_, into.size());
    std::copy_n(net::asBytes(assembled_).data(), count, into.data());
    assembled_.erase(0, count);
    filled_ -= count;
    return WebSocket::Piece{kind_, count, false};
  }
  for (;;) {
    if (!advance()) return std::nullopt;
    const std::size_t count = readMore(into);
    const bool last = isAtMessageEnd();
    if (count == 0 && !last) continue;
    if (last) endMessage();
    return WebSocket::Piece{kind_, count, last};
  }
}

// Until there is something of a message to read, or its end; false for a close.
bool WebSocketReader::advance() {
  while (!inMessage_ || (left_ == 0 && !frame_.last)) {
    FrameHeader header;
    if (!readHeader(header)) return false;
    if (!header.isControl()) beginData(header);
  }
  return true;
}

// Takes a header out of the buffer, and handles the frame if it is of control; false for a close.
bool WebSocketReader::readHeader(FrameHeader& header) {
  std::size_t bytes = 0;
  while ((bytes = parseFrameHeader(buffered(), role_, header)) == 0) fill(buffered().size() + 1);
  if (!header.isControl()) {
    consume(bytes);
    return true;
  }
  const auto length = static_cast<std::size_t>(header.length);
  fill(bytes + length);
  // Handled where it is, and gone before anything can throw.
  const net::MutableBytes payload = buffered().subspan(bytes, length);
  consume(bytes + length);
  handleControl(header, payload);
  return header.opcode != Opcode::close;
}

void WebSocketReader::handleControl(const FrameHeader& header, net::MutableBytes payload) {
  if (header.masked) maskInPlace(payload, header.key);
  if (header.opcode == Opcode::ping) control_.onPing(payload);
  if (header.opcode == Opcode::close) control_.onClose(parseClose(payload));
}

void WebSocketReader::beginData(const FrameHeader& header) {
  const bool continues = header.opcode == Opcode::continuation;
  if (continues && !inMessage_) {
    refuse(CloseCode::protocolError, "a frame continues a message that has not begun");
  }
  if (!continues && inMessage_) {
    refuse(CloseCode::protocolError, "a message begins before the one before has ended");
  }
  if (header.compressed && (inflater_ == nullptr || continues)) {
    refuse(CloseCode::protocolError, continues
                                         ? "a frame within a message says that it is compressed"
                                         : "it is compressed, which was not agreed on");
  }
  if (header.length > frameMax_) {
    refuse(CloseCode::tooBig, "a frame of " + std::to_string(header.length) +
                                  " bytes, frameMax is " + std::to_string(frameMax_));
  }
  frame_ = header;
  left_ = header.length;
  isPacked_ = (continues && isPacked_) || left_ > 0;
  if (continues) return;
  inMessage_ = true;
  isInflated_ = false;
  messageCompressed_ = header.compressed;
  kind_ = header.opcode == Opcode::text ? WebSocket::Kind::text : WebSocket::Kind::binary;
}

bool WebSocketReader::isAtMessageEnd() const noexcept {
  return frame_.last && left_ == 0 && (!messageCompressed_ || isInflated_);
}

// The next bytes of the message; 0 also where a frame ends.
std::size_t WebSocketReader::readMore(net::MutableBytes into) {
  const std::size_t count = messageCompressed_ ? inflateMore(into) : copyMore(into);
  if (kind_ == WebSocket::Kind::text) checkText(into.first(count), isAtMessageEnd());
  return count;
}

std::size_t WebSocketReader::copyMore(net::MutableBytes into) {
  if (left_ == 0) return 0;
  std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
  const std::uint64_t offset = frame_.length - left_;
  if (buffered().empty() && count >= kDirectBytes) {
    count = readStream(into.first(count));
    if (frame_.masked) maskInPlace(into.first(count), frame_.key, offset);
    left_ -= count;
    return count;
  }
  fill(1);
  count = std::min(count, buffered().size());
  if (frame_.masked) {
    maskInto(into.data(), buffered().first(count), frame_.key, offset);
  } else {
    std::copy_n(buffered().data(), count, into.data());
  }
  consume(count);
  left_ -= count;
  return count;
}

std::size_t WebSocketReader::inflateMore(net::MutableBytes into) {
  while (left_ > 0) {
    fill(1);
    const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(buffered().size(), left_));
    if (frame_.masked) {
      maskInPlace(buffered().first(here).subspan(unmasked_), frame_.key,
                  frame_.length - left_ + unmasked_);
    }
    net::Bytes packed = buffered().first(here);
    const std::size_t count = inflater_->inflate(packed, into);
    consume(here - packed.size());
    left_ -= here - packed.size();
    unmasked_ = packed.size();
    if (count > 0) return count;
  }
  if (!frame_.last) return 0;
  // Some send an empty message as nothing at all, where it should be an empty block.
  if (!isPacked_) {
    isInflated_ = true;
    return 0;
  }
  const std::size_t count = inflater_->finish(into);
  isInflated_ = count < into.size();
  return count;
}

void WebSocketReader::checkText(net::Bytes bytes, bool last) {
  if (text_.add(bytes) && (!last || text_.isComplete())) return;
  refuse(CloseCode::invalidPayload, "its text is not UTF-8");
}

// Behind what is there of the message: as much as the frame has, or may still have.
net::MutableBytes WebSocketReader::roomForMore() {
  if (assembled_.size() == filled_) {
    std::size_t more = std::max(filled_, messageCompressed_ ? kInflatedGrowthMin : kGrowthMin);
    if (messageCompressed_) {
      // One byte above the limit shows that it is exceeded.
      more = std::min(more, messageMax_ - filled_ + 1);
    } else {
      more = static_cast<std::size_t>(std::min<std::uint64_t>(more, left_));
    }
    assembled_.resize(filled_ + more);
  }
  return std::as_writable_bytes(std::span(assembled_)).subspan(filled_);
}

void WebSocketReader::endMessage() {
  inMessage_ = false;
  filled_ = 0;
  text_.reset();
}

// --- bytes ---

void WebSocketReader::consume(std::size_t count) noexcept { begin_ += count; }

// Reads until so many bytes are in the buffer.
void WebSocketReader::fill(std::size_t atLeast) {
  while (buffered().size() < atLeast) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (input_.size() < begin_ + std::max(atLeast, kFrameHeaderMax + kControlMax)) {
      std::copy(input_.begin() + static_cast<std::ptrdiff_t>(begin_),
                input_.begin() + static_cast<std::ptrdiff_t>(end_), input_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    if (input_.size() < kInputBytes) input_.resize(kInputBytes);
    const net::MutableBytes room = net::MutableBytes(input_).subspan(end_);
    const std::size_t count = readStream(room);
    end_ += count;
    if (count == room.size() && input_.size() < kInputBytesMax) input_.resize(kInputBytesMax);
  }
}

std::size_t WebSocketReader::readStream(net::MutableBytes into) {
  ++asked_;
  const std::size_t count = stream_.readSome(into);
  if (count == 0) {
    throw WebSocketClosed(CloseCode::abnormal, "receiving from websocket over " +
                                                   stream_.describe() +
                                                   ": the connection ended without a close");
  }
  ++answered_;
  return count;
}

}  // namespace plait::http::detail
