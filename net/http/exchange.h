// Sends one response. How its body is framed is decided here: a length, chunks, or the connection's
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gzip.h"
#include "plait/http_response.h"
#include "request_state.h"
#include "wire.h"

namespace plait::http::detail {

class Exchange final {
 public:
  // All outlive it. `closes`: the connection ends with this response.
  Exchange(Wire& wire, Watch& watch, const RequestState& request, bool closes) noexcept
      : wire_(wire), watch_(watch), request_(request), closes_(closes) {}

  // Returns when all of it is sent, or in the wire's output. May switch. Throws: ConnectionClosed,
  // IoError, DeadlineExpired; what a body's function throws.
  void send(Response& response);

  // The BodyWriter's.
  void begin(int status, Fields fields);
  void write(net::Bytes bytes);
  void flush();
  void setTrailer(std::string_view name, std::string_view value);

  bool hasBegun() const noexcept { return hasBegun_; }  // the head is in the output, or has gone
  bool closes() const noexcept { return closes_; }
  bool endsWithConnection() const noexcept { return framing_ == Framing::connection; }
  int status() const noexcept { return status_; }
  std::uint64_t bodyBytes() const noexcept { return bodyBytes_; }

 private:
  enum class Framing : std::uint8_t { length, chunks, connection };

  void sendText(Response& response, std::string& text);
  void sendFile(Response& response, Response::FileBody& body);
  void sendStream(Response& response, Response::StreamBody& body);
  void sendUpgrade(Response& response, Response::UpgradeBody& body);
  void beginStream(Response& response);
  void endStream();
  void sendPiece();
  bool wantsGzip(Response& response) const;
  void writeHead(const Response& response, Framing framing, std::uint64_t length);
  void writeFields(const Response& response);
  bool isHead() const noexcept { return request_.head.method == "HEAD"; }

  Wire& wire_;
  Watch& watch_;
  const RequestState& request_;
  bool closes_;
  bool hasBegun_ = false;
  bool beginsItself_ = false;  // the head is the function's to say
  bool isDropped_ = false;     // HEAD, 204, 304: what is written goes nowhere
  Framing framing_ = Framing::length;
  int status_ = 0;
  std::uint64_t bodyBytes_ = 0;
  std::uint64_t lengthLeft_ = 0;
  std::string piece_;
  std::unique_ptr<Gzip> gzip_;
  std::unique_ptr<Response> streamHead_;  // what begin() was told
  Fields trailers_;
};

// A response of the server's own, to what is no request: "HTTP/1.1 400 Bad Request" and the reason.
std::string plainAnswer(const Board& board, int status);

}  // namespace plait::http::detail
