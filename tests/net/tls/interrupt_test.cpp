// Kills at each place where a call may park, and what the stream is good for afterwards.

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

// A server's handshake ends when its tickets are out, and some wires here have no room for them.
const net::TlsContext& serverWithoutTickets() {
  static const net::TlsContext context = [] {
    net::TlsServerOptions options = serverOptions();
    options.tickets = 0;
    return net::TlsContext(options);
  }();
  return context;
}

TlsPair pairOver(std::size_t capacity) {
  return tlsOver(net::memoryPair(capacity), net::TlsContext(clientOptions()),
                 serverWithoutTickets());
}

FIBER_TEST("a handshake killed while it waits for the peer is taken up by the next call [TLS-21]") {
  TlsPair pair = pairOver(net::kMemoryStreamBytes);
  auto first = spawn([&pair] { pair.client.handshake(); });
  settle();

  first.kill();
  shakeHands(pair);
  pair.client.writeAll("whole");

  CHECK(readPiece(pair.server) == "whole");
}

FIBER_TEST(
    "a handshake killed before the first byte went out is taken up by the next call "
    "[TLS-21]") {
  auto [a, b] = net::memoryPair(16);
  a.writeAll("0123456789abcdef");  // the wire is full
  TlsPair pair{net::TlsStream(std::move(a), net::TlsContext(clientOptions()), localhost()),
               net::TlsStream()};
  auto first = spawn([&pair] { pair.client.handshake(); });
  settle();
  CHECK(!first.isReady());

  first.kill();
  CHECK(readCount(b, 16) == "0123456789abcdef");
  pair.server = net::TlsStream(std::move(b), serverWithoutTickets());
  shakeHands(pair);
  auto writer = spawn([&pair] { pair.client.writeAll("whole"); });

  CHECK(readCount(pair.server, 5) == "whole");
  writer.get();
}

FIBER_TEST("a handshake killed in the middle of a message fails for the next, at once [TLS-21]") {
  TlsPair pair = pairOver(16);
  auto first = spawn([&pair] { pair.client.handshake(); });
  settle();

  first.kill();
  const Outcome next = outcomeOf([&pair] { pair.client.handshake(); });

  CHECK(next.code == std::errc::broken_pipe);
}

FIBER_TEST("a handshake killed at any turn is taken up again or fails, and never hangs [TLS-21]") {
  for (int turns = 0; turns < 40; ++turns) {
    CAPTURE(turns);
    TlsPair pair = pairOver(64);
    auto server = spawn([&pair] { return outcomeOf([&pair] { pair.server.handshake(); }); });
    auto client = spawn([&pair] { pair.client.handshake(); });
    for (int i = 0; i < turns; ++i) yield();

    client.kill();
    const Outcome next = outcomeOf([&pair] { pair.client.handshake(); });
    if (!next) pair.client.close();

    CHECK(static_cast<bool>(server.get()) == static_cast<bool>(next));
    if (next) {
      auto writer = spawn([&pair] { pair.client.writeAll("whole"); });
      CHECK(readCount(pair.server, 5) == "whole");
      writer.get();
    }
  }
}

// A client of ours and a server that makes it answer: in TLS 1.2 it refuses each renegotiation by a
// record of its own. The wire takes `capacity` bytes.
struct Answering {
  std::unique_ptr<net::MemoryStream> below;  // the peer's
  std::unique_ptr<RawPeer> peer;
  net::TlsStream ours;
  WireEnd* wire;  // ours
};

Answering answering(std::size_t capacity) {
  auto [a, b] = net::memoryPair(capacity);
  auto wire = std::make_unique<WireEnd>(std::move(b));
  WireEnd* const kept = wire.get();
  Answering made{std::make_unique<net::MemoryStream>(std::move(a)), nullptr,
                 net::TlsStream(std::move(wire), net::TlsContext(clientOptions()), localhost()),
                 kept};
  made.peer = std::make_unique<RawPeer>(*made.below, localhostIdentity());
  ::SSL_set_max_proto_version(made.peer->ssl(), TLS1_2_VERSION);
  withTaskGroup([&made](TaskGroup& group) {
    group.spawn([&made] { CHECK(made.peer->handshake()); });
    made.ours.handshake();
  });
  return made;
}

FIBER_TEST("a reader killed while it sends an answer leaves the stream whole [TLS-22]") {
  constexpr std::size_t kWire = 4096;
  constexpr std::size_t kText = kWire - 29;  // with its record's head and tail the wire is full
  Answering both = answering(kWire);
  both.ours.writeAll(std::string(kText, 'x'));
  auto reader = spawn([&both] { readPiece(both.ours); });
  both.peer->askRenegotiation();
  settle();
  CHECK(!reader.isReady());

  reader.kill();
  auto writer = spawn([&both] { both.ours.writeAll("after"); });
  const auto sent = recordsOf(net::asBytes(readCount(*both.below, kWire + 31 + 34)));
  writer.get();
  both.peer->write("too");

  // OpenSSL takes a refused renegotiation for an error, so the peer shall not see it.
  REQUIRE(sent.size() == 3);
  CHECK(sent[0][0] == kApplicationData);
  CHECK(sent[1][0] == kAlert);
  CHECK(sent[2][0] == kApplicationData);
  CHECK(readPiece(both.ours) == "too");
}

FIBER_TEST("a peer that takes no answer any more is read to its end [TLS-22]") {
  Answering both = answering(1 << 20);
  const std::string text = pattern(100'000);
  both.peer->askRenegotiation();
  for (std::size_t at = 0; at < text.size(); at += 10'000) {
    both.peer->write(text.substr(at, 10'000));
    both.peer->askRenegotiation();
  }
  both.peer->closeNotify();

  both.wire->failsWrites = true;
  const std::string received = readToEnd(both.ours);

  CHECK(received == text);
  CHECK(outcomeOf([&both] { both.ours.writeAll("x"); }).code == std::errc::broken_pipe);
}

}  // namespace
}  // namespace plait::test
