// Two ends that have shaken hands.
#pragma once

#include <memory>
#include <utility>

#include "certificates.h"
#include "fiber_test.h"
#include "plait/memory_stream.h"
#include "plait/tcp.h"
#include "plait/tls.h"

namespace plait::test {

struct TlsPair {
  net::TlsStream client;
  net::TlsStream server;
};

inline net::TlsOptions localhost() { return {.serverName = "localhost"}; }

// Over these two; the handshake is still to come.
template <class S>
TlsPair tlsOver(std::pair<S, S> below, const net::TlsContext& client, const net::TlsContext& server,
                net::TlsOptions options = localhost()) {
  return {net::TlsStream(std::move(below.first), client, options),
          net::TlsStream(std::move(below.second), server)};
}

inline void shakeHands(TlsPair& pair) {
  auto other = spawn([&pair] { pair.server.handshake(); });
  pair.client.handshake();
  other.get();
}

inline TlsPair tlsPair(const net::TlsClientOptions& client = clientOptions(),
                       const net::TlsServerOptions& server = serverOptions()) {
  TlsPair pair = tlsOver(net::memoryPair(), net::TlsContext(client), net::TlsContext(server));
  shakeHands(pair);
  return pair;
}

}  // namespace plait::test
