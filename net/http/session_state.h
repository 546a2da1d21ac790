// What the requests and responses of a session share, and how close() ends those under way.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "connection_pool.h"
#include "plait/detail/fiber.h"
#include "plait/detail/occupancy.h"
#include "plait/http_client.h"
#include "proxy_rules.h"

namespace plait::http::detail {

// A call that somebody else may end with an error, at the blocking call that it is in or its next
// one. The session's close() does so, and a body that cannot be sent on.
class Visit final : public plait::detail::WaitNode {
 public:
  // Throws: ConnectionClosed if the session was closed.
  explicit Visit(class SessionState& session);
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit();

  // Never switches. Any fiber.
  void strike(std::exception_ptr error) noexcept;

 private:
  struct Blow final : plait::detail::Strike {
    explicit Blow(Visit& v) : Strike(&raise), visit(v) {}
    [[noreturn]] static void raise(plait::detail::Strike& strike);
    Visit& visit;
  };

  net::detail::Occupancy::Visit inside_;
  plait::detail::Fiber& fiber_;
  std::exception_ptr error_;
  Blow blow_{*this};
};

class SessionState final {
 public:
  explicit SessionState(SessionOptions sessionOptions);

  bool isClosed() const noexcept { return closed_; }
  // Throws: ConnectionClosed.
  void requireOpen() const;
  // Ends the calls under way and returns when they have left. May switch.
  void close();

  // For what close() must not strike, but wait for.
  net::detail::Occupancy& inside() noexcept { return inside_; }

  const SessionOptions options;
  const std::optional<Url> base;
  const ProxyRules proxies;
  ConnectionPool pool;
  CookieJar jar;
  std::uint64_t connected = 0;
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;

 private:
  friend class Visit;

  net::detail::Occupancy inside_;
  plait::detail::WaitQueue<Visit> visits_;
  bool closed_ = false;
};

}  // namespace plait::http::detail
