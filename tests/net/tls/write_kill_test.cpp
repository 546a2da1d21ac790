// Writers that are killed: what the peer has got, and what the stream is good for.

#include "net_support.h"
#include "plait/timeout.h"
#include "stream_contract.h"
#include "test_streams.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWire = 40'000;

TlsPair pairWithWire() {
  TlsPair pair = tlsOver(net::memoryPair(kWire), net::TlsContext(clientOptions()),
                         net::TlsContext(serverOptions()));
  shakeHands(pair);
  return pair;
}

FIBER_TEST("a writer killed before anything was encrypted leaves the stream whole [TLS-28]") {
  TlsPair pair = pairWithWire();
  const std::string text = pattern(100'000);
  auto writer = spawn([&pair, &text] { pair.client.writeAll(text); });
  auto behind = spawn([&pair] { pair.client.writeAll("never"); });
  settle();

  behind.kill();
  const bool isWhole = readCount(pair.server, text.size()) == text;
  writer.get();
  pair.client.writeAll("after");

  CHECK(isWhole);
  CHECK(readPiece(pair.server) == "after");
  CHECK(pair.client.interruptedAfter() == 0);
}

FIBER_TEST("a writer that was killed before it began has sent nothing [TLS-28]") {
  TlsPair pair = pairWithWire();
  auto writer = spawn([&pair] { pair.client.writeAll("never"); });
  writer.requestKill();
  writer.join();

  pair.client.writeAll("after");

  CHECK(readPiece(pair.server) == "after");
}

FIBER_TEST("a writer killed in the middle tells how much the peer can have [TLS-28]") {
  TlsPair pair = pairWithWire();
  const std::string text = pattern(200'000);
  auto writer = spawn([&pair, &text] { pair.client.writeAll(text); });
  settle();

  writer.kill();
  const Outcome next = outcomeOf([&pair] { pair.client.writeAll("x"); });
  const Outcome shut = outcomeOf([&pair] { pair.client.shutdownWrite(); });
  const Outcome keys = outcomeOf([&pair] { pair.client.updateKeys(); });
  pair.server.writeAll("still to be read");
  const std::string read = readPiece(pair.client);
  pair.client.close();
  std::string received;
  const Outcome end = outcomeOf([&] {
    for (;;) received += readPiece(pair.server);
  });

  CHECK(next.code == std::errc::broken_pipe);
  CHECK(next.says("a write was interrupted after 32768 of 200000 bytes"));
  CHECK(pair.client.interruptedAfter() == 32'768);
  CHECK(shut.code == std::errc::broken_pipe);
  CHECK(keys.code == std::errc::broken_pipe);
  CHECK(read == "still to be read");
  CHECK(received.size() == 32'768);
  const bool isBeginning = text.starts_with(received);
  CHECK(isBeginning);
  CHECK(end.code == net::TlsErrc::truncated);
}

FIBER_TEST("a writer whose bytes were encrypted and not sent ends writing, not reading [TLS-28]") {
  TlsPair pair = pairWithWire();
  pair.client.writeAll(std::string(16'384, 'x'));
  pair.client.writeAll(std::string(16'384, 'x'));
  pair.client.writeAll(std::string(kWire - 2 * (16'384 + 22) - 22, 'x'));  // the wire is full
  auto writer = spawn([&pair] { pair.client.writeAll("doubtful"); });
  settle();

  writer.kill();
  const Outcome next = outcomeOf([&pair] { pair.client.writeAll("x"); });
  pair.server.writeAll("read");

  CHECK(next.code == std::errc::broken_pipe);
  CHECK(next.says("interrupted after 0 of 8 bytes"));
  CHECK(readPiece(pair.client) == "read");
}

FIBER_TEST_ON("sim", "a timeout counts the whole write, and strikes like a kill [TLS-28]") {
  TlsPair pair = pairWithWire();
  auto reader = spawn([&pair] {
    for (;;) {
      readPiece(pair.server, 1000);
      sleep(100ms);
    }
  });

  CHECK_THROWS_AS(withTimeout(1s, [&pair] { pair.client.writeAll(pattern(1 << 20)); }),
                  TimeoutError);

  CHECK(pair.client.interruptedAfter() > 0);
  CHECK(outcomeOf([&pair] { pair.client.writeAll("x"); }).code == std::errc::broken_pipe);
  reader.kill();
}

FIBER_TEST("a killed reader loses no byte, wherever in a record the kill strikes [TLS-28]") {
  for (std::size_t at = 1; at < 60; ++at) {
    CAPTURE(at);
    auto [a, b] = wirePair();
    TlsPair pair = tlsOver(std::pair(std::move(a), std::move(b)), net::TlsContext(clientOptions()),
                           net::TlsContext(serverOptions()));
    shakeHands(pair);
    Record later;
    wireOf(pair.client.below()).onWrite = [&later, at](Record& bytes) {
      const std::size_t cut = std::min(at, bytes.size());
      later.assign(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end());
      bytes.resize(cut);
    };
    std::string received;
    auto reader = spawn([&pair, &received] {
      for (;;) received += readPiece(pair.server);
    });
    pair.client.writeAll("0123456789012345678901234567");
    settle();

    reader.kill();
    wireOf(pair.client.below()).onWrite = [](Record&) {};
    if (!later.empty()) pair.client.below().writeAll(later);
    received += readCount(pair.server, 28 - received.size());

    CHECK(received == "0123456789012345678901234567");
  }
}

}  // namespace
}  // namespace plait::test
