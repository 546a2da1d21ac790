// What both ends agree on in the handshake: the server's certificate by name, ALPN, the version.

#include "tls_support.h"

namespace plait::test {
namespace {

using net::TlsErrc;
using net::TlsVersion;

net::TlsServerOptions manyNames() {
  const Authority& authority = testAuthority();
  return {.identity = authority.sign("default.example"),
          .names = {{"one.example", authority.sign("one.example")},
                    {"*.many.example", authority.sign("*.many.example")},
                    {"special.many.example", authority.sign("special.many.example")},
                    {"Upper.Example", authority.sign("upper.example")}}};
}

// The common name in the certificate that a client gets who asks for `name`.
std::string certificateFor(const net::TlsContext& server, const std::string& name) {
  static const net::TlsContext client(net::TlsClientOptions{.verify = false, .sessionsMax = 0});
  TlsPair pair = tlsPair(client, server, {.serverName = name});
  CHECK(pair.server.serverName() == name);
  return pair.client.peerName();
}

FIBER_TEST("the server shows the certificate of the name that the client asked for [TLS-7]") {
  const net::TlsContext server(manyNames());

  CHECK(certificateFor(server, "one.example") == "one.example");
  CHECK(certificateFor(server, "a.many.example") == "*.many.example");
  CHECK(certificateFor(server, "special.many.example") == "special.many.example");
}

FIBER_TEST("for another name, and for none, there is the common certificate [TLS-7]") {
  const net::TlsContext server(manyNames());

  CHECK(certificateFor(server, "unknown.example") == "default.example");
  CHECK(certificateFor(server, "a.b.many.example") == "default.example");
  CHECK(certificateFor(server, "many.example") == "default.example");
  CHECK(certificateFor(server, "example") == "default.example");
  CHECK(certificateFor(server, "") == "default.example");
}

FIBER_TEST("names are found without case, however either side writes them [TLS-7]") {
  net::TlsContext server(manyNames());

  CHECK(certificateFor(server, "ONE.Example") == "one.example");
  CHECK(certificateFor(server, "A.MANY.example") == "*.many.example");
  CHECK(certificateFor(server, "upper.example") == "upper.example");
  server.setIdentity(testAuthority().sign("new.example"), "UPPER.example");
  CHECK(certificateFor(server, "upper.example") == "new.example");
}

FIBER_TEST("an address is verified, and not sent as a name [TLS-7]") {
  const net::TlsServerOptions options{
      .identity = testAuthority().sign(
          Authority::Wish{.names = {"host"}, .addresses = {"192.0.2.1", "2001:db8::1"}})};
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(options);

  TlsPair four = tlsPair(client, server, {.serverName = "192.0.2.1"});
  TlsPair six = tlsPair(client, server, {.serverName = "2001:db8::1"});

  CHECK(four.server.serverName().empty());
  CHECK(six.server.serverName().empty());
}

Outcomes negotiate(std::vector<std::string> client, std::vector<std::string> server,
                   std::string& chosen) {
  net::TlsClientOptions clients = clientOptions();
  clients.protocols = std::move(client);
  net::TlsServerOptions servers = serverOptions();
  servers.protocols = std::move(server);
  TlsPair pair = tlsOver(net::memoryPair(), net::TlsContext(clients), net::TlsContext(servers));
  Outcomes outcomes = tryHandshake(pair);
  chosen = pair.client.protocol();
  CHECK(pair.server.protocol() == chosen);
  return outcomes;
}

FIBER_TEST("of the protocols that both offer, the server's first is chosen [TLS-8]") {
  std::string chosen;

  CHECK(negotiate({"http/1.1", "h2"}, {"h2", "http/1.1"}, chosen).client);
  CHECK(chosen == "h2");
  CHECK(negotiate({"x", "http/1.1"}, {"h2", "http/1.1"}, chosen).client);
  CHECK(chosen == "http/1.1");
}

FIBER_TEST("without a protocol in common both ends fail and say so [TLS-8]") {
  std::string chosen;

  const Outcomes outcomes = negotiate({"spdy/1"}, {"h2"}, chosen);

  CHECK(outcomes.client.code == TlsErrc::failed);
  CHECK(outcomes.client.says("no application protocol"));
  CHECK(outcomes.server.code == TlsErrc::failed);
  CHECK(outcomes.server.says("no application protocol"));
}

FIBER_TEST("where one end offers no protocol none is chosen [TLS-8]") {
  std::string chosen = "?";

  CHECK(negotiate({}, {"h2"}, chosen).client);
  CHECK(chosen.empty());
  CHECK(negotiate({"h2"}, {}, chosen).client);
  CHECK(chosen.empty());
}

FIBER_TEST("a protocol that no handshake can carry is refused with its context [TLS-8]") {
  net::TlsClientOptions options = clientOptions();
  for (const std::size_t bytes : {0u, 256u}) {
    options.protocols = {"h2", std::string(bytes, 'x')};
    CHECK_THROWS_AS(net::TlsContext{options}, std::invalid_argument);
  }
  options.protocols = {std::string(255, 'x')};
  CHECK_NOTHROW(net::TlsContext{options});
}

FIBER_TEST("both ends tell version, cipher and certificate once they have agreed [TLS-9]") {
  TlsPair pair = tlsOver(net::memoryPair(), net::TlsContext(clientOptions()),
                         net::TlsContext(serverOptions()));
  for (net::TlsStream* each : {&pair.client, &pair.server}) {
    CHECK(each->version().empty());
    CHECK(each->cipher().empty());
    CHECK(each->serverName().empty());
    CHECK(each->peerCertificate().empty());
    CHECK(!each->isResumed());
  }
  CHECK(pair.client.describe() == "tls localhost over " + pair.client.below().describe());

  shakeHands(pair);

  CHECK(pair.client.version() == "TLSv1.3");
  CHECK(pair.server.version() == "TLSv1.3");
  CHECK(pair.client.cipher().starts_with("TLS_"));
  CHECK(pair.server.cipher() == pair.client.cipher());
  CHECK(pair.client.peerCertificate() == localhostIdentity().certificates);
  CHECK(pair.client.peerName() == "localhost");
  CHECK(pair.server.peerCertificate().empty());
  CHECK(pair.server.peerName().empty());
  CHECK(pair.client.describe() == "TLSv1.3 localhost over " + pair.client.below().describe());
}

FIBER_TEST("a stream that was never open tells nothing, and refuses every call [TLS-9]") {
  net::TlsStream none;
  std::byte room[1];

  CHECK(!none.isOpen());
  CHECK(none.version().empty());
  CHECK(none.ocspResponse().empty());
  CHECK(none.describe() == "a closed stream");
  CHECK_THROWS_AS(none.handshake(), ConnectionClosed);
  CHECK_THROWS_AS(none.readSome(room), ConnectionClosed);
  CHECK_THROWS_AS(none.writeAll("x"), ConnectionClosed);
  CHECK_THROWS_AS(none.updateKeys(), ConnectionClosed);
  CHECK_THROWS_AS(none.shutdownWrite(), ConnectionClosed);
  none.close();
}

FIBER_TEST("TLS 1.2 is spoken with a peer that knows no other, unless 1.3 is the least [TLS-10]") {
  net::TlsClientOptions strict = clientOptions();
  strict.versionMin = TlsVersion::tls13;
  net::TlsContext server(serverOptions());
  speakTls12(server);

  TlsPair pair = tlsPair(net::TlsContext(clientOptions()), server);
  TlsPair refused = tlsOver(net::memoryPair(), net::TlsContext(strict), server);
  const Outcomes outcomes = tryHandshake(refused);

  CHECK(pair.client.version() == "TLSv1.2");
  CHECK(pair.server.version() == "TLSv1.2");
  CHECK(outcomes.client.code == TlsErrc::failed);
  CHECK(outcomes.client.says("protocol version"));
  CHECK(outcomes.server.code == TlsErrc::failed);
  CHECK(outcomes.server.says("unsupported protocol"));
}

FIBER_TEST("a server whose least is TLS 1.3 refuses an older client [TLS-10]") {
  net::TlsServerOptions strict = serverOptions();
  strict.versionMin = TlsVersion::tls13;
  net::TlsContext client(clientOptions());
  speakTls12(client);
  TlsPair pair = tlsOver(net::memoryPair(), client, net::TlsContext(strict));

  const Outcomes outcomes = tryHandshake(pair);

  CHECK(outcomes.client.says("protocol version"));
  CHECK(outcomes.server.says("unsupported protocol"));
}

FIBER_TEST("a stapled OCSP response reaches the client that asks for it [TLS-11]") {
  const std::string response("der\0bytes", 9);
  net::TlsServerOptions options = serverOptions();
  options.identity.ocspResponse = response;
  options.names = {{"plain.example", testAuthority().sign("plain.example")}};
  const net::TlsContext server(options);
  const net::TlsContext asking(net::TlsClientOptions{.verify = false, .askOcsp = true});
  const net::TlsContext silent(net::TlsClientOptions{.verify = false});

  CHECK(tlsPair(asking, server).client.ocspResponse() == response);
  CHECK(tlsPair(asking, server, {}).client.ocspResponse() == response);
  CHECK(tlsPair(silent, server).client.ocspResponse().empty());
  CHECK(tlsPair(asking, server, {.serverName = "plain.example"}).client.ocspResponse().empty());
}

}  // namespace
}  // namespace plait::test
