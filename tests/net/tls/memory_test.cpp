// What a connection costs while nothing happens on it.

#include <malloc.h>

#include <vector>

#include "net_support.h"
#include "stream_contract.h"
#include "tls_support.h"

namespace plait::test {
namespace {

constexpr std::size_t kPairs = 50;
constexpr std::size_t kBytesMax = 100'000;  // of two ends; about 87'000 with OpenSSL 3.0

// Bytes that are allocated now; 0 under sanitizers, which have an allocator of their own.
std::size_t allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Of two ends, after `use` and with a reader parked in each; without the pipe between them.
template <class F>
std::size_t bytesOfPair(F use) {
  const net::TlsContext client(net::TlsClientOptions{.verify = false, .sessionsMax = 0});
  const net::TlsContext server(serverOptions());
  std::vector<TlsPair> pairs;
  std::vector<AnyGreenlet> readers;
  pairs.reserve(kPairs);
  {
    TlsPair first = tlsPair(client, server);  // what is made once
    use(first);
  }
  const std::size_t before = allocated();
  for (std::size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(tlsPair(client, server));
    use(pairs.back());
    for (net::TlsStream* each : {&pairs.back().client, &pairs.back().server}) {
      readers.push_back(spawn([each] { readPiece(*each, 1); }));
    }
    settle();
  }
  const std::size_t after = allocated();
  killAll(readers);
  return (after - before) / kPairs - 2 * net::kMemoryStreamBytes;
}

FIBER_TEST("an idle connection holds little, also one that has carried much [TLS-38]") {
  if (allocated() == 0) return;  // the allocator is not the one that tells
  const std::size_t fresh = bytesOfPair([](TlsPair&) {});
  const std::size_t used = bytesOfPair([](TlsPair& pair) {
    const std::string text = pattern(1 << 20);
    for (int i = 0; i < 2; ++i) {
      net::TlsStream& from = i == 0 ? pair.client : pair.server;
      net::TlsStream& to = i == 0 ? pair.server : pair.client;
      auto writer = spawn([&from, &text] { from.writeAll(text); });
      readCount(to, text.size());
      writer.get();
    }
  });

  CAPTURE(fresh);
  CAPTURE(used);
  CHECK(fresh < kBytesMax);
  CHECK(used < kBytesMax);
}

}  // namespace
}  // namespace plait::test
