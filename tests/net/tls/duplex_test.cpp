// Both directions at once, much of it, and with new keys in the middle.

#include <random>

#include <openssl/evp.h>

#include "net_support.h"
#include "raw_peer.h"
#include "stream_contract.h"
#include "tls_support.h"

namespace plait::test {
namespace {

TlsPair tlsOverTcp() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  net::SocketStream client = net::connect(listener.address());
  TlsPair pair = tlsOver(std::pair(std::move(client), listener.accept()),
                         net::TlsContext(clientOptions()), net::TlsContext(serverOptions()));
  shakeHands(pair);
  return pair;
}

class Hash final {
 public:
  Hash() : context_(::EVP_MD_CTX_new()) { ::EVP_DigestInit_ex(context_, ::EVP_sha256(), nullptr); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { ::EVP_MD_CTX_free(context_); }

  void add(net::Bytes bytes) { ::EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string value() {
    unsigned char text[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    ::EVP_DigestFinal_ex(context_, text, &bytes);
    return {reinterpret_cast<const char*>(text), bytes};
  }

 private:
  EVP_MD_CTX* context_;
};

// Writes `total` bytes in pieces of many sizes, then ends its direction; returns their hash.
std::string writeMuch(net::Stream& stream, std::size_t total, unsigned from) {
  std::minstd_rand random(from);
  const std::string text = pattern(1 << 20, from);
  Hash hash;
  while (total > 0) {
    const std::size_t bytes = std::min<std::size_t>(total, 1 + random() % text.size());
    const net::Bytes piece = net::asBytes(std::string_view(text).substr(text.size() - bytes));
    stream.writeAll(piece);
    hash.add(piece);
    total -= bytes;
  }
  stream.shutdownWrite();
  return hash.value();
}

std::string readMuch(net::Stream& stream, std::size_t& count) {
  std::vector<std::byte> room(100'000);
  Hash hash;
  while (const std::size_t bytes = stream.readSome(room)) {
    hash.add(net::Bytes(room).first(bytes));
    count += bytes;
  }
  return hash.value();
}

FIBER_TEST("a hundred megabytes each way at once arrive as they were sent [TLS-25]") {
  constexpr std::size_t kTotal = 100 << 20;
  TlsPair pair = tlsOverTcp();
  const auto base = static_cast<unsigned>(seed());

  auto one = spawn([&pair, base] { return writeMuch(pair.client, kTotal, base); });
  auto other = spawn([&pair, base] { return writeMuch(pair.server, kTotal, base + 1); });
  std::size_t counts[2] = {};
  auto reader = spawn([&] { return readMuch(pair.client, counts[0]); });
  const std::string atServer = readMuch(pair.server, counts[1]);

  CHECK(atServer == one.get());
  CHECK(reader.get() == other.get());
  CHECK(counts[0] == kTotal);
  CHECK(counts[1] == kTotal);
}

FIBER_TEST("new keys in mid-stream change no byte, whoever asks and for whom [TLS-26]") {
  for (const bool peerToo : {false, true}) {
    CAPTURE(peerToo);
    TlsPair pair = tlsOverTcp();
    const std::string text = pattern(1 << 20, seed());
    withTaskGroup([&](TaskGroup& group) {
      for (net::TlsStream* each : {&pair.client, &pair.server}) {
        group.spawn([each, &text, peerToo] {
          for (std::size_t at = 0; at < text.size(); at += 1 << 16) {
            each->writeAll(std::string_view(text).substr(at, 1 << 16));
            each->updateKeys(peerToo);
          }
        });
        // A third fiber of each end, between the writes of the other.
        group.spawn([each, peerToo] {
          for (int i = 0; i < 20; ++i) {
            each->updateKeys(peerToo);
            yield();
          }
        });
        group.spawn([each, &text] {
          const bool isWhole = readCount(*each, text.size()) == text;
          CHECK(isWhole);
        });
      }
    });

    pair.client.close();
    CHECK(readToEnd(pair.server).empty());
  }
}

FIBER_TEST("new keys that both ends ask of each other at once, alone, are agreed [TLS-26]") {
  TlsPair pair = tlsPair();

  for (int i = 0; i < 10; ++i) {
    pair.client.updateKeys(true);
    pair.server.updateKeys(true);
  }
  pair.client.writeAll("forth");
  CHECK(readCount(pair.server, 5) == "forth");
  pair.server.writeAll("back");
  CHECK(readCount(pair.client, 4) == "back");
}

FIBER_TEST("a peer's request for new keys is kept while our writer is parked [TLS-26]") {
  auto [a, b] = net::memoryPair(1 << 14);
  net::MemoryStream below = std::move(a);
  net::TlsStream ours(std::move(b), net::TlsContext(serverOptions()), {});
  RawPeer peer(below);
  withTaskGroup([&peer, &ours](TaskGroup& group) {
    group.spawn([&peer] { CHECK(peer.handshake()); });
    ours.handshake();
  });
  const std::string text = pattern(1 << 20);
  auto writer = spawn([&ours, &text] {
    ours.writeAll(text);
    ours.writeAll("the end");
  });
  auto reader = spawn([&ours] { return readPiece(ours); });
  settle();
  CHECK(!writer.isReady());

  for (int i = 0; i < 100; ++i) peer.updateKeys(true);
  peer.write("read");

  CHECK(reader.get() == "read");
  std::string received;
  while (received.size() < text.size() + 7) received += peer.read();
  const bool isWhole = received == text + "the end";
  CHECK(isWhole);
  writer.get();
}

FIBER_TEST("TLS 1.2 has no new keys to ask for, and says so without harm [TLS-26]") {
  net::TlsContext server(serverOptions());
  speakTls12(server);
  TlsPair pair = tlsPair(net::TlsContext(clientOptions()), server);

  const Outcome outcome = outcomeOf([&pair] { pair.client.updateKeys(); });
  pair.client.writeAll("unharmed");

  CHECK(outcome.code == net::TlsErrc::failed);
  CHECK(outcome.says("wrong ssl version"));
  CHECK(readPiece(pair.server) == "unharmed");
}

}  // namespace
}  // namespace plait::test
