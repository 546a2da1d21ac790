// How long a handshake may take, and whom a slow one concerns: nobody else.

#include <vector>

#include "net_support.h"
#include "plait/timeout.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

TlsPair clientAlone(net::TlsOptions options, net::MemoryStream& peer) {
  auto [a, b] = net::memoryPair();
  peer = std::move(b);
  return {net::TlsStream(std::move(a), net::TlsContext(clientOptions()), std::move(options)),
          net::TlsStream()};
}

FIBER_TEST_ON("sim", "a peer that says nothing ends the handshake at its deadline [TLS-23]") {
  net::MemoryStream silent;
  TlsPair pair = clientAlone(localhost(), silent);
  const TimePoint begin = now();

  const auto error = thrownBy<TimeoutError>([&pair] { pair.client.handshake(); });
  const Duration took = now() - begin;
  const auto again = thrownBy<TimeoutError>([&pair] { pair.client.writeAll("x"); });

  REQUIRE(error);
  CHECK(contains(error->what(), "the TLS handshake of tls localhost over"));
  CHECK(took >= net::kTlsHandshakeTimeout);
  CHECK(took < net::kTlsHandshakeTimeout + 100ms);
  REQUIRE(again);
  CHECK(now() - begin < net::kTlsHandshakeTimeout + 100ms);
}

FIBER_TEST_ON("sim", "a server's deadline is its own, and the code says timed out [TLS-23]") {
  auto [a, b] = net::memoryPair();
  net::TlsStream server(std::move(b), net::TlsContext(serverOptions()), {.handshakeTimeout = 3s});
  std::byte room[1];
  const TimePoint begin = now();

  std::error_code error;
  server.readSome(room, error);

  CHECK(error == std::errc::timed_out);
  CHECK(now() - begin >= 3s);
  CHECK(now() - begin < 3100ms);
}

FIBER_TEST_ON("sim", "a byte each second does not move the deadline [TLS-23]") {
  net::MemoryStream slow;
  net::TlsStream server;
  {
    auto [a, b] = net::memoryPair();
    slow = std::move(a);
    server = net::TlsStream(std::move(b), net::TlsContext(serverOptions()));
  }
  auto trickle = spawn([&slow] {
    const std::string head("\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03", 11);
    for (int i = 0; i < 250; ++i) {
      slow.writeAll(std::string(1, i < 11 ? head[static_cast<std::size_t>(i)] : 'x'));
      sleep(1s);
    }
  });
  const TimePoint begin = now();

  CHECK_THROWS_AS(server.handshake(), TimeoutError);

  CHECK(now() - begin >= 10s);
  CHECK(now() - begin < 10100ms);
  trickle.kill();
}

FIBER_TEST_ON("sim", "a Timeout of the caller's strikes before the deadline, as its own [TLS-21]") {
  net::MemoryStream silent;
  TlsPair pair = clientAlone(localhost(), silent);

  const auto error =
      thrownBy<TimeoutError>([&pair] { withTimeout(1s, [&pair] { pair.client.handshake(); }); });
  pair.server = net::TlsStream(std::move(silent), net::TlsContext(serverOptions()));
  shakeHands(pair);

  REQUIRE(error);
  CHECK(contains(error->what(), "timed out after 1000 ms"));
  CHECK(pair.client.version() == "TLSv1.3");
}

FIBER_TEST_ON("sim", "a thousand stalled handshakes delay no other client [TLS-24]") {
  const net::TlsContext context(serverOptions());
  const net::TlsContext clients(clientOptions());
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  Group handlers;
  auto acceptor = spawn([&] {
    for (;;) {
      handlers.spawn([&context, socket = listener.accept()]() mutable {
        net::TlsStream stream(std::move(socket), context);
        std::byte room[100];
        std::error_code error;
        while (const std::size_t count = stream.readSome(room, error)) {
          stream.writeAll(net::Bytes(room, count));
        }
        stream.close();
      });
    }
  });
  std::vector<net::SocketStream> silent;
  for (int i = 0; i < 1000; ++i) silent.push_back(net::connect(listener.address()));
  const TimePoint begin = now();

  for (int i = 0; i < 10; ++i) {
    net::TlsStream good =
        net::connectTls("tcp:" + listener.address().toString(), clients, localhost());
    good.writeAll("hello");
    CHECK(readCount(good, 5) == "hello");
    good.close();
  }

  CHECK(now() - begin < 1s);
  CHECK(handlers.size() >= 1000);
  handlers.join();
  CHECK(now() - begin < net::kTlsHandshakeTimeout + 1s);
  acceptor.kill();
}

FIBER_TEST("several fibers may ask for the handshake; it is made once [TLS-5]") {
  TlsPair pair = tlsOver(net::memoryPair(), net::TlsContext(clientOptions()),
                         net::TlsContext(serverOptions()));

  withTaskGroup([&pair](TaskGroup& group) {
    for (int i = 0; i < 3; ++i) {
      group.spawn([&pair] { pair.client.handshake(); });
      group.spawn([&pair] { pair.server.handshake(); });
    }
    group.spawn([&pair] { pair.client.writeAll("first"); });
    group.spawn([&pair] { CHECK(readCount(pair.server, 5) == "first"); });
  });
  pair.client.handshake();

  CHECK(pair.client.version() == "TLSv1.3");
}

FIBER_TEST("connectTls verifies the endpoint's host, and what fails names the endpoint [TLS-5]") {
  const net::TlsContext context(serverOptions());
  const net::TlsContext clients(clientOptions());
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto server = spawn([&] {
    for (int i = 0; i < 2; ++i) {
      net::TlsStream stream(listener.accept(), context);
      outcomeOf([&stream] { stream.handshake(); });
      outcomeOf([&stream] { readPiece(stream); });
      stream.close();
    }
  });
  const std::string endpoint = "tcp:" + listener.address().toString();

  net::TlsStream stream = net::connectTls(endpoint, clients);
  stream.close();
  const Outcome wrong =
      outcomeOf([&] { net::connectTls(endpoint, clients, {.serverName = "other.example"}); });
  server.get();

  CHECK(wrong.code == net::TlsErrc::untrusted);
  CHECK(wrong.says("connecting to " + endpoint));
}

}  // namespace
}  // namespace plait::test
