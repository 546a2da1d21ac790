// Clients with certificates of their own: asked for, required, refused.

#include "net_support.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using net::ClientCertificate;
using net::TlsErrc;

const Authority& clientAuthority() {
  static const Authority authority("Clients' Authority");
  return authority;
}

net::TlsServerOptions asking(ClientCertificate how) {
  net::TlsServerOptions options = serverOptions();
  options.clientCertificate = how;
  options.authorities = clientAuthority().pem();
  return options;
}

net::TlsClientOptions clientWith(const net::TlsIdentity& identity) {
  net::TlsClientOptions options = clientOptions();
  options.identity = identity;
  return options;
}

FIBER_TEST("a client's certificate that is required or requested reaches the server [TLS-12]") {
  const net::TlsIdentity alice = clientAuthority().sign("alice");
  for (const auto how : {ClientCertificate::require, ClientCertificate::request}) {
    TlsPair pair = tlsPair(clientWith(alice), asking(how));

    CHECK(pair.server.peerName() == "alice");
    CHECK(pair.server.peerCertificate() == alice.certificates);
  }
}

FIBER_TEST("one that is only requested may be missing [TLS-12]") {
  TlsPair pair = tlsPair(clientOptions(), asking(ClientCertificate::request));

  CHECK(pair.server.peerName().empty());
}

FIBER_TEST("one that is ignored is not asked for [TLS-12]") {
  TlsPair pair = tlsPair(clientWith(testAuthority().sign("alice")), serverOptions());

  CHECK(pair.server.peerCertificate().empty());
}

// In TLS 1.3 a client has shaken hands before the server looks at its certificate.
struct Refusal {
  Outcome server;
  Outcome clientReads;
};

Refusal refusalOf(const net::TlsClientOptions& client, const net::TlsServerOptions& server,
                  bool tls12 = false) {
  net::TlsContext servers(server);
  if (tls12) speakTls12(servers);
  TlsPair pair = tlsOver(net::memoryPair(), net::TlsContext(client), servers);
  auto other = spawn([&pair] { return outcomeOf([&pair] { pair.server.handshake(); }); });
  Outcome reads = outcomeOf([&pair] { readPiece(pair.client); });
  return {other.get(), std::move(reads)};
}

FIBER_TEST("without the required certificate both ends fail, and the client hears why [TLS-12]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    const Refusal refusal = refusalOf(clientOptions(), asking(ClientCertificate::require), tls12);

    CHECK(refusal.server.code == TlsErrc::failed);
    CHECK(refusal.server.says("peer did not return a certificate"));
    CHECK(refusal.clientReads.code == TlsErrc::failed);
    const bool saysWhy = refusal.clientReads.says("certificate required") ||
                         refusal.clientReads.says("handshake failure");
    CHECK(saysWhy);
  }
}

FIBER_TEST(
    "a client's certificate of another authority is untrusted, also if only requested "
    "[TLS-12] [TLS-4]") {
  for (const auto how : {ClientCertificate::require, ClientCertificate::request}) {
    for (const bool tls12 : {false, true}) {
      CAPTURE(tls12);
      const Refusal refusal =
          refusalOf(clientWith(testAuthority().sign("mallory")), asking(how), tls12);

      CHECK(refusal.server.code == TlsErrc::untrusted);
      CHECK(refusal.server.says("certificate verify failed: self-signed certificate in"));
      CHECK(refusal.clientReads.code == TlsErrc::failed);
      CHECK(refusal.clientReads.says("unknown ca"));
    }
  }
}

FIBER_TEST("an expired client certificate is untrusted [TLS-12]") {
  const net::TlsIdentity expired = clientAuthority().sign(
      Authority::Wish{.names = {"alice"}, .addresses = {}, .daysFromNow = -1});

  const Refusal refusal = refusalOf(clientWith(expired), asking(ClientCertificate::require));

  CHECK(refusal.server.code == TlsErrc::untrusted);
  CHECK(refusal.server.says("certificate has expired"));
  CHECK(refusal.clientReads.says("certificate expired"));
}

FIBER_TEST("a resumed client is known by the certificate of its first connection [TLS-12]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    const net::TlsContext client(clientWith(clientAuthority().sign("alice")));
    net::TlsContext server(asking(ClientCertificate::require));
    if (tls12) speakTls12(server);
    {
      TlsPair first = tlsPair(client, server);
      first.server.writeAll("x");
      readPiece(first.client);
    }

    TlsPair second = tlsPair(client, server);

    CHECK(second.server.isResumed());
    CHECK(second.server.peerName() == "alice");
  }
}

FIBER_TEST("a server that asks for certificates needs authorities [TLS-6]") {
  net::TlsServerOptions options = asking(ClientCertificate::request);
  options.authorities.clear();

  CHECK(outcomeOf([&options] { net::TlsContext{options}; }).says("authorities"));
}

}  // namespace
}  // namespace plait::test
