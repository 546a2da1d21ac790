// Whom a client believes: authorities, names, addresses, time; and what both ends hear of a
// refusal.

#include "plait/error.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using net::TlsErrc;

Outcomes handshakeWith(const net::TlsIdentity& identity, const std::string& serverName) {
  return tryHandshake(clientOptions(), {.identity = identity}, {.serverName = serverName});
}

Outcome clientWith(const net::TlsIdentity& identity, const std::string& serverName) {
  return handshakeWith(identity, serverName).client;
}

FIBER_TEST("a certificate of a trusted authority, for the name, is accepted [TLS-1]") {
  const Outcomes outcomes = handshakeWith(testAuthority().sign("example.org"), "example.org");

  CHECK(outcomes.client);
  CHECK(outcomes.server);
}

FIBER_TEST("a certificate of an unknown authority is untrusted, and why is said [TLS-1] [TLS-4]") {
  const Authority stranger("Nobody's Authority");

  const Outcome client = clientWith(stranger.sign("localhost"), "localhost");

  CHECK(client.code == TlsErrc::untrusted);
  CHECK(client.says("the TLS handshake of tls localhost over"));
  CHECK(client.says("certificate verify failed"));
  CHECK(client.says("unable to get local issuer certificate"));
}

FIBER_TEST("an authority with a trusted one's name and another key is not trusted [TLS-1]") {
  const Authority impostor("Test Authority");

  const Outcome client = clientWith(impostor.sign("localhost"), "localhost");

  CHECK(client.code == TlsErrc::untrusted);
}

FIBER_TEST("an expired certificate is untrusted [TLS-1]") {
  const Outcome client =
      clientWith(testAuthority().sign(
                     Authority::Wish{.names = {"localhost"}, .addresses = {}, .daysFromNow = -1}),
                 "localhost");

  CHECK(client.code == TlsErrc::untrusted);
  CHECK(client.says("certificate has expired"));
}

FIBER_TEST("a certificate for another name is untrusted [TLS-2]") {
  const Outcome client = clientWith(testAuthority().sign("example.org"), "example.com");

  CHECK(client.code == TlsErrc::untrusted);
  CHECK(client.says("hostname mismatch"));
}

FIBER_TEST("names are compared without case [TLS-2]") {
  CHECK(clientWith(testAuthority().sign("Example.ORG"), "eXample.org"));
}

FIBER_TEST("any name of the certificate will do [TLS-2]") {
  const net::TlsIdentity identity = testAuthority().sign(
      Authority::Wish{.names = {"one.example", "two.example"}, .addresses = {}});

  CHECK(clientWith(identity, "one.example"));
  CHECK(clientWith(identity, "two.example"));
  CHECK(clientWith(identity, "three.example").code == TlsErrc::untrusted);
}

FIBER_TEST("a wildcard stands for one whole label, the first [TLS-2]") {
  const net::TlsIdentity identity = testAuthority().sign("*.example.org");
  const net::TlsIdentity partial = testAuthority().sign("w*.example.org");

  CHECK(clientWith(identity, "www.example.org"));
  CHECK(clientWith(identity, "example.org").code == TlsErrc::untrusted);
  CHECK(clientWith(identity, "a.b.example.org").code == TlsErrc::untrusted);
  CHECK(clientWith(partial, "www.example.org").code == TlsErrc::untrusted);
}

FIBER_TEST("an address is compared with the certificate's addresses alone [TLS-2]") {
  const net::TlsIdentity identity = testAuthority().sign(
      Authority::Wish{.names = {"192.0.2.9"}, .addresses = {"192.0.2.1", "2001:db8::1"}});

  CHECK(clientWith(identity, "192.0.2.1"));
  CHECK(clientWith(identity, "2001:db8::1"));
  CHECK(clientWith(identity, "2001:DB8:0::0:1"));
  CHECK(clientWith(identity, "192.0.2.2").code == TlsErrc::untrusted);
  CHECK(clientWith(identity, "2001:db8::2").code == TlsErrc::untrusted);
  CHECK(clientWith(identity, "192.0.2.9").code == TlsErrc::untrusted);
}

FIBER_TEST("an address with a scope is verified like one without [TLS-2]") {
  const net::TlsIdentity identity =
      testAuthority().sign(Authority::Wish{.names = {"router"}, .addresses = {"fe80::1"}});

  CHECK(clientWith(identity, "fe80::1%lo"));
  CHECK(clientWith(identity, "fe80::2%lo").code == TlsErrc::untrusted);
}

FIBER_TEST("a name that is none is never a reason to verify less [TLS-2]") {
  for (const std::string name :
       {"127.1", "[127.0.0.1]", "127.0.0.1:443", ".", "localhost.", " localhost", "a..b"}) {
    CAPTURE(name);
    const Outcome client = clientWith(testAuthority().sign("*.example.org"), name);

    CHECK(!client);
  }
  const std::string withNul("localhost\0.example.org", 22);
  CHECK(!clientWith(localhostIdentity(), withNul));
}

FIBER_TEST("without a name to verify there is no handshake [TLS-3]") {
  const Outcome client = clientWith(localhostIdentity(), "");

  CHECK(client.code == TlsErrc::untrusted);
  CHECK(client.says("TlsOptions::serverName"));
}

FIBER_TEST("who verifies nothing accepts every certificate, with and without a name [TLS-3]") {
  const Authority stranger("Nobody's Authority");
  const net::TlsServerOptions server{.identity = stranger.sign(Authority::Wish{
                                         .names = {"x"}, .addresses = {}, .daysFromNow = -1})};

  CHECK(tryHandshake({.verify = false}, server, {.serverName = "example.org"}).client);
  CHECK(tryHandshake({.verify = false}, server, {}).client);
}

FIBER_TEST(
    "whom the system trusts is trusted by default, and our authority is not among them "
    "[TLS-1]") {
  TlsPair pair =
      tlsOver(net::memoryPair(), net::defaultTlsContext(), net::TlsContext(serverOptions()));

  const Outcomes outcomes = tryHandshake(pair);

  CHECK(outcomes.client.code == TlsErrc::untrusted);
  CHECK(outcomes.client.says("unable to get local issuer certificate"));
}

FIBER_TEST("the server hears why its certificate was refused [TLS-4]") {
  const Authority stranger("Nobody's Authority");
  const Outcomes unknown = handshakeWith(stranger.sign("localhost"), "localhost");
  const Outcomes expired =
      handshakeWith(testAuthority().sign(Authority::Wish{
                        .names = {"localhost"}, .addresses = {}, .daysFromNow = -1}),
                    "localhost");

  CHECK(unknown.server.code == TlsErrc::failed);
  CHECK(unknown.server.says("unknown ca"));
  CHECK(expired.server.code == TlsErrc::failed);
  CHECK(expired.server.says("certificate expired"));
}

FIBER_TEST("the overload with an error code tells untrusted from failed [TLS-4]") {
  const Authority stranger("Nobody's Authority");
  TlsPair pair =
      tlsOver(net::memoryPair(), net::TlsContext(clientOptions()),
              net::TlsContext(net::TlsServerOptions{.identity = stranger.sign("localhost")}));
  auto server = spawn([&pair] {
    std::error_code error;
    pair.server.writeAll("x", error);
    return error;
  });
  std::byte room[1];

  std::error_code error;
  pair.client.readSome(room, error);

  CHECK(error == TlsErrc::untrusted);
  CHECK(error.message() == "the peer's certificate was not accepted");
  CHECK(std::string(error.category().name()) == "tls");
  CHECK(server.get() == TlsErrc::failed);
}

FIBER_TEST("a failed handshake stays failed, for every call and every fiber [TLS-4] [TLS-5]") {
  const Authority stranger("Nobody's Authority");
  TlsPair pair =
      tlsOver(net::memoryPair(), net::TlsContext(clientOptions()),
              net::TlsContext(net::TlsServerOptions{.identity = stranger.sign("localhost")}));
  auto server = spawn([&pair] { return outcomeOf([&pair] { pair.server.handshake(); }); });
  auto reader = spawn([&pair] {
    std::byte room[1];
    return outcomeOf([&pair, &room] { pair.client.readSome(room); });
  });
  auto writer = spawn([&pair] { return outcomeOf([&pair] { pair.client.writeAll("x"); }); });

  const Outcome first = outcomeOf([&pair] { pair.client.handshake(); });
  const Outcome again = outcomeOf([&pair] { pair.client.handshake(); });

  CHECK(first.code == TlsErrc::untrusted);
  CHECK(again.text == first.text);
  CHECK(reader.get().text == first.text);
  CHECK(writer.get().text == first.text);
  CHECK(outcomeOf([&pair] { pair.client.shutdownWrite(); }).code == TlsErrc::untrusted);
  CHECK(pair.client.version().empty());
  CHECK(pair.client.peerName().empty());
  CHECK(!server.get());
}

FIBER_TEST("what OpenSSL cannot read is named when the context is made [TLS-6]") {
  const net::TlsIdentity good = localhostIdentity();
  const net::TlsIdentity other = testAuthority().sign("example.org");
  const auto serverWith = [](const net::TlsIdentity& identity) {
    return outcomeOf([&] { net::TlsContext(net::TlsServerOptions{.identity = identity}); });
  };

  CHECK(serverWith({"", good.key}).says("a certificate"));
  CHECK(serverWith({"not PEM", good.key}).says("a certificate"));
  CHECK(serverWith({good.certificates, ""}).says("a private key"));
  CHECK(serverWith({good.certificates, other.key}).says("key values mismatch"));
  CHECK(serverWith({good.certificates + "-----BEGIN CERTIFICATE-----\nAAAA\n", good.key}).code ==
        TlsErrc::failed);
  CHECK(outcomeOf([] {
          net::TlsContext(net::TlsClientOptions{.authorities = "nobody"});
        }).says("authorities"));
}

}  // namespace
}  // namespace plait::test
