// TLS reads and writes records, whatever pieces the stream below makes of them.

#include <random>
#include <vector>

#include "net_support.h"
#include "raw_peer.h"
#include "stream_contract.h"
#include "test_streams.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using net::TlsErrc;

struct Wired {
  TlsPair pair;
  WireEnd& client;
  WireEnd& server;
};

Wired wired(net::TlsContext server = net::TlsContext(serverOptions()),
            net::TlsOptions options = localhost()) {
  TlsPair pair = tlsOver(wirePair(), net::TlsContext(clientOptions()), server, std::move(options));
  WireEnd& one = wireOf(pair.client.below());
  WireEnd& other = wireOf(pair.server.below());
  return {std::move(pair), one, other};
}

// Sends `text` both ways at once; both ends read in pieces of their own.
void sendBothWays(TlsPair& pair, const std::string& text) {
  withTaskGroup([&](TaskGroup& group) {
    for (net::TlsStream* each : {&pair.client, &pair.server}) {
      group.spawn([each, &text] { each->writeAll(text); });
      group.spawn([each, &text] {
        const bool isWhole = readCount(*each, text.size()) == text;
        CHECK(isWhole);
      });
    }
  });
}

FIBER_TEST("bytes that come one at a time make the same stream [TLS-27]") {
  for (const bool tls12 : {false, true}) {
    net::TlsContext context(serverOptions());
    if (tls12) speakTls12(context);
    Wired both = wired(context);
    both.client.pieceOf = both.server.pieceOf = [](std::size_t) { return 1; };

    shakeHands(both.pair);
    sendBothWays(both.pair, pattern(40'000));
    both.pair.client.shutdownWrite();

    CHECK(readToEnd(both.pair.server).empty());
  }
}

FIBER_TEST("bytes that come in pieces of any size make the same stream [TLS-27]") {
  std::minstd_rand random(static_cast<unsigned>(seed()));
  for (int i = 0; i < 30; ++i) {
    CAPTURE(i);
    Wired both = wired();
    const std::size_t most = std::size_t{1} << (1 + random() % 16);
    both.client.pieceOf =
        both.server.pieceOf = [&random, most](std::size_t) { return 1 + random() % most; };

    shakeHands(both.pair);
    sendBothWays(both.pair, pattern(200'000 + random() % 1000, random()));
  }
}

FIBER_TEST("writes of every size arrive whole, around the size of a record too [TLS-27]") {
  Wired both = wired();
  shakeHands(both.pair);
  for (const std::size_t around : {std::size_t{1}, std::size_t{16'384}, std::size_t{65'536}}) {
    for (std::size_t bytes = around - 1; bytes <= around + 1; ++bytes) {
      CAPTURE(bytes);
      const std::string text = pattern(bytes, bytes);
      auto writer = spawn([&both, &text] { both.pair.client.writeAll(text); });

      const bool isWhole = readCount(both.pair.server, bytes) == text;

      CHECK(isWhole);
      writer.get();
    }
  }
}

FIBER_TEST("small rooms to read into lose nothing, and none reads nothing [TLS-27]") {
  Wired both = wired();
  shakeHands(both.pair);
  both.pair.client.writeAll("0123456789");

  CHECK(both.pair.server.readSome({}) == 0);
  CHECK(readPiece(both.pair.server, 3) == "012");
  CHECK(readPiece(both.pair.server, 3) == "345");
  CHECK(readPiece(both.pair.server) == "6789");
}

FIBER_TEST("a write goes out while the peer's message has come in part [TLS-27]") {
  auto [a, b] = wirePair();
  RawPeer peer(a, localhostIdentity());
  // A ticket as large as that of a client with certificates, in small records.
  ::SSL_CTX_set_session_ticket_cb(
      peer.context(),
      [](SSL* ssl, void*) {
        const std::string load(3000, 'x');
        return ::SSL_SESSION_set1_ticket_appdata(::SSL_get_session(ssl), load.data(), load.size());
      },
      nullptr, nullptr);
  ::SSL_set_num_tickets(peer.ssl(), 0);
  ::SSL_set_max_send_fragment(peer.ssl(), 512);
  net::TlsStream ours(std::move(b), net::TlsContext(clientOptions()), localhost());
  withTaskGroup([&peer, &ours](TaskGroup& group) {
    group.spawn([&peer] { CHECK(peer.handshake()); });
    ours.handshake();
  });
  for (const bool hasReader : {true, false}) {
    CAPTURE(hasReader);
    Record rest;
    a.onWrite = [&rest](Record& bytes) {
      const std::size_t first = recordsOf(bytes).front().size();
      rest.assign(bytes.begin() + static_cast<std::ptrdiff_t>(first), bytes.end());
      bytes.resize(first);
    };
    auto reader = spawn([&ours] { return readPiece(ours); });
    ::SSL_new_session_ticket(peer.ssl());
    ::SSL_do_handshake(peer.ssl());
    peer.flush();
    settle();
    CHECK(rest.size() > 1000);
    a.onWrite = [](Record&) {};
    if (!hasReader) reader.kill();

    auto writer = spawn([&ours] { ours.writeAll("meanwhile"); });
    settle();
    a.writeAll(rest);

    CHECK(peer.read() == "meanwhile");
    peer.write("done");
    CHECK((hasReader ? reader.get() : readPiece(ours)) == "done");
    writer.get();
  }
}

// ---- what a network must not do to a record

enum class Damage { flip, swap, repeat, drop };

// Where the server's next write is damaged the client sees it, and the other way round.
Outcome readDamaged(Damage damage, bool isServerDamaged, bool tls12) {
  net::TlsContext context(serverOptions());
  if (tls12) speakTls12(context);
  Wired both = wired(context);
  shakeHands(both.pair);
  net::TlsStream& writer = isServerDamaged ? both.pair.server : both.pair.client;
  net::TlsStream& reader = isServerDamaged ? both.pair.client : both.pair.server;
  writer.writeAll("before");
  CHECK(readPiece(reader) == "before");
  (isServerDamaged ? both.server : both.client).onWrite = [damage](Record& bytes) {
    std::vector<Record> records = recordsOf(bytes);
    REQUIRE(records.size() == 3);
    if (damage == Damage::flip) records[1][100] ^= std::byte{1};
    if (damage == Damage::swap) std::swap(records[1], records[2]);
    if (damage == Damage::repeat) records.insert(records.begin(), records.front());
    if (damage == Damage::drop) records.erase(records.begin());
    bytes.clear();
    for (const Record& each : records) bytes.insert(bytes.end(), each.begin(), each.end());
  };
  const std::string text = pattern(3 * 16'384);
  auto other = spawn([&writer, &text] { outcomeOf([&] { writer.writeAll(text); }); });

  std::string received;
  const Outcome outcome = outcomeOf([&] {
    while (received.size() < text.size()) received += readPiece(reader);
  });
  other.get();
  // What came whole before the damage is given, and nothing else.
  const std::size_t whole = damage == Damage::drop ? 0 : 16'384;
  CHECK(received.size() == whole);
  const bool isBeginning = text.starts_with(received);
  CHECK(isBeginning);
  const Outcome told = outcomeOf([&writer] { readPiece(writer); });
  CHECK(told.code == TlsErrc::failed);
  CHECK(told.says("bad record mac"));
  return outcome;
}

FIBER_TEST(
    "a record that was changed, moved, repeated or lost is a typed error at both ends "
    "[TLS-29]") {
  for (const Damage damage : {Damage::flip, Damage::swap, Damage::repeat, Damage::drop}) {
    for (const bool isServerDamaged : {false, true}) {
      for (const bool tls12 : {false, true}) {
        CAPTURE(static_cast<int>(damage));
        CAPTURE(isServerDamaged);
        CAPTURE(tls12);
        const Outcome outcome = readDamaged(damage, isServerDamaged, tls12);

        CHECK(outcome.code == TlsErrc::failed);
        CHECK(outcome.says("decryption failed or bad record mac"));
      }
    }
  }
}

FIBER_TEST("after a damaged record reading fails again, and writing too [TLS-29]") {
  Wired both = wired();
  shakeHands(both.pair);
  both.client.onWrite = [](Record& bytes) { bytes.back() ^= std::byte{0x80}; };
  both.pair.client.writeAll("damaged");

  const Outcome first = outcomeOf([&both] { readPiece(both.pair.server); });
  const Outcome again = outcomeOf([&both] { readPiece(both.pair.server); });
  const Outcome write = outcomeOf([&both] { both.pair.server.writeAll("x"); });

  CHECK(first.code == TlsErrc::failed);
  CHECK(again.text == first.text);
  CHECK(write.code == TlsErrc::failed);
  CHECK(write.says("bad record mac"));
  CHECK(outcomeOf([&both] { both.pair.server.close(); }));
}

FIBER_TEST("a record longer than the protocol's most is refused from its head [TLS-29]") {
  for (const bool isEstablished : {false, true}) {
    Wired both = wired();
    if (isEstablished) {
      shakeHands(both.pair);
      readPiece(both.pair.client, 0);
    }
    both.client.writeAll(std::string("\x17\x03\x03\xff\xff", 5));

    const Outcome outcome = outcomeOf([&both] { readPiece(both.pair.server); });

    CHECK(outcome.code == TlsErrc::failed);
  }
}

FIBER_TEST("random bytes in mid-stream are a typed error [TLS-29]") {
  std::minstd_rand random(static_cast<unsigned>(seed()));
  for (int i = 0; i < 50; ++i) {
    CAPTURE(i);
    Wired both = wired();
    shakeHands(both.pair);
    both.client.writeAll(pattern(1 + random() % 3000, random()));
    both.client.shutdownWrite();

    const Outcome outcome = outcomeOf([&both] { readToEnd(both.pair.server); });

    CHECK(outcome.code.category() == net::tlsCategory());
  }
}

FIBER_TEST("a damaged connection does no harm to another of the same contexts [TLS-29]") {
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(serverOptions());
  TlsPair good = tlsPair(client, server);
  TlsPair bad = tlsOver(wirePair(), client, server);
  shakeHands(bad);
  auto reader = spawn([&good] { return readPiece(good.server); });
  wireOf(bad.client.below()).onWrite = [](Record& bytes) { bytes.back() ^= std::byte{1}; };

  bad.client.writeAll("x");
  CHECK(!outcomeOf([&bad] { readPiece(bad.server); }));
  good.client.writeAll("unharmed");

  CHECK(reader.get() == "unharmed");
}

}  // namespace
}  // namespace plait::test
