// What a handler answers with: a status, fields, and a body that is a text, a file, what a function
// writes while it goes out, or no HTTP any more.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/detail/unique_function.h"
#include "plait/file.h"
#include "plait/http_fields.h"
#include "plait/stream.h"

namespace plait::http {

namespace detail {
class Exchange;
}

inline constexpr std::size_t kBodyWriterBytes = 16'384;  // collected into one chunk

// Writes a response's body piece by piece: in chunks for HTTP/1.1, until the connection's end for
// 1.0, as it is where the fields have a Content-Length. Used by one fiber at a time, until the
// function that got it returns; its return is the body's end, and what it throws ends the
// connection, so that the client sees that something is missing.
class BodyWriter final {
 public:
  explicit BodyWriter(detail::Exchange& exchange) noexcept : exchange_(exchange) {}
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;

  // For a handler that has only a BodyWriter: status and fields, before anything is written.
  // Without it: 200, application/octet-stream. Never switches. Throws: std::logic_error if the head
  // has gone out, or was somebody else's.
  void begin(int status, Fields fields = {});
  // May switch: when kBodyWriterBytes have come together. Throws: ConnectionClosed if the client
  // has gone; LimitError beyond a Content-Length.
  void write(net::Bytes bytes);
  void write(std::string_view text) { write(net::asBytes(text)); }
  // Sends what was written until now. May switch. Throws: as write().
  void flush();
  // A field behind the body, where the client can take it: in chunks. Never switches.
  void setTrailer(std::string_view name, std::string_view value);

 private:
  detail::Exchange& exchange_;
};

// A value that can be moved.
class Response final {
 public:
  using Writer = plait::detail::UniqueFunction<void(BodyWriter&)>;
  using Upgraded = plait::detail::UniqueFunction<void(net::Stream&)>;

  // A part of a file. It must not shrink while it goes out.
  struct FileBody {
    os::File file;
    std::uint64_t offset = 0;
    std::uint64_t count = 0;
  };
  struct StreamBody {
    Writer write;
    bool beginsItself = false;  // head included
  };
  struct UpgradeBody {
    Upgraded talk;
  };
  using Body = std::variant<std::string, FileBody, StreamBody, UpgradeBody>;

  // Without a body.
  explicit Response(int status = 200);
  // `type` has to be a literal: it is not copied.
  Response(int status, std::string body, std::string_view type);

  static Response text(std::string body, int status = 200);  // text/plain; charset=utf-8
  static Response html(std::string body, int status = 200);
  static Response json(std::string body, int status = 200);  // a text that is JSON already
  static Response redirect(std::string_view location, int status = 302);
  // The file from its beginning. Its type is guessed by the name, which need not be its path.
  // May switch. Throws: IoError.
  static Response file(std::string path, int status = 200);
  static Response file(os::File file, std::uint64_t offset, std::uint64_t count,
                       std::string_view name, int status = 200);
  // `write` is called once the head is on its way; not at all for HEAD.
  static Response stream(Writer write, std::string_view type = "application/octet-stream",
                         int status = 200);
  // `write` says status and fields itself: BodyWriter::begin().
  static Response streamWithHead(Writer write);
  // 101 with these fields (Upgrade, Sec-WebSocket-Accept...): once that has gone out, `talk` gets
  // the connection, from the first byte behind the request on; when it returns the connection is
  // closed. No deadline of the server's counts meanwhile.
  static Response upgrade(Fields fields, Upgraded talk);

  int status() const noexcept { return status_; }
  void setStatus(int status) noexcept { status_ = status; }
  Fields& fields() noexcept { return fields_; }
  const Fields& fields() const noexcept { return fields_; }
  // Sets a field. Throws: std::invalid_argument, as Fields::set.
  Response& with(std::string_view name, std::string_view value) &;
  Response&& with(std::string_view name, std::string_view value) &&;
  // Of the kind's own, where `fields` have no Content-Type; may be empty.
  std::string_view type() const noexcept { return type_; }

  Body& body() noexcept { return body_; }
  const Body& body() const noexcept { return body_; }

 private:
  int status_;
  std::string_view type_;
  Fields fields_;
  Body body_;
};

// A strong validator of a content: its digest, in quotes. Never switches.
std::string etagOf(std::string_view content);

// The media type that a file's name stands for; "application/octet-stream" for an unknown one.
std::string_view mediaTypeOf(std::string_view fileName) noexcept;

// Makes a Response of what a handler returns: specialise it for types of your own.
//
//   template <>
//   struct plait::http::ResponseFrom<Invoice> {
//     static Response make(Invoice&& invoice) { return Response::json(toJson(invoice)); }
//   };
//
// It runs on the connection's fiber and may switch.
template <class T>
struct ResponseFrom;

template <>
struct ResponseFrom<Response> {
  static Response make(Response&& response) { return std::move(response); }
};
template <>
struct ResponseFrom<std::string> {
  static Response make(std::string text) { return Response::text(std::move(text)); }
};
template <>
struct ResponseFrom<const char*> {
  static Response make(const char* text) { return Response::text(text); }
};
template <>
struct ResponseFrom<std::string_view> {
  static Response make(std::string_view text) { return Response::text(std::string(text)); }
};

template <class T>
concept ResponseLike = requires(T&& value) {
  { ResponseFrom<std::remove_cvref_t<T>>::make(std::forward<T>(value)) } -> std::same_as<Response>;
};

}  // namespace plait::http
