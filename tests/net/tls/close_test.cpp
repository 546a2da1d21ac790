// The end of a connection: said by close_notify, cut off, or bounded in time.

#include "net_support.h"
#include "plait/timeout.h"
#include "stream_contract.h"
#include "test_streams.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::TlsErrc;

FIBER_TEST("close says goodbye, so the peer sees an end and no truncation [TLS-32]") {
  for (const bool tls12 : {false, true}) {
    net::TlsContext server(serverOptions());
    if (tls12) speakTls12(server);
    TlsPair pair = tlsPair(net::TlsContext(clientOptions()), server);
    pair.client.writeAll("last words");

    pair.client.close();

    CHECK(readToEnd(pair.server) == "last words");
    CHECK(readPiece(pair.server).empty());
    CHECK(!pair.client.isOpen());
    CHECK(pair.server.isOpen());
  }
}

FIBER_TEST("an end without close_notify is told from the end of the stream [TLS-32]") {
  TlsPair pair = tlsPair();
  pair.client.writeAll("not all");
  pair.client.below().close();
  std::byte room[100];

  CHECK(readPiece(pair.server) == "not all");
  const Outcome outcome = outcomeOf([&pair] { readPiece(pair.server); });
  std::error_code error;
  const std::size_t count = pair.server.readSome(room, error);

  CHECK(outcome.code == TlsErrc::truncated);
  CHECK(outcome.says("reading from TLSv1.3 over memory stream"));
  CHECK(outcome.says("without close_notify"));
  CHECK(error == TlsErrc::truncated);
  CHECK(count == 0);
}

FIBER_TEST(
    "a cut in the middle of a record is a truncation too, and nothing of it is given "
    "[TLS-32]") {
  TlsPair pair =
      tlsOver(wirePair(), net::TlsContext(clientOptions()), net::TlsContext(serverOptions()));
  shakeHands(pair);
  wireOf(pair.client.below()).onWrite = [](Record& bytes) { bytes.pop_back(); };
  pair.client.writeAll("almost");
  pair.client.below().close();

  CHECK(outcomeOf([&pair] { readPiece(pair.server); }).code == TlsErrc::truncated);
}

FIBER_TEST("who allows truncation gets an end in its place, but never in the handshake [TLS-32]") {
  const net::TlsContext client(clientOptions());
  const net::TlsContext server(serverOptions());
  net::TlsOptions options = localhost();
  options.allowTruncation = true;
  TlsPair pair = tlsPair(client, server, options);
  pair.server.writeAll("all?");
  pair.server.below().close();

  CHECK(readToEnd(pair.client) == "all?");

  auto [a, b] = net::memoryPair();
  net::TlsStream cut(std::move(a), client, options);
  b.close();
  const Outcome outcome = outcomeOf([&cut] { readPiece(cut); });
  CHECK(!outcome);
}

FIBER_TEST("destroying a stream that was not closed is a truncation for its peer [TLS-32]") {
  TlsPair pair = tlsPair();

  pair.client = net::TlsStream();

  CHECK(outcomeOf([&pair] { readPiece(pair.server); }).code == TlsErrc::truncated);
}

FIBER_TEST("after shutdownWrite reading goes on, and writing is refused [TLS-33]") {
  for (const bool tls12 : {false, true}) {
    net::TlsContext server(serverOptions());
    if (tls12) speakTls12(server);
    TlsPair pair = tlsPair(net::TlsContext(clientOptions()), server);
    pair.client.writeAll("request");

    pair.client.shutdownWrite();
    pair.client.shutdownWrite();

    CHECK(readToEnd(pair.server) == "request");
    CHECK(outcomeOf([&pair] { pair.client.writeAll("x"); }).code == std::errc::broken_pipe);
    CHECK(pair.client.below().isOpen());
    auto reader = spawn([&pair] { return readToEnd(pair.client); });
    const std::string answer = pattern(100'000);
    pair.server.writeAll(answer);
    pair.server.close();
    const bool isWhole = reader.get() == answer;
    CHECK(isWhole);
  }
}

FIBER_TEST("who has shut down reads on over the peer's new keys [TLS-33] [TLS-26]") {
  TlsPair pair = tlsPair();
  pair.client.shutdownWrite();

  pair.server.updateKeys(true);
  pair.server.writeAll("newer");
  pair.server.close();

  CHECK(readToEnd(pair.client) == "newer");
  pair.client.close();
}

FIBER_TEST("a shutdownWrite that is killed is done by the next one [TLS-33]") {
  TlsPair pair = tlsOver(net::memoryPair(4096), net::TlsContext(clientOptions()),
                         net::TlsContext(serverOptions()));
  shakeHands(pair);
  pair.client.writeAll(std::string(4096 - 22, 'x'));  // the wire is full now
  auto first = spawn([&pair] { pair.client.shutdownWrite(); });
  settle();
  CHECK(!first.isReady());

  first.kill();
  auto reader = spawn([&pair] { return readToEnd(pair.server).size(); });
  pair.client.shutdownWrite();

  CHECK(reader.get() == 4096 - 22);
}

// An end of ours whose peer reads nothing: its writer is parked, or could be.
struct Jammed {
  net::MemoryStream peer;
  net::TlsStream ours;
};

Jammed jammed(net::TlsOptions options = localhost()) {
  TlsPair pair = tlsOver(net::memoryPair(4096), net::TlsContext(clientOptions()),
                         net::TlsContext(serverOptions()), std::move(options));
  shakeHands(pair);
  auto filler = spawn([&pair] {
    std::string text(4096 - 22, 'x');
    pair.client.writeAll(text);
  });
  filler.get();
  return {std::move(static_cast<net::MemoryStream&>(pair.server.below())), std::move(pair.client)};
}

FIBER_TEST_ON("sim", "close waits for a peer that does not read, as long as it was told [TLS-34]") {
  for (const Duration patience : {Duration(net::kTlsCloseTimeout), Duration(5s), Duration(0s)}) {
    net::TlsOptions options = localhost();
    options.closeTimeout = patience;
    Jammed both = jammed(options);
    auto reader = spawn([&both] { return outcomeOf([&both] { readPiece(both.ours); }); });
    settle();
    const TimePoint begin = now();

    both.ours.close();

    CHECK(now() - begin >= patience);
    CHECK(now() - begin <= patience + 10ms);
    CHECK(!both.ours.isOpen());
    CHECK(reader.get().says("closed"));
  }
}

FIBER_TEST_ON("sim", "a close that is killed still says goodbye, or runs out of time [TLS-34]") {
  Jammed both = jammed();
  const TimePoint begin = now();
  auto closer = spawn([&both] { both.ours.close(); });
  settle();

  closer.kill();

  CHECK(now() - begin >= net::kTlsCloseTimeout);
  CHECK(!both.ours.isOpen());
}

FIBER_TEST("close ends everybody who is parked in the stream [TLS-35]") {
  Jammed both = jammed();
  auto reader = spawn([&both] { readPiece(both.ours); });
  auto writer = spawn([&both] { both.ours.writeAll("parked"); });
  auto waiting = spawn([&both] { both.ours.writeAll("behind it"); });
  auto shutting = spawn([&both] { both.ours.shutdownWrite(); });
  auto updating = spawn([&both] { both.ours.updateKeys(); });
  settle();

  both.ours.close();

  CHECK_THROWS_AS(reader.get(), ConnectionClosed);
  CHECK_THROWS_AS(writer.get(), ConnectionClosed);
  CHECK_THROWS_AS(waiting.get(), ConnectionClosed);
  CHECK_THROWS_AS(shutting.get(), ConnectionClosed);
  CHECK_THROWS_AS(updating.get(), ConnectionClosed);
  CHECK_THROWS_AS(both.ours.handshake(), ConnectionClosed);
}

FIBER_TEST("close ends a handshake, and those who wait for it [TLS-35]") {
  auto [a, b] = net::memoryPair();
  net::TlsStream ours(std::move(a), net::TlsContext(clientOptions()), localhost());
  auto shaking = spawn([&ours] { ours.handshake(); });
  auto reader = spawn([&ours] { readPiece(ours); });
  auto writer = spawn([&ours] { ours.writeAll("x"); });
  settle();

  ours.close();
  ours.close();

  CHECK_THROWS_AS(shaking.get(), ConnectionClosed);
  CHECK_THROWS_AS(reader.get(), ConnectionClosed);
  CHECK_THROWS_AS(writer.get(), ConnectionClosed);
}

FIBER_TEST("both ends may close at once [TLS-35]") {
  TlsPair pair = tlsPair();

  withTaskGroup([&pair](TaskGroup& group) {
    group.spawn([&pair] { pair.client.close(); });
    group.spawn([&pair] { pair.client.close(); });
    group.spawn([&pair] { pair.server.close(); });
  });

  CHECK(!pair.client.isOpen());
  CHECK(!pair.server.isOpen());
}

// A client that writes and closes without ever reading: the server's tickets lie unread in its
// socket, and Linux resets such a connection with all that is still to be sent.
FIBER_TEST("what was written before close arrives, also if the tickets were never read [TLS-36]") {
  const std::string text = pattern(4 << 20);
  const net::TlsContext clients(clientOptions());
  const net::TlsContext servers(serverOptions());
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto client = spawn([&] {
    net::TlsStream stream =
        net::connectTls("tcp:" + listener.address().toString(), clients, localhost());
    stream.writeAll(text);
    stream.close();
  });
  net::TlsStream server(listener.accept(), servers);
  server.handshake();
  // Reads slowly.
  std::string received;
  const Outcome outcome = outcomeOf([&] {
    while (received.size() < text.size()) {
      const std::string piece = readPiece(server);
      if (piece.empty()) break;
      received += piece;
      for (int i = 0; i < 10; ++i) yield();
    }
  });

  CHECK(outcome.text == "");
  CHECK(received.size() == text.size());
  client.get();
}

}  // namespace
}  // namespace plait::test
