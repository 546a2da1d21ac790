#include "exchange.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>
#include <stdexcept>
#include <utility>

#include "plait/error.h"
#include "plait/offload.h"

namespace plait::http {

void BodyWriter::begin(int status, Fields fields) { exchange_.begin(status, std::move(fields)); }
void BodyWriter::write(net::Bytes bytes) { exchange_.write(bytes); }
void BodyWriter::flush() { exchange_.flush(); }
void BodyWriter::setTrailer(std::string_view name, std::string_view value) {
  exchange_.setTrailer(name, value);
}

namespace detail {
namespace {

constexpr std::size_t kCopiedMax = 32'768;      // of a body, to leave in one write with its head
constexpr std::size_t kGzipInlineMax = 65'536;  // compressed on the loop's thread

bool hasNoBody(int status) noexcept { return status / 100 == 1 || status == 204 || status == 304; }

std::string compressed(std::string_view text) {
  const auto compress = [text] {
    std::string out;
    Gzip gzip;
    gzip.add(text, out);
    gzip.finish(out);
    return out;
  };
  return text.size() > kGzipInlineMax ? offload(compress) : compress();
}

}  // namespace

void Exchange::send(Response& response) {
  status_ = response.status();
  isDropped_ = isHead() || hasNoBody(status_);
  if (response.fields().hasToken("Connection", "close")) closes_ = true;
  Response::Body& body = response.body();
  if (auto* const text = std::get_if<std::string>(&body)) return sendText(response, *text);
  if (auto* const file = std::get_if<Response::FileBody>(&body)) return sendFile(response, *file);
  if (auto* const stream = std::get_if<Response::StreamBody>(&body)) {
    return sendStream(response, *stream);
  }
  sendUpgrade(response, std::get<Response::UpgradeBody>(body));
}

void Exchange::sendText(Response& response, std::string& text) {
  if (text.size() >= kGzipMin && wantsGzip(response)) text = compressed(text);
  std::uint64_t length = text.size();
  // Of a HEAD's handler that has said the length and not made the body.
  if (text.empty() && isDropped_) {
    const std::string_view said = response.fields().get("Content-Length");
    std::from_chars(said.data(), said.data() + said.size(), length);
  }
  writeHead(response, Framing::length, length);
  if (isDropped_) return;
  bodyBytes_ = text.size();
  if (text.size() <= kCopiedMax) {
    wire_.output().append(text);
    return wire_.flushIfFull();
  }
  wire_.writeAll(text);
}

void Exchange::sendFile(Response& response, Response::FileBody& body) {
  writeHead(response, Framing::length, body.count);
  if (isDropped_) return;
  bodyBytes_ = body.count;
  if (body.count > kCopiedMax) return wire_.sendFile(body.file, body.offset, body.count);
  // A little one leaves in one write with its head.
  std::string& out = wire_.output();
  struct Room {
    std::string& out;
    std::size_t filled;
    ~Room() { out.resize(filled); }
  } room{out, out.size()};
  out.resize(out.size() + body.count);
  const auto into = std::as_writable_bytes(std::span(out.data(), out.size())).subspan(room.filled);
  for (std::size_t done = 0; done < body.count;) {
    const std::size_t count = body.file.readAt(body.offset + done, into.subspan(done));
    if (count == 0) throw IoError(EIO, "sending " + body.file.describe() + ", which is too short,");
    done += count;
  }
  room.filled = out.size();
}

void Exchange::sendUpgrade(Response& response, Response::UpgradeBody& body) {
  closes_ = true;
  writeHead(response, Framing::length, 0);
  wire_.flush();
  wire_.putBack(request_.body.takeBuffered());
  const Watch::Scope scope(watch_, Phase::free, kForever);
  body.talk(wire_);
}

void Exchange::sendStream(Response& response, Response::StreamBody& body) {
  BodyWriter writer(*this);
  beginsItself_ = body.beginsItself;
  if (!beginsItself_) {
    beginStream(response);
    if (isDropped_) return;
    const Watch::Scope scope(watch_, Phase::free, kForever);
    body.write(writer);
    return endStream();
  }
  {
    const Watch::Scope scope(watch_, Phase::handler, watch_.board().options.handlerTimeout);
    body.write(writer);
    watch_.settle();
  }
  if (!hasBegun_) {
    if (streamHead_ == nullptr) begin(200, {});
    beginStream(*streamHead_);
  }
  endStream();
}

void Exchange::begin(int status, Fields fields) {
  if (!beginsItself_ || hasBegun_) {
    throw std::logic_error("the head of this response is on its way already");
  }
  streamHead_ = std::make_unique<Response>(status, std::string(), "application/octet-stream");
  streamHead_->fields() = std::move(fields);
}

// The head of a body that is written piece by piece.
void Exchange::beginStream(Response& response) {
  status_ = response.status();
  isDropped_ = isHead() || hasNoBody(status_);
  if (response.fields().hasToken("Connection", "close")) closes_ = true;
  const std::string_view said = response.fields().get("Content-Length");
  if (!said.empty()) {
    framing_ = Framing::length;
    std::from_chars(said.data(), said.data() + said.size(), lengthLeft_);
    return writeHead(response, framing_, lengthLeft_);
  }
  framing_ = request_.head.version >= 11 ? Framing::chunks : Framing::connection;
  if (framing_ == Framing::connection && !isDropped_) closes_ = true;
  if (wantsGzip(response)) gzip_ = std::make_unique<Gzip>();
  writeHead(response, framing_, 0);
}

void Exchange::write(net::Bytes bytes) {
  if (!hasBegun_) {
    if (streamHead_ == nullptr) begin(200, {});
    beginStream(*streamHead_);
  }
  if (isDropped_ || bytes.empty()) return;
  if (framing_ == Framing::length) {
    if (bytes.size() > lengthLeft_) {
      throw LimitError("writing a body: more bytes than its Content-Length");
    }
    lengthLeft_ -= bytes.size();
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (gzip_) {
    gzip_->add(text, piece_);
  } else {
    piece_.append(text);
  }
  if (piece_.size() >= kBodyWriterBytes) {
    sendPiece();
    wire_.flush();
  }
}

void Exchange::flush() {
  write({});
  if (gzip_ && !isDropped_) gzip_->flush(piece_);
  sendPiece();
  wire_.flush();
}

void Exchange::setTrailer(std::string_view name, std::string_view value) {
  trailers_.set(name, value);
}

void Exchange::sendPiece() {
  if (piece_.empty()) return;
  std::string& out = wire_.output();
  if (framing_ == Framing::chunks) {
    char size[20];
    out.append(size, std::to_chars(size, size + sizeof size, piece_.size(), 16).ptr);
    out.append("\r\n");
  }
  out.append(piece_);
  if (framing_ == Framing::chunks) out.append("\r\n");
  bodyBytes_ += piece_.size();
  piece_.clear();
}

void Exchange::endStream() {
  if (isDropped_) return;
  if (gzip_) gzip_->finish(piece_);
  sendPiece();
  if (framing_ == Framing::length && lengthLeft_ > 0) {
    throw std::logic_error("writing a body: " + std::to_string(lengthLeft_) +
                           " bytes less than its Content-Length");
  }
  if (framing_ != Framing::chunks) return wire_.flushIfFull();
  std::string& out = wire_.output();
  out.append("0\r\n");
  for (const Field each : trailers_) {
    out.append(each.name).append(": ").append(each.value).append("\r\n");
  }
  out.append("\r\n");
  wire_.flushIfFull();
}

// Says in the fields that it will be so; what could be, but for this client, varies.
bool Exchange::wantsGzip(Response& response) const {
  if (!watch_.board().options.gzip || response.status() == 206 || hasNoBody(response.status())) {
    return false;
  }
  Fields& fields = response.fields();
  if (fields.has("Content-Encoding") || fields.has("Content-Range") ||
      !isCompressible(fields.get("Content-Type", response.type()))) {
    return false;
  }
  if (!fields.hasToken("Vary", "Accept-Encoding")) fields.add("Vary", "Accept-Encoding");
  if (!acceptsGzip(request_.head.fields)) return false;
  fields.set("Content-Encoding", "gzip");
  // Other bytes than those that the validator was made of.
  const std::string tag(fields.get("ETag"));
  if (tag.starts_with('"')) fields.set("ETag", "W/" + tag);
  return true;
}

void Exchange::writeHead(const Response& response, Framing framing, std::uint64_t length) {
  hasBegun_ = true;
  // From here on what takes its time is sending.
  watch_.leaveHandler();
  const Board& board = watch_.board();
  std::string& out = wire_.output();
  const int status = response.status();
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
  } else {
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
    out.append(reasonOf(status)).append("\r\n");
  }
  if (!board.options.serverName.empty()) {
    out.append("Server: ").append(board.options.serverName).append("\r\n");
  }
  writeFields(response);
  if (framing == Framing::chunks && !hasNoBody(status)) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (framing == Framing::length && status / 100 != 1 && status != 204 &&
             (status != 304 || length > 0)) {
    char digits[20];
    out.append("Content-Length: ");
    out.append(digits, std::to_chars(digits, digits + sizeof digits, length).ptr);
    out.append("\r\n");
  }
  if (status == 101) {
    out.append("Connection: Upgrade\r\n");
  } else if (closes_) {
    out.append("Connection: close\r\n");
  } else if (request_.head.version < 11) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void Exchange::writeFields(const Response& response) {
  std::string& out = wire_.output();
  bool hasDate = false;
  bool hasType = response.type().empty() || hasNoBody(response.status());
  for (const Field each : response.fields()) {
    // How the body is framed, and whether the connection stays, is said by who does it.
    if (equalsNoCase(each.name, "Content-Length") || equalsNoCase(each.name, "Connection") ||
        equalsNoCase(each.name, "Transfer-Encoding")) {
      continue;
    }
    hasDate = hasDate || equalsNoCase(each.name, "Date");
    hasType = hasType || equalsNoCase(each.name, "Content-Type");
    out.append(each.name).append(": ").append(each.value).append("\r\n");
  }
  if (!hasType) out.append("Content-Type: ").append(response.type()).append("\r\n");
  if (!hasDate) out.append(watch_.board().dateLine());
}

std::string plainAnswer(const Board& board, int status) {
  const std::string body = std::string(reasonOf(status)) + "\n";
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reasonOf(status)) + "\r\n" +
         board.dateLine() + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace detail
}  // namespace plait::http
