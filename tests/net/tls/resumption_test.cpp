// Sessions: taken up again, when not, and how many are kept.

#include <vector>

#include "net_support.h"
#include "tls_support.h"

namespace plait::test {
namespace {

// One connection from handshake to end, over which the client reads its tickets; whether it was
// resumed, as both ends say.
bool isResumed(const net::TlsContext& client, const net::TlsContext& server,
               const net::TlsOptions& options = localhost()) {
  TlsPair pair = tlsPair(client, server, options);
  pair.server.writeAll("x");
  CHECK(readPiece(pair.client) == "x");
  CHECK(pair.client.isResumed() == pair.server.isResumed());
  pair.client.close();
  pair.server.close();
  return pair.client.isResumed() || pair.server.isResumed();
}

FIBER_TEST("the next connection to a server resumes, in either version [TLS-13]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    const net::TlsContext client(clientOptions());
    net::TlsContext server(serverOptions());
    if (tls12) speakTls12(server);

    CHECK(!isResumed(client, server));
    for (int i = 0; i < 5; ++i) CHECK(isResumed(client, server));
  }
}

FIBER_TEST("a resumed connection knows name, protocol and certificate as the first did [TLS-13]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    net::TlsClientOptions clients = clientOptions();
    clients.protocols = {"h2"};
    net::TlsServerOptions servers = serverOptions();
    servers.protocols = {"h2"};
    const net::TlsContext client(clients);
    net::TlsContext server(servers);
    if (tls12) speakTls12(server);
    isResumed(client, server);

    TlsPair pair = tlsPair(client, server);

    CHECK(pair.client.isResumed());
    CHECK(pair.client.peerName() == "localhost");
    CHECK(pair.client.protocol() == "h2");
    CHECK(pair.server.protocol() == "h2");
    CHECK(pair.server.serverName() == "localhost");
  }
}

FIBER_TEST("connections that were destroyed and not closed leave their sessions [TLS-13]") {
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(serverOptions());
  {
    TlsPair pair = tlsPair(client, server);
    pair.server.writeAll("x");
    readPiece(pair.client);
  }

  CHECK(isResumed(client, server));
}

FIBER_TEST("connections at once resume with a session each [TLS-13]") {
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(serverOptions());
  isResumed(client, server);

  std::vector<TlsPair> pairs;
  for (int i = 0; i < 3; ++i) pairs.push_back(tlsPair(client, server));

  // The server gave two tickets, and each is for one use.
  CHECK(pairs[0].client.isResumed());
  CHECK(pairs[1].client.isResumed());
  CHECK(!pairs[2].client.isResumed());
}

FIBER_TEST("a server without tickets resumes nobody [TLS-14]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    net::TlsServerOptions options = serverOptions();
    options.tickets = 0;
    const net::TlsContext client(clientOptions());
    net::TlsContext server(options);
    if (tls12) speakTls12(server);

    for (int i = 0; i < 3; ++i) CHECK(!isResumed(client, server));
  }
}

FIBER_TEST("a client that keeps no sessions resumes none [TLS-14]") {
  net::TlsClientOptions options = clientOptions();
  options.sessionsMax = 0;
  const net::TlsContext client(options);
  const net::TlsContext server(serverOptions());

  for (int i = 0; i < 3; ++i) CHECK(!isResumed(client, server));
}

FIBER_TEST("a session is offered to the server of its name alone [TLS-15]") {
  const net::TlsServerOptions options{
      .identity = testAuthority().sign(
          Authority::Wish{.names = {"one.example", "two.example"}, .addresses = {}})};
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(options);
  isResumed(client, server, {.serverName = "one.example"});

  CHECK(!isResumed(client, server, {.serverName = "two.example"}));
  CHECK(isResumed(client, server, {.serverName = "one.example"}));
  CHECK(isResumed(client, server, {.serverName = "two.example"}));
}

FIBER_TEST("contexts share no sessions, so none avoids a verification [TLS-15]") {
  const net::TlsContext careless(net::TlsClientOptions{.verify = false});
  const net::TlsContext careful(clientOptions());
  const Authority stranger("Nobody's Authority");
  const net::TlsContext server(net::TlsServerOptions{.identity = stranger.sign("localhost")});
  isResumed(careless, server);

  TlsPair pair = tlsOver(net::memoryPair(), careful, server);

  CHECK(tryHandshake(pair).client.code == net::TlsErrc::untrusted);
}

FIBER_TEST("a session that the server does not know makes a whole handshake [TLS-15]") {
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(serverOptions());
  const net::TlsContext restarted(serverOptions());
  isResumed(client, server);

  CHECK(!isResumed(client, restarted));
  CHECK(isResumed(client, restarted));
}

FIBER_TEST("of more servers than sessionsMax the one used longest ago is forgotten [TLS-16]") {
  net::TlsClientOptions options{.verify = false};
  options.sessionsMax = 2;
  const net::TlsContext client(options);
  const net::TlsContext server(serverOptions());
  const auto connectTo = [&](const std::string& name) {
    return isResumed(client, server, {.serverName = name});
  };
  connectTo("a");
  connectTo("b");
  CHECK(connectTo("a"));

  connectTo("c");

  CHECK(connectTo("a"));
  CHECK(!connectTo("b"));
}

FIBER_TEST("a client keeps a bounded number of a server's tickets [TLS-16]") {
  net::TlsServerOptions options = serverOptions();
  options.tickets = 50;
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(options);
  isResumed(client, server);

  std::size_t resumed = 0;
  std::vector<TlsPair> pairs;
  for (int i = 0; i < 8; ++i) {
    pairs.push_back(tlsPair(client, server));  // that reads no new ticket
    resumed += pairs.back().client.isResumed();
  }

  CHECK(resumed == net::detail::kSessionsOfServer);
}

}  // namespace
}  // namespace plait::test
