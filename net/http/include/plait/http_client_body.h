// What a request carries.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/stream.h"
#include "plait/url.h"

namespace plait::http {

// One field of a multipart form. With a file name it is an upload.
struct FormPart {
  std::string name;
  std::string value;
  std::string fileName = {};
  std::string contentType = {};
};

// A text can be sent again, so redirects and retries may do so; what is written by a function or
// read from a stream is sent once. What those refer to is used until the request has failed or its
// response is read to the end, closed or gone.
class ClientBody final {
 public:
  using Write = std::function<void(std::string_view piece)>;
  using Producer = std::function<void(const Write& write)>;

  ClientBody() = default;  // none
  // Implicit: what takes a body takes a text.
  ClientBody(std::string text,  // NOLINT(google-explicit-constructor)
             std::string contentType = {})
      : kind_(Kind::text), text_(std::move(text)), contentType_(std::move(contentType)) {}
  ClientBody(const char* text)  // NOLINT(google-explicit-constructor)
      : ClientBody(std::string(text)) {}
  ClientBody(std::string_view text)  // NOLINT(google-explicit-constructor)
      : ClientBody(std::string(text)) {}

  // "a=1&b=2" as application/x-www-form-urlencoded.
  static ClientBody form(const Parameters& parameters);
  // As multipart/form-data.
  static ClientBody multipart(const std::vector<FormPart>& parts);
  // Called once, on a fiber of its own: each piece that it writes is sent as a chunk. What it
  // throws is thrown by the request.
  static ClientBody chunks(Producer producer, std::string contentType = {});
  // The same with a length that is known before, and without chunks: more or less is an error.
  static ClientBody counted(std::uint64_t length, Producer producer, std::string contentType = {});
  // All of `from` in chunks, or its next `length` bytes.
  static ClientBody stream(net::Stream& from, std::string contentType = {});
  static ClientBody stream(net::Stream& from, std::uint64_t length, std::string contentType = {});

  bool isNone() const noexcept { return kind_ == Kind::none; }
  bool isText() const noexcept { return kind_ == Kind::text; }
  bool isChunked() const noexcept { return kind_ == Kind::chunks; }
  bool isRepeatable() const noexcept { return kind_ == Kind::none || kind_ == Kind::text; }
  std::uint64_t length() const noexcept { return isText() ? text_.size() : length_; }
  const std::string& text() const noexcept { return text_; }
  const std::string& contentType() const noexcept { return contentType_; }

  // For who sends it: calls `write` with each piece. May switch. Throws: what its source throws;
  // Error if it has not the length that was promised.
  void produce(const Write& write) const;

 private:
  enum class Kind : std::uint8_t { none, text, chunks, counted };

  Kind kind_ = Kind::none;
  std::string text_;
  std::string contentType_;
  Producer producer_;
  std::uint64_t length_ = 0;  // counted
};

}  // namespace plait::http
