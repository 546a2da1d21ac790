// A server: accepts, and calls a handler for each connection on a fiber of its own. At the limit of
// connections it stops accepting until one ends, and clients wait in the kernel's backlog.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "plait/detail/unique_function.h"
#include "plait/group.h"
#include "plait/signal.h"
#include "plait/tcp.h"
#include "plait/time.h"

namespace plait::net {

namespace detail {
class Acceptor;
}

inline constexpr std::size_t kConnectionsMax = 100'000;  // served at once
// Connections that the kernel may have accepted already when the limit is reached: they are served
// first.
inline constexpr std::size_t kAcceptedMax = 1024;
inline constexpr Duration kAcceptRetryMin = std::chrono::milliseconds(5);
inline constexpr Duration kAcceptRetryMax = std::chrono::milliseconds(100);

struct ServerOptions {
  std::size_t connectionsMax = kConnectionsMax;
  Duration stopGrace = std::chrono::seconds(30);  // for handlers to end by themselves at stop()
  std::size_t stackBytes = 0;                     // of each handler's fiber; 0: the run's default
};

struct ServerStatistics {
  std::size_t connections = 0;     // served now
  std::uint64_t accepted = 0;      // so far
  std::uint64_t failed = 0;        // handlers that ended by an exception
  std::uint64_t acceptErrors = 0;  // EMFILE and the like; each was waited out
};

class Server final {
 public:
  // Gets the connection, which is closed when the handler returns or throws; what it throws is
  // reported, but for ConnectionClosed, which is the peer's business.
  using Handler = std::function<void(SocketStream&)>;

  Server(Listener listener, Handler handler, ServerOptions options = ServerOptions());
  Server(std::string_view endpoint, Handler handler, ServerOptions options = ServerOptions());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Stops without grace if it was not stopped. May switch.
  ~Server();

  // Accepts in a fiber of its own. Never switches. Throws: std::logic_error if it was started
  // before; after stop() it does nothing.
  void start();
  // start(), and returns when stop() was called and has done its work. A kill of the caller stops
  // the server without grace. May switch.
  void serve();

  // Accepts no more, refuses new clients, waits at most the grace for the handlers, then kills
  // them; may be called before start(), several times, and by a handler, which is not waited for.
  // May switch.
  void stop();
  // stop(), in a fiber of its own: for callbacks and signal handlers. Never switches.
  void requestStop();
  // Stops at these signals, for as long as the server lives.
  void stopOn(std::initializer_list<int> signals);

  // Leaves clients in the backlog, and takes up again. Never switch.
  void stopAccepting();
  void startAccepting();

  Address address() const { return listener_.address(); }
  ServerStatistics statistics() const noexcept;

 private:
  struct Shared;

  void acceptLoop();
  void serveOne(int descriptor);
  static void handle(Shared& shared, SocketStream& stream);

  Listener listener_;
  ServerOptions options_;
  std::shared_ptr<Shared>
      shared_;  // shared with the handlers: one that stops the server may outlive it
  std::unique_ptr<detail::Acceptor> acceptor_;
  Group handlers_;
  AnyGreenlet acceptFiber_;
  AnyGreenlet stopFiber_;  // requestStop()'s
  std::vector<SignalHandle> signals_;
  Event mayAccept_;
  Event stopped_;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace plait::net
