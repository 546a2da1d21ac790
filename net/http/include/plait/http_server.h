// An HTTP/1.1 server: connections that stay, pipelined requests, limits on everything a client can
// make wait or grow. Each connection has one fiber, on which the App's handlers run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "plait/address.h"
#include "plait/endpoint.h"
#include "plait/http_app.h"
#include "plait/http_error.h"
#include "plait/server.h"
#include "plait/time.h"

namespace plait::http {

inline constexpr std::size_t kKeepAliveRequestsMax = 100'000;
inline constexpr std::size_t kDrainMax = 65'536;  // bytes of a body that no handler has read
inline constexpr std::size_t kGzipMin = 1'024;    // bytes of a body from which on it is worth it

// What is known of a request once its response has gone out. Views are good during the call.
struct AccessRecord {
  net::Address peer;
  std::string_view method;  // empty for what was no request
  std::string_view target;
  int version = 11;
  int status = 0;
  std::uint64_t bytes = 0;  // of the response's body, as it was sent
  Duration duration{};      // from the whole head to the last byte handed to the kernel's queue
  std::string_view userAgent;
  std::string_view referer;
};

// "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326", in the Common Log
// Format; what could forge a line is escaped. Never switches.
std::string commonLogLine(const AccessRecord& record);

// One fiber looks at the deadlines of all connections, every second, or every quarter of the
// shortest time here: who is over it is cut off so much later. kForever switches one off.
struct ServerOptions {
  Limits limits = {};
  std::size_t connectionsMax = net::kConnectionsMax;
  std::size_t keepAliveRequestsMax = kKeepAliveRequestsMax;  // on one connection
  Duration idleTimeout = std::chrono::seconds(60);    // for the first byte of the next request
  Duration headerTimeout = std::chrono::seconds(15);  // from that to the end of the head; 408
  // For a body, not counting what a handler does meanwhile: so long, and what its bytes need at
  // bytesPerSecondMin; 408.
  Duration bodyTimeout = std::chrono::seconds(15);
  std::size_t bytesPerSecondMin = 1'024;
  // For a handler, to the first byte of its response; then it is cancelled (no std::exception),
  // and 503.
  Duration handlerTimeout = std::chrono::seconds(60);
  // For a client to take what is written: so long, and what the bytes need at bytesPerSecondMin.
  Duration writeTimeout = std::chrono::seconds(15);
  Duration stopGrace = std::chrono::seconds(30);  // for running requests at stop()
  std::size_t stackBytes = 0;                     // of a connection's fiber; 0: the run's default
  bool gzip = true;                               // texts, for clients that take it
  std::string serverName = {};                    // the field Server; empty: none
  std::function<void(const AccessRecord&)> accessLog = {};  // called on the connection's fiber
};

struct ServerStatistics {
  std::size_t connections = 0;       // open now
  std::uint64_t accepted = 0;        // connections so far
  std::uint64_t requests = 0;        // whole heads so far
  std::uint64_t failedOpenings = 0;  // TLS handshakes and PROXY headers
  std::uint64_t refused = 0;         // messages that broke the protocol or a limit
  std::uint64_t expired = 0;         // connections cut off at a deadline
};

class Server final {
 public:
  // Listens at once, on any endpoint of <plait/endpoint.h>. May switch. Throws: as
  // net::listenStream.
  Server(std::string_view endpoint, App app, ServerOptions options = ServerOptions());
  Server(net::StreamListener listener, App app, ServerOptions options = ServerOptions());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Stops without grace if it was not stopped. May switch.
  ~Server();

  // Accepts in a fiber of its own. Never switches. Throws: std::logic_error if it was started
  // before.
  void start();
  // start(), and returns when stop() was called and has done its work. A kill of the caller stops
  // the server without grace. May switch.
  void serve();

  // Accepts no more. Connections without a request are closed at once; those with one answer it
  // with "Connection: close", and are killed after the grace. May be called several times, and by a
  // handler, which is not waited for. May switch.
  void stop();
  // stop(), in a fiber of its own: for callbacks and signal handlers. Never switches.
  void requestStop();
  // Stops at these signals, for as long as the server lives.
  void stopOn(std::initializer_list<int> signals);

  net::Address address() const;
  bool isSecure() const noexcept;  // with TLS
  ServerStatistics statistics() const noexcept;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::http
