// A peer that does what no good one does: only its own connection may suffer, within bounds.

#include <vector>

#include "net_support.h"
#include "plait/timeout.h"
#include "raw_peer.h"
#include "stream_contract.h"
#include "test_streams.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::TlsErrc;

struct RawAndOurs {
  std::unique_ptr<net::MemoryStream> below;  // the raw peer's
  net::TlsStream ours;
};

RawAndOurs besides(const net::TlsContext& context, net::TlsOptions options = localhost(),
                   std::size_t capacity = net::kMemoryStreamBytes) {
  auto [a, b] = net::memoryPair(capacity);
  return {std::make_unique<net::MemoryStream>(std::move(a)),
          net::TlsStream(std::move(b), context, std::move(options))};
}

// What our server's handshake makes of bytes that are no handshake.
Outcome serverGiven(const std::string& bytes) {
  auto [below, server] = besides(net::TlsContext(serverOptions()), {});
  auto peer = spawn([&below, &bytes] {
    std::error_code ignored;
    below->writeAll(bytes, ignored);
    below->shutdownWrite();
  });
  Outcome outcome = outcomeOf([&server] { server.handshake(); });
  server.close();
  peer.get();
  return outcome;
}

FIBER_TEST("an HTTP request on a TLS port is named as such [TLS-30]") {
  const Outcome outcome = serverGiven("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

  CHECK(outcome.code == TlsErrc::failed);
  CHECK(outcome.says("http request"));
}

FIBER_TEST("bytes that are no handshake fail it, whatever they are [TLS-30]") {
  std::uint64_t state = seed();
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::string bytes = pattern(1 + (state >> 40) % 2000, state);
    // Half of them look like a record.
    if (i % 2 == 0) bytes = std::string("\x16\x03\x01\x01\x00\x01\x00", 7) + bytes;

    const Outcome outcome = serverGiven(bytes);

    CHECK(outcome.code.category() == net::tlsCategory());
  }
}

FIBER_TEST("an end in the middle of the handshake is no end of a stream [TLS-30]") {
  const Outcome nothing = serverGiven("");
  const Outcome part = serverGiven(std::string("\x16\x03\x01\x01\x00\x01", 6));

  CHECK(nothing.code == TlsErrc::truncated);
  CHECK(part.code == TlsErrc::truncated);
  CHECK(part.says("the TLS handshake of tls over"));
}

FIBER_TEST("a close_notify in place of a handshake ends it, whatever follows [TLS-30]") {
  const std::string closeNotify("\x15\x03\x01\x00\x02\x01\x00", 7);
  const std::string warning("\x15\x03\x01\x00\x02\x01\x5a", 7);
  std::string flood = closeNotify;
  for (int i = 0; i < 30'000; ++i) flood += warning;

  const Outcome alone = serverGiven(closeNotify);
  const Outcome flooded = serverGiven(flood);

  CHECK(!alone);
  CHECK(flooded.code == TlsErrc::failed);
}

FIBER_TEST("a close_notify in answer to a client's hello fails the handshake at once [TLS-30]") {
  auto [below, client] = besides(net::TlsContext(clientOptions()));
  auto peer = spawn([&below] {
    const std::string closeNotify("\x15\x03\x03\x00\x02\x01\x00", 7);
    std::string flood = closeNotify;
    for (int i = 0; i < 30'000; ++i) flood += closeNotify;
    std::error_code ignored;
    below->writeAll(flood, ignored);
  });

  const Outcome outcome = outcomeOf([&client] { client.handshake(); });
  client.close();
  peer.get();

  CHECK(outcome.code.category() == net::tlsCategory());
}

FIBER_TEST("a peer that asks without end and reads no answer fills no memory of ours [TLS-31]") {
  auto [below, ours] = besides(net::TlsContext(clientOptions()));
  RawPeer peer(*below, localhostIdentity());
  ::SSL_set_max_proto_version(peer.ssl(), TLS1_2_VERSION);
  withTaskGroup([&peer, &ours](TaskGroup& group) {
    group.spawn([&peer] { CHECK(peer.handshake()); });
    ours.handshake();
  });
  // The answers have to wait for a writer, and nobody reads what it writes.
  auto writer = spawn([&ours] {
    std::error_code ignored;
    ours.writeAll(std::string(1 << 20, 'x'), ignored);
  });
  auto reader = spawn([&ours] { outcomeOf([&ours] { readPiece(ours); }); });
  std::size_t sent = 0;
  auto asking = spawn([&peer, &sent] {
    for (;;) {
      peer.askRenegotiation();
      ++sent;
    }
  });

  for (int i = 0; i < 100'000 && sent < 10'000; ++i) yield();
  CHECK(sent > 500);
  CHECK(sent < 10'000);

  asking.kill();
  ours.close();
  writer.get();
  reader.get();
}

FIBER_TEST("who asks without end still gets the bytes that were waiting [TLS-31]") {
  auto [below, ours] = besides(net::TlsContext(clientOptions()));
  RawPeer peer(*below, localhostIdentity());
  ::SSL_set_max_proto_version(peer.ssl(), TLS1_2_VERSION);
  withTaskGroup([&peer, &ours](TaskGroup& group) {
    group.spawn([&peer] { CHECK(peer.handshake()); });
    ours.handshake();
  });
  constexpr std::size_t kRecords = 64;
  auto writer = spawn([&ours] { ours.writeAll(std::string(kRecords * 16'384, 'x')); });
  auto reader = spawn([&ours] { return readPiece(ours); });
  auto asking = spawn([&peer] {
    for (int i = 0; i < 4'000; ++i) peer.askRenegotiation();
    peer.write("at last");
  });
  for (int i = 0; i < 5'000; ++i) yield();
  CHECK(!asking.isReady());

  // OpenSSL takes a refused renegotiation for an error, so the peer shall not see it.
  auto drain = spawn([&below] { readToEnd(*below); });

  CHECK(reader.get() == "at last");
  writer.get();
  asking.get();
  ours.close();
  drain.get();
}

}  // namespace
}  // namespace plait::test
