// From a URL to a connection that is ready for its requests: through a proxy and TLS where that is
// said.
#pragma once

#include <memory>
#include <string>

#include "client_connection.h"
#include "phases.h"
#include "session_state.h"

namespace plait::http::detail {

// How a request reaches its server.
struct ClientRoute {
  const Url& url;
  const Url* proxy;  // null: directly

  // Without TLS a proxy is told the whole URL; through it a tunnel is made for TLS.
  bool isForwarded() const noexcept { return proxy != nullptr && !url.isSecure(); }
  // Routes with equal keys can share a connection.
  std::string key() const;
};

// May switch. Throws: as Session::request.
std::unique_ptr<ClientConnection> dial(const ClientRoute& route, SessionState& session,
                                       const Phases& phases);

}  // namespace plait::http::detail
