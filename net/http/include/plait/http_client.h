// The HTTP/1.1 client.
//
//   std::string page = http::get("https://example.org/").body();
//
//   http::Session session({.baseUrl = "https://api.example.org/v1/"});
//   session.post("users", http::ClientBody::form({{"name", "ann"}})).raiseForStatus();
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/http_client_body.h"
#include "plait/http_cookies.h"
#include "plait/http_error.h"
#include "plait/http_fields.h"
#include "plait/stream.h"
#include "plait/time.h"
#include "plait/tls.h"
#include "plait/url.h"

namespace plait::os {
class File;
}

namespace plait::http {

namespace detail {
class ResponseState;
class SessionState;
}  // namespace detail

inline constexpr std::size_t kConnectionsPerHostMax = 10;  // of one session
inline constexpr std::size_t kSessionConnectionsMax = 100;
inline constexpr Duration kKeepIdleFor = std::chrono::seconds(30);
inline constexpr int kRedirectsMax = 10;
inline constexpr int kInformationalMax = 16;  // 1xx answers before the one that counts

// How long each part of a request may take. kForever: as long as it takes.
struct ClientTimeouts {
  Duration pool = kForever;                       // for a connection while all are in use
  Duration name = std::chrono::seconds(10);       // to look it up
  Duration connect = std::chrono::seconds(10);    // and for a proxy to do so
  Duration tls = std::chrono::seconds(10);        // the handshake
  Duration send = std::chrono::seconds(60);       // for each piece of the request to be taken
  Duration firstByte = std::chrono::seconds(60);  // of the answer
  Duration idle = std::chrono::seconds(60);       // for the rest of its head, and for each piece
                                                  // of its body
  Duration total = kForever;  // from the call to the body's end, redirects included
};

struct Credentials {
  std::string user;
  std::string password;
};

// What is said here counts instead of what the session says.
struct RequestOptions {
  Fields fields = {};
  Parameters parameters = {};  // added to the URL's query
  ClientBody body = {};
  std::optional<Credentials> credentials = {};  // Basic; none: those of the URL
  std::optional<ClientTimeouts> timeouts = {};
  std::optional<int> redirectsMax = {};  // 0: a redirect is an answer like any other
  std::optional<bool> decompress = {};
};

struct SessionOptions {
  std::string baseUrl = {};  // what the URLs of requests are relative to; may be empty
  Fields fields = {};        // of all requests
  // Of all requests to the host of baseUrl, or without a baseUrl to any.
  std::optional<Credentials> credentials = {};
  ClientTimeouts timeouts = {};
  Limits limits = {};  // `body` counts decoded bytes, of body() and text()
  int redirectsMax = kRedirectsMax;
  bool allowInsecureRedirects = false;  // from https to http
  bool keepsCookies = true;
  bool decompress = true;  // asks for gzip and deflate, and undoes them
  std::size_t connectionsPerHost = kConnectionsPerHostMax;
  std::size_t connectionsMax = kSessionConnectionsMax;
  Duration keepIdleFor = kKeepIdleFor;      // connections between requests
  std::string proxy = {};                   // "http://user:password@host:3128"; empty: none
  std::vector<std::string> noProxy = {};    // hosts that are asked directly, with all below them
  bool proxyFromEnvironment = false;        // http_proxy, https_proxy, all_proxy, no_proxy
  std::optional<net::TlsContext> tls = {};  // none: defaultTlsContext()
  std::string userAgent = "plait";
};

// An answer whose head has arrived. Its body is read by one fiber, as it comes or at once. Its end
// is reached when the request's body has gone out, too; then the connection serves the next
// request. A response that is dropped before closes it. May outlive its session.
class ClientResponse final {
 public:
  explicit ClientResponse(std::unique_ptr<detail::ResponseState> state) noexcept;
  ClientResponse(ClientResponse&&) noexcept;
  ClientResponse& operator=(ClientResponse&&) noexcept;
  // Parks only if the request's body is still being sent: what it refers to is given back then.
  ~ClientResponse();

  int status() const noexcept;
  const std::string& reason() const noexcept;        // "OK"; may be empty
  int version() const noexcept;                      // 10 or 11
  const Fields& fields() const noexcept;             // as they came, also of a body that is decoded
  const Url& url() const noexcept;                   // of the last request
  const std::vector<Url>& history() const noexcept;  // those that led to it by redirects
  bool isOk() const noexcept { return status() >= 200 && status() < 300; }
  // Never switches. Throws: HttpError with the status if that is 400 or above.
  const ClientResponse& raiseForStatus() const;

  // At least one byte of the body; 0 at its end or for an empty `into`. Decoded, if the session
  // decompresses. A kill or timeout closes the connection. May switch. Throws: HttpError,
  // TimeoutError, IoError, ConnectionClosed; ConcurrentUseError.
  std::size_t readSome(net::MutableBytes into);
  // All of it, kept for the next call. May switch. Throws: as readSome; LimitError.
  const std::string& body() &;
  std::string body() &&;
  // body() in UTF-8: what says it is ISO-8859-1 is converted, anything else is taken as it is.
  std::string text();
  // All that is left of it; returns the bytes. May switch. Throws: as readSome and the writing
  // does; LimitError for more than `limit`, which have been written then.
  std::uint64_t saveTo(os::File& file, std::uint64_t limit = ~std::uint64_t{0});
  std::uint64_t copyTo(net::Stream& to, std::uint64_t limit = ~std::uint64_t{0});
  bool isDone() const noexcept;                          // read to the end
  std::optional<std::uint64_t> length() const noexcept;  // as the answer says; encoded
  const Fields& trailers() const noexcept;               // once isDone()

  // Closes the connection if the body was not read to its end: who reads it gets ConnectionClosed.
  // May switch; completes also if the caller is killed meanwhile.
  void close();

  // After a 101 (Switching Protocols): the connection, and in `ahead` what has arrived on it
  // already. Never switches. Throws: std::logic_error for any other answer.
  std::unique_ptr<net::Stream> takeStream(std::string& ahead);

 private:
  std::unique_ptr<detail::ResponseState> state_;
};

struct SessionStatistics {
  std::size_t idle = 0;         // connections between requests
  std::size_t inUse = 0;        // connections, and those being made
  std::uint64_t connected = 0;  // so far
  std::uint64_t requests = 0;   // sent so far, redirects and retries included
  std::uint64_t retries = 0;    // after a connection had ended while it was idle
};

// Connections that are kept, cookies, and what requests have in common. Of one loop's thread; any
// number of fibers at once. A request on a kept connection that the server has closed meanwhile is
// sent again on a new one if that is safe: nothing was sent, or no byte of an answer came and
// doing it twice is as good as once (all methods but POST and PATCH).
class Session final {
 public:
  // Throws: Error for a baseUrl or proxy that cannot be read.
  explicit Session(SessionOptions options = SessionOptions());
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // Closes what is idle; no call may be parked in it. Never switches.
  ~Session();

  // Returns when the answer's head is here. An answer is no error, whatever its status. A kill or
  // timeout in any phase closes the connection. May switch. Throws: TimeoutError, ResolveError,
  // IoError, ConnectionClosed, net::TlsError, HttpError (502 for an answer that breaks the
  // protocol, a limit or the rules of redirects): each says the request and what it was at; Error
  // for a URL that cannot be read; std::invalid_argument for fields that cannot be sent.
  ClientResponse request(std::string_view method, std::string_view url,
                         RequestOptions options = RequestOptions());
  ClientResponse get(std::string_view url, RequestOptions options = RequestOptions());
  ClientResponse head(std::string_view url, RequestOptions options = RequestOptions());
  ClientResponse del(std::string_view url, RequestOptions options = RequestOptions());
  ClientResponse post(std::string_view url, ClientBody body,
                      RequestOptions options = RequestOptions());
  ClientResponse put(std::string_view url, ClientBody body,
                     RequestOptions options = RequestOptions());
  ClientResponse patch(std::string_view url, ClientBody body,
                       RequestOptions options = RequestOptions());

  // Ends all its connections; requests and responses under way get ConnectionClosed, and it returns
  // when they have left. Again is no error. May switch; completes also if the caller is killed.
  void close();

  CookieJar& cookies() noexcept;
  SessionStatistics statistics() const noexcept;

 private:
  // Shared with the responses, which may outlive it.
  std::shared_ptr<detail::SessionState> state_;
};

// With a session of its own. May switch. Throws: as Session::request.
ClientResponse request(std::string_view method, std::string_view url,
                       RequestOptions options = RequestOptions());
ClientResponse get(std::string_view url, RequestOptions options = RequestOptions());
ClientResponse head(std::string_view url, RequestOptions options = RequestOptions());
ClientResponse del(std::string_view url, RequestOptions options = RequestOptions());
ClientResponse post(std::string_view url, ClientBody body,
                    RequestOptions options = RequestOptions());
ClientResponse put(std::string_view url, ClientBody body,
                   RequestOptions options = RequestOptions());
ClientResponse patch(std::string_view url, ClientBody body,
                     RequestOptions options = RequestOptions());

}  // namespace plait::http
