// Protocols over TLS and over endpoints of any kind.

#include <array>

#include "certificates.h"
#include "plait/endpoint.h"
#include "plait/tls.h"
#include "protocol_support.h"

namespace plait::test {
namespace {

// Makes one Recorder and remembers it; what becomes of a client's attempt is written down.
class RecorderFactory final : public ClientFactory {
 public:
  std::shared_ptr<Protocol> buildProtocol(const net::Address& peer) override {
    peers.push_back(peer.toString());
    return protocol;
  }
  void clientConnectionFailed(const Connector&, const Failure& reason) override {
    failure = reason;
    over.set();
  }

  std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
  std::vector<std::string> peers;
  std::optional<Failure> failure;
  Event over;
};

net::TlsContext serverContext() { return net::TlsContext(serverOptions()); }
net::TlsContext clientContext() { return net::TlsContext(clientOptions()); }

struct Listening {
  std::shared_ptr<RecorderFactory> factory = std::make_shared<RecorderFactory>();
  ListeningPort port = listenSSL(0, factory, serverContext(), 50, "127.0.0.1");
  std::uint16_t number() const { return port.getHost().port(); }
  ~Listening() { waitForDeferred(port.stopListening()); }
};

}  // namespace

FIBER_TEST("protocols talk over TLS and are closed in order [PROTOCOL-42]") {
  Listening server;
  server.factory->protocol->onData = [](Recorder& self, std::string_view data) {
    self.transport().write(data);
    self.transport().loseConnection();
  };
  const auto factory = std::make_shared<RecorderFactory>();
  factory->protocol->onMade = [](Recorder& self) { self.transport().write("hello"); };

  connectSSL("localhost", server.number(), factory, clientContext());
  factory->protocol->over.wait();
  server.factory->protocol->over.wait();

  CHECK(factory->protocol->received == "hello");
  CHECK(factory->protocol->lostBy<ConnectionDone>());
  CHECK(server.factory->protocol->lostBy<ConnectionDone>());
  CHECK(factory->peers.size() == 1);
  CHECK(server.factory->peers.front() == factory->protocol->transport().getHost().toString());
}

FIBER_TEST("a server that is not trusted is a connection that failed [PROTOCOL-42]") {
  Listening server;
  const auto factory = std::make_shared<RecorderFactory>();

  connectSSL("localhost", server.number(), factory);
  factory->over.wait();

  CHECK(factory->failure->check<net::TlsError>() != nullptr);
  CHECK(factory->protocol->calls.empty());
  CHECK(server.factory->protocol->calls.empty());
}

FIBER_TEST("a client whose handshake fails costs only itself [PROTOCOL-42]") {
  Listening server;
  net::SocketStream stranger = net::connect(server.port.getHost());
  stranger.writeAll("GET / HTTP/1.1\r\n\r\n");
  std::array<std::byte, 100> bytes{};
  while (stranger.readSome(bytes) > 0) continue;

  net::TlsStream client =
      net::connectTls("tcp:localhost:" + std::to_string(server.number()), clientContext());
  client.writeAll("hello");

  CHECK(server.factory->protocol->awaitBytes(5) == "hello");
  client.close();
  server.factory->protocol->over.wait();
}

FIBER_TEST("an abort says no goodbye, and a truncated stream is a lost one [PROTOCOL-42]") {
  Listening server;
  server.factory->protocol->onMade = [](Recorder& self) { self.transport().abortConnection(); };

  net::TlsStream client =
      net::connectTls("tcp:localhost:" + std::to_string(server.number()), clientContext());
  std::array<std::byte, 1> one{};
  std::error_code error;
  client.readSome(one, error);

  CHECK(error);
  server.factory->protocol->over.wait();
  CHECK(server.factory->protocol->lostBy<ConnectionAborted>());
}

FIBER_TEST("a peer that ends without a goodbye is lost, not done [PROTOCOL-42]") {
  Listening server;
  {
    net::TlsStream client =
        net::connectTls("tcp:localhost:" + std::to_string(server.number()), clientContext());
    client.writeAll("half a sen");
    server.factory->protocol->awaitBytes(10);
    static_cast<net::SocketStream&>(client.below()).shutdownWrite();
    server.factory->protocol->over.wait();
  }

  CHECK(server.factory->protocol->lostBy<ConnectionLost>());
}

FIBER_TEST("endpoints of any kind serve protocols and connect them [PROTOCOL-43]") {
  const auto serving = std::make_shared<RecorderFactory>();
  const ListeningPort port = listenEndpoint("haproxy:unix:@plait-ssl-test", serving);
  net::SocketStream balancer = net::connect("unix:@plait-ssl-test");

  balancer.writeAll("PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\nhello");

  CHECK(serving->protocol->awaitBytes(5) == "hello");
  CHECK(serving->peers.front() == "10.0.0.1:8080");
  CHECK(serving->protocol->transport().getPeer().toString() == "10.0.0.1:8080");
  balancer.close();
  serving->protocol->over.wait();
  waitForDeferred(port.stopListening());

  const auto factory = std::make_shared<RecorderFactory>();
  connectEndpoint("tcp:nowhere", factory);
  factory->over.wait();
  CHECK(factory->failure->message().find("the port is missing") != std::string::npos);
}

}  // namespace plait::test
