// OpenSSL's queue of errors is the thread's, and so many fibers': none may see another's.

#include <random>
#include <vector>

#include "net_support.h"
#include "stream_contract.h"
#include "test_streams.h"
#include "tls_support.h"

namespace plait::test {
namespace {

using net::TlsErrc;

void leaveAnError() { ERR_raise_data(ERR_LIB_USER, 42, "left over by somebody else"); }

FIBER_TEST(
    "errors that others left in the queue disturb no call, and are not told as ours "
    "[TLS-37]") {
  const net::TlsContext client(clientOptions());
  net::TlsContext server(serverOptions());
  TlsPair pair = tlsOver(net::memoryPair(), client, server);
  const auto disturb = [](auto call) {
    leaveAnError();
    return call();
  };

  withTaskGroup([&](TaskGroup& group) {
    group.spawn([&] { disturb([&] { pair.server.handshake(); }); });
    disturb([&] { pair.client.handshake(); });
  });
  disturb([&] { pair.client.writeAll("x"); });
  CHECK(disturb([&] { return readPiece(pair.server); }) == "x");
  auto reader = spawn([&pair] { return readPiece(pair.server); });
  settle();
  disturb([&] { pair.client.updateKeys(true); });
  disturb([&] { pair.client.writeAll("y"); });
  leaveAnError();
  CHECK(reader.get() == "y");
  disturb([&] { server.setIdentity(testAuthority().sign()); });
  disturb([&] { net::TlsContext{clientOptions()}; });
  disturb([&] { pair.client.shutdownWrite(); });
  CHECK(disturb([&] { return readPiece(pair.server); }).empty());
  disturb([&] { pair.server.close(); });
}

FIBER_TEST("what fails tells its own reason only, whatever is in the queue [TLS-37]") {
  TlsPair pair =
      tlsOver(wirePair(), net::TlsContext(clientOptions()), net::TlsContext(serverOptions()));
  shakeHands(pair);
  wireOf(pair.client.below()).onWrite = [](Record& bytes) { bytes.back() ^= std::byte{1}; };
  pair.client.writeAll("x");
  leaveAnError();

  const Outcome outcome = outcomeOf([&pair] { readPiece(pair.server); });
  leaveAnError();
  const Outcome broken = outcomeOf([] { net::TlsContext(net::TlsServerOptions{}); });

  CHECK(outcome.says("bad record mac"));
  CHECK(!outcome.says("left over"));
  CHECK(broken.code == TlsErrc::failed);
  CHECK(!broken.says("left over"));
  ::ERR_clear_error();
}

// Good connections and bad ones in one thread, a byte at a time and in random order.
FIBER_TEST("a fiber whose handshake fails does not show in the calls of another [TLS-37]") {
  std::minstd_rand random(static_cast<unsigned>(seed()));
  const net::TlsContext client(clientOptions());
  const net::TlsContext good(serverOptions());
  const net::TlsContext bad(net::TlsServerOptions{.identity = testAuthority().sign("other")});
  const auto connectOver = [&](const net::TlsContext& server) {
    TlsPair pair = tlsOver(wirePair(), client, server);
    for (net::TlsStream* each : {&pair.client, &pair.server}) {
      wireOf(each->below()).pieceOf = [&random](std::size_t) { return 1 + random() % 200; };
    }
    return pair;
  };

  withTaskGroup([&](TaskGroup& group) {
    for (int i = 0; i < 10; ++i) {
      group.spawn([&] {
        TlsPair pair = connectOver(bad);
        const Outcomes outcomes = tryHandshake(pair);
        CHECK(outcomes.client.code == TlsErrc::untrusted);
        CHECK(outcomes.client.text.ends_with("certificate verify failed: hostname mismatch"));
        CHECK(outcomes.server.code == TlsErrc::failed);
        CHECK(!outcomes.server.says("verify failed"));
      });
      group.spawn([&] {
        TlsPair pair = connectOver(good);
        shakeHands(pair);
        const std::string text = pattern(5000);
        auto writer = spawn([&] { pair.client.writeAll(text); });
        const bool isWhole = readCount(pair.server, text.size()) == text;
        CHECK(isWhole);
        writer.get();
      });
    }
  });
}

}  // namespace
}  // namespace plait::test
