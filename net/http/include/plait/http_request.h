// A request as its handler sees it. Views are good until the handler has returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "plait/address.h"
#include "plait/http_fields.h"
#include "plait/stream.h"
#include "plait/url.h"

namespace plait::http {

namespace detail {
struct RequestState;
}

// Belongs to its connection, which uses it again for the next request.
class Request final {
 public:
  explicit Request(std::unique_ptr<detail::RequestState> state) noexcept;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request();

  std::string_view method() const noexcept;  // as it was sent: "GET"
  std::string_view target() const noexcept;  // as it was sent: "/a%20b?c=d"
  int version() const noexcept;              // 10 or 11
  std::string_view path() const noexcept;    // decoded: "/a b"; "*" of OPTIONS *
  // What a mount has left of the path, as it was sent: "/x.css" below "/static", empty for
  // "/static" itself; the whole path outside of one.
  std::string_view rest() const noexcept;
  std::string_view query() const noexcept;  // as it was sent, without its '?'
  std::string_view host() const noexcept;   // with the port, if it was said; may be empty
  const Fields& fields() const noexcept;
  // The first field of that name, or else `otherwise`.
  std::string_view field(std::string_view name, std::string_view otherwise = {}) const noexcept;
  net::Address peer() const;  // the client's, or what a PROXY header said
  bool isSecure() const noexcept;

  // Of the route's pattern: what stands for "<int:id>", decoded. Throws: std::out_of_range for a
  // name that the pattern does not have.
  std::string_view parameter(std::string_view name) const;
  std::int64_t intParameter(std::string_view name) const;  // of an int
  double floatParameter(std::string_view name) const;      // of a float or int

  const Parameters& queryParameters() const;
  // The first of that name.
  std::optional<std::string_view> queryParameter(std::string_view name) const;
  std::optional<std::string_view> cookie(std::string_view name) const noexcept;

  // A body is read once, whole or in pieces. The first read tells a client that waits for it to
  // send (Expect: 100-continue). What no handler reads is passed over, or the connection closed.
  bool hasBody() const noexcept;
  std::optional<std::uint64_t> contentLength() const noexcept;  // none if chunked
  // The whole body, or what is left of it. May switch. Throws: HttpError 413 above `limit`, by
  // default the server's Limits::body; 400, 408; ConnectionClosed.
  std::string body();
  std::string body(std::size_t limit);
  // At least one byte, 0 at the end. May switch. Throws: HttpError; ConnectionClosed.
  std::size_t readSome(net::MutableBytes into);
  // The body as an HTML form sends it. May switch. Throws: as body(); HttpError 415 for another
  // content type than application/x-www-form-urlencoded.
  Parameters form();
  const Fields& trailers() const noexcept;  // once the body was read to its end

  detail::RequestState& state() const noexcept { return *state_; }

 private:
  std::unique_ptr<detail::RequestState> state_;
};

}  // namespace plait::http
