// Two ends that have shaken hands.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "certificates.h"
#include "engine.h"
#include "fiber_test.h"
#include "plait/group.h"
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
  withTaskGroup([&pair](TaskGroup& group) {
    group.spawn([&pair] { pair.server.handshake(); });
    pair.client.handshake();
  });
}

// What came of a call: no code if it succeeded, else the code and the message of its error.
struct Outcome {
  std::error_code code{};
  std::string text{};

  explicit operator bool() const noexcept { return !code; }
  bool says(std::string_view part) const noexcept { return text.find(part) != text.npos; }
};

template <class F>
Outcome outcomeOf(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

struct Outcomes {
  Outcome client;
  Outcome server;
};

// A handshake that may fail; then both ends are closed.
inline Outcomes tryHandshake(TlsPair& pair) {
  auto other = spawn([&pair] {
    const Outcome outcome = outcomeOf([&pair] { pair.server.handshake(); });
    if (!outcome) pair.server.close();
    return outcome;
  });
  Outcomes outcomes;
  outcomes.client = outcomeOf([&pair] { pair.client.handshake(); });
  if (!outcomes.client) pair.client.close();
  outcomes.server = other.get();
  return outcomes;
}

// One handshake over memory between a client and a server made of these. A client that OpenSSL does
// not even take has failed, too.
inline Outcomes tryHandshake(const net::TlsClientOptions& client,
                             const net::TlsServerOptions& server,
                             net::TlsOptions options = localhost()) {
  const net::TlsContext clients(client);
  const net::TlsContext servers(server);
  Outcomes outcomes;
  const Outcome taken = outcomeOf([&] {
    TlsPair pair = tlsOver(net::memoryPair(), clients, servers, options);
    outcomes = tryHandshake(pair);
  });
  if (!taken) outcomes.client = taken;
  return outcomes;
}

inline TlsPair tlsPair(const net::TlsContext& client, const net::TlsContext& server,
                       net::TlsOptions options = localhost()) {
  TlsPair pair = tlsOver(net::memoryPair(), client, server, std::move(options));
  shakeHands(pair);
  return pair;
}

// Nobody can ask for less than TLS 1.3 where both speak it, so the test tells one end's context.
inline void speakTls12(net::TlsContext& context) {
  ::SSL_CTX_set_max_proto_version(context.state().certificates()->common.get(), TLS1_2_VERSION);
}

inline TlsPair tlsPair(const net::TlsClientOptions& client = clientOptions(),
                       const net::TlsServerOptions& server = serverOptions()) {
  return tlsPair(net::TlsContext(client), net::TlsContext(server));
}

}  // namespace plait::test
