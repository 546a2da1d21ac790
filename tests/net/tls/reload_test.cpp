// New certificates for a server that goes on serving.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "net_support.h"
#include "tls_support.h"

namespace plait::test {
namespace {

std::string nameShown(const net::TlsContext& server, const std::string& serverName = "") {
  static const net::TlsContext client(net::TlsClientOptions{.verify = false, .sessionsMax = 0});
  return tlsPair(client, server, {.serverName = serverName}).client.peerName();
}

FIBER_TEST("new connections get the new certificate; the old ones go on with theirs [TLS-17]") {
  net::TlsContext server(net::TlsServerOptions{.identity = testAuthority().sign("old")});
  TlsPair before = tlsPair(net::TlsContext(net::TlsClientOptions{.verify = false}), server);

  server.setIdentity(testAuthority().sign("new"));

  CHECK(nameShown(server) == "new");
  CHECK(before.client.peerName() == "old");
  before.client.writeAll("still");
  CHECK(readPiece(before.server) == "still");
  before.server.writeAll("here");
  CHECK(readPiece(before.client) == "here");
}

FIBER_TEST("a handshake that has begun ends with the certificate it began with [TLS-17]") {
  net::TlsContext server(
      net::TlsServerOptions{.identity = testAuthority().sign("old"),
                            .names = {{"x.example", testAuthority().sign("old x")}}});
  const net::TlsContext client(net::TlsClientOptions{.verify = false});
  TlsPair pair = tlsOver(net::memoryPair(), client, server, {.serverName = "x.example"});

  server.setIdentity(testAuthority().sign("new x"), "x.example");
  shakeHands(pair);

  CHECK(pair.client.peerName() == "old x");
}

FIBER_TEST("each name has its own reload, and a name may be new [TLS-17]") {
  net::TlsContext server(
      net::TlsServerOptions{.identity = testAuthority().sign("common"),
                            .names = {{"x.example", testAuthority().sign("old x")}}});

  server.setIdentity(testAuthority().sign("new x"), "x.example");
  server.setIdentity(testAuthority().sign("any y"), "*.y.example");

  CHECK(nameShown(server) == "common");
  CHECK(nameShown(server, "x.example") == "new x");
  CHECK(nameShown(server, "a.y.example") == "any y");
}

FIBER_TEST("sessions from before a reload are resumed after it [TLS-18]") {
  for (const bool tls12 : {false, true}) {
    CAPTURE(tls12);
    net::TlsContext client(clientOptions());
    if (tls12) speakTls12(client);
    net::TlsContext server(serverOptions());
    {
      TlsPair pair = tlsPair(client, server);
      pair.server.writeAll("x");
      readPiece(pair.client);
    }

    server.setIdentity(testAuthority().sign());
    TlsPair pair = tlsPair(client, server);

    CHECK(pair.client.isResumed());
    CHECK(pair.server.isResumed());
  }
}

FIBER_TEST("a broken identity changes nothing [TLS-19]") {
  net::TlsContext server(net::TlsServerOptions{.identity = testAuthority().sign("good")});
  const net::TlsIdentity other = testAuthority().sign("other");
  const net::TlsIdentity mismatch{other.certificates, localhostIdentity().key, {}};

  CHECK_THROWS_AS(server.setIdentity({}), net::TlsError);
  CHECK_THROWS_AS(server.setIdentity(mismatch), net::TlsError);
  CHECK_THROWS_AS(server.setIdentity(mismatch, "x.example"), net::TlsError);

  CHECK(nameShown(server) == "good");
  CHECK(nameShown(server, "x.example") == "good");
  server.setIdentity(other);
  CHECK(nameShown(server) == "other");
}

FIBER_TEST("a client's context has no certificate to reload [TLS-19]") {
  net::TlsContext client(clientOptions());

  CHECK_THROWS_AS(client.setIdentity(localhostIdentity()), std::logic_error);
}

FIBER_TEST("another thread may reload while handshakes go on [TLS-20]") {
  net::TlsContext server(net::TlsServerOptions{.identity = testAuthority().sign("localhost")});
  const net::TlsContext client(clientOptions());
  const net::TlsIdentity identities[] = {testAuthority().sign("localhost"),
                                         testAuthority().sign("localhost")};
  std::atomic<bool> isOver{false};
  std::atomic<int> reloads{0};
  std::thread reloader([&] {
    while (!isOver) {
      server.setIdentity(identities[reloads % 2]);
      server.setIdentity(identities[reloads % 2], "x" + std::to_string(reloads % 4));
      ++reloads;
    }
  });

  for (int i = 0; i < 50 || reloads < 5; ++i) {
    TlsPair pair = tlsPair(client, server);
    pair.client.writeAll("ping");
    CHECK(readPiece(pair.server) == "ping");
    pair.server.writeAll("pong");
    CHECK(readPiece(pair.client) == "pong");
  }

  isOver = true;
  reloader.join();
  CHECK(nameShown(server) == "localhost");
}

FIBER_TEST("an identity is loaded from files, and a missing file is named [TLS-6]") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("plait-tls-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "certificate.pem") << localhostIdentity().certificates;
  std::ofstream(folder / "key.pem") << localhostIdentity().key;

  const auto identity = net::TlsIdentity::load(folder / "certificate.pem", folder / "key.pem");
  const auto missing = outcomeOf(
      [&folder] { net::TlsIdentity::load(folder / "certificate.pem", folder / "nobody.pem"); });
  std::filesystem::remove_all(folder);

  CHECK(identity.certificates == localhostIdentity().certificates);
  CHECK(identity.key == localhostIdentity().key);
  CHECK(missing.code == std::errc::no_such_file_or_directory);
  CHECK(missing.says("nobody.pem"));
}

}  // namespace
}  // namespace plait::test
