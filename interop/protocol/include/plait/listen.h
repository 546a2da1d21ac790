// Twisted's listenTCP, connectTCP and relatives, and asyncio's create_server and create_connection:
// protocols on sockets. Each belongs to the loop on which it was made; what it began ends with the
// run, or earlier when it is told to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plait/address.h"
#include "plait/deferred.h"
#include "plait/endpoint.h"
#include "plait/protocol.h"
#include "plait/tcp.h"
#include "plait/time.h"
#include "plait/tls.h"

namespace plait {

namespace detail {
class PortState;
class ConnectorState;
class UdpState;
}  // namespace detail

inline constexpr int kBacklog = 50;  // connections not yet accepted
inline constexpr Duration kConnectTimeout = std::chrono::seconds(30);  // of connectTCP and the like

// A handle on something that listens.
class ListeningPort final {
 public:
  explicit ListeningPort(std::shared_ptr<detail::PortState> state) noexcept
      : state_(std::move(state)) {}

  net::Address getHost() const;  // with the port that was given
  // Accepts no more; fires when that is so. Connections go on. Again is no error. Never switches.
  Deferred<void> stopListening(std::source_location at = std::source_location::current()) const;

 private:
  std::shared_ptr<detail::PortState> state_;
};

// May switch (a name is resolved). Throw: IoError, as net::listen().
ListeningPort listenTCP(std::uint16_t port, std::shared_ptr<Factory> factory,
                        int backlog = kBacklog, const std::string& interface = "");
ListeningPort listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                         int backlog = kBacklog);
// The protocol is made once the handshake is done; a client whose handshake fails is dropped.
ListeningPort listenSSL(std::uint16_t port, std::shared_ptr<Factory> factory,
                        const net::TlsContext& context, int backlog = kBacklog,
                        const std::string& interface = "");
// Any endpoint, as serverFromString() has them: "ssl:443:privateKey=key.pem:certKey=cert.pem".
// Throws also: Error, TlsError.
ListeningPort listenEndpoint(std::string_view endpoint, std::shared_ptr<Factory> factory);

class ClientFactory;

// A handle on a client's connection, made or to be made.
class Connector final {
 public:
  explicit Connector(std::shared_ptr<detail::ConnectorState> state) noexcept
      : state_(std::move(state)) {}

  // Once more, after the connection was lost or could not be made.
  // Never switches. Throws: std::logic_error while there is one, or an attempt.
  void connect() const;
  // Ends the attempt, or the connection in order. Never switches.
  void disconnect() const;
  // Ends the attempt: clientConnectionFailed() with CancelledError follows.
  // Never switches. Throws: std::logic_error if there is none.
  void stopConnecting() const;
  const std::string& getDestination() const noexcept;  // "tcp:example.org:80"

 private:
  std::shared_ptr<detail::ConnectorState> state_;
};

// A factory that is told how its connections fare.
class ClientFactory : public Factory {
 public:
  virtual void startedConnecting(const Connector&) {}
  virtual void clientConnectionFailed(const Connector&, const Failure&) {}
  virtual void clientConnectionLost(const Connector&, const Failure&) {}
};

// Begins to connect; the factory makes the protocol when there is a connection. Any Factory will
// do; a ClientFactory is told more. Never switch.
Connector connectTCP(const std::string& host, std::uint16_t port, std::shared_ptr<Factory> factory,
                     Duration timeout = kConnectTimeout);
Connector connectUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                      Duration timeout = kConnectTimeout);
// The host is verified.
Connector connectSSL(const std::string& host, std::uint16_t port, std::shared_ptr<Factory> factory,
                     const net::TlsContext& context = net::defaultTlsContext(),
                     Duration timeout = kConnectTimeout);
// Any endpoint, as clientFromString() has them: "tls:example.org:443". One that cannot be read is a
// connection that failed.
Connector connectEndpoint(const std::string& endpoint, std::shared_ptr<Factory> factory,
                          Duration timeout = kConnectTimeout);

// --- datagrams

class DatagramProtocol;

// What a DatagramProtocol writes to. Belongs to its loop.
class DatagramTransport final {
 public:
  explicit DatagramTransport(std::shared_ptr<detail::UdpState> state) noexcept
      : state_(std::move(state)) {}

  // May switch while the socket's buffer is full. Throw: IoError.
  void write(std::string_view datagram, const net::Address& to) const;
  void write(std::string_view datagram) const;  // to the connected peer
  // Only datagrams of this peer from now on. May switch. Throws: IoError.
  void connect(const net::Address& peer) const;
  // Never switches; fires when stopProtocol() has been called.
  Deferred<void> stopListening() const;
  net::Address getHost() const;

 private:
  std::shared_ptr<detail::UdpState> state_;
};

// All calls come on the port's fiber, and may block.
class DatagramProtocol {
 public:
  DatagramProtocol() = default;
  DatagramProtocol(const DatagramProtocol&) = delete;
  DatagramProtocol& operator=(const DatagramProtocol&) = delete;
  virtual ~DatagramProtocol() = default;

  virtual void startProtocol() {}
  virtual void datagramReceived(std::string_view datagram, const net::Address& from) = 0;
  // Of a connected one: nobody listens there.
  virtual void connectionRefused() {}
  virtual void stopProtocol() {}

  const DatagramTransport& transport() const;
  void makeConnection(const DatagramTransport& transport);

 private:
  std::shared_ptr<DatagramTransport> transport_;
};

// Longer datagrams are cut. May switch. Throws: IoError.
DatagramTransport listenUDP(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                            const std::string& interface = "", std::size_t maxPacketSize = 8192);

// --- asyncio's way: the same protocols, made by a function, and calls that block

// asyncio's create_server. May switch. Throws: IoError.
template <class F>
  requires std::is_convertible_v<std::invoke_result_t<F&>, std::shared_ptr<Protocol>>
ListeningPort createServer(F protocolFactory, const std::string& host, std::uint16_t port) {
  return listenTCP(port, std::make_shared<FunctionFactory>(std::move(protocolFactory)), kBacklog,
                   host);
}

namespace detail {
// Returns when connectionMade() has. Throws: what ended the connection before.
void serveInBackground(std::unique_ptr<net::Stream> stream,
                       const std::shared_ptr<Protocol>& protocol, const std::source_location& at);
inline void serveInBackground(net::SocketStream stream, const std::shared_ptr<Protocol>& protocol,
                              std::source_location at) {
  serveInBackground(std::make_unique<net::SocketStream>(std::move(stream)), protocol, at);
}
}  // namespace detail

// asyncio's create_connection: returns when connectionMade() has been called, with the protocol
// that the function has made; its transport() is the connection. May switch. Throws: IoError,
// ResolveError.
template <class F>
auto createConnection(F protocolFactory, std::string_view endpoint,
                      std::source_location at = std::source_location::current()) {
  auto protocol = protocolFactory();
  detail::serveInBackground(net::connectStream(endpoint), protocol, at);
  return protocol;
}

}  // namespace plait
