// Endpoint strings as in Twisted, for both sides and with whatever layers they name: TLS, the PROXY
// header. net::listen() and net::connect() of <plait/tcp.h> take those that need none.
//
//   listening                                          connecting
//   tcp:8080:interface=127.0.0.1:backlog=50 tcp:example.org:80:timeout=5:bindAddress=ADDRESS
//   tcp:127.0.0.1:8080                                 tcp:[::1]:80
//   unix:/run/x.sock:mode=660                          unix:/run/x.sock
//   ssl:443:privateKey=key.pem:certKey=cert.pem        tls:example.org:443
//   systemd:domain=INET:index=0                        ssl:example.org:443 (the same)
//   fd:3
//   haproxy:tcp:80 (PROXY v1 and v2, in front of any of the above)
//
// A ':' or '\' in a value is written "\:" and "\\".
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "plait/address.h"
#include "plait/stream.h"
#include "plait/tcp.h"
#include "plait/time.h"
#include "plait/tls.h"

namespace plait::net {

namespace detail {
struct StreamLayers;
class StreamListenerState;
}  // namespace detail

inline constexpr Duration kProxyHeaderTimeout = std::chrono::seconds(5);
inline constexpr std::size_t kOpeningsMax = 4'096;  // connections in their handshake at once

// A connection that was accepted, before its layers: open() has them read and answer.
class Arrival final {
 public:
  Arrival(SocketStream socket, std::shared_ptr<const detail::StreamLayers> layers);
  Arrival(Arrival&&) noexcept;
  Arrival& operator=(Arrival&&) noexcept;
  ~Arrival();

  // PROXY header and TLS handshake, each with its deadline; once. May switch. Throws: TlsError,
  // IoError, TimeoutError; the connection is closed then.
  std::unique_ptr<Stream> open();
  // Of the client: as the PROXY header says after open(), else of the socket.
  Address peer() const noexcept { return peer_; }

 private:
  SocketStream socket_;
  std::shared_ptr<const detail::StreamLayers> layers_;  // shared with the listener
  Address peer_;
};

// Listens on any endpoint.
class StreamListener final {
 public:
  StreamListener() noexcept;  // closed
  // `layers` none: a plain socket.
  explicit StreamListener(Listener listener, std::optional<TlsContext> tls = std::nullopt,
                          bool readsProxyHeader = false);
  StreamListener(StreamListener&&) noexcept;
  StreamListener& operator=(StreamListener&&) noexcept;
  ~StreamListener();  // closes; nobody may be parked in it

  // The next connection as it comes; open() it in a fiber of its own. May switch. Throws: as
  // Listener::accept.
  Arrival acceptArrival();
  // The next connection that is open: handshakes go on beside each other in fibers of their own, at
  // most kOpeningsMax, so that one that stalls holds up nobody; those that fail are dropped and
  // counted. May switch. Throws: as Listener::accept.
  std::unique_ptr<Stream> accept();

  std::size_t failedOpenings() const noexcept;
  bool isSecure() const noexcept;  // with TLS
  Address address() const;         // with the port that was given. Throws: IoError.
  void close();                    // Those parked in accept get ConnectionClosed. May switch.
  bool isOpen() const noexcept;
  // To reload certificates. Throws: std::logic_error without TLS.
  TlsContext tls() const;
  Listener& listener() noexcept;
  // For an Arrival of a connection that was accepted from listener() itself.
  std::shared_ptr<const detail::StreamLayers> layers() const noexcept;

 private:
  std::unique_ptr<detail::StreamListenerState> state_;
};

// May switch (a name is resolved, key files are read). Throw: Error for an endpoint that cannot be
// read, pointing at the character; IoError, TlsError, ResolveError.
StreamListener listenStream(std::string_view endpoint,
                            const ListenOptions& options = ListenOptions());
std::unique_ptr<Stream> connectStream(std::string_view endpoint);

}  // namespace plait::net
