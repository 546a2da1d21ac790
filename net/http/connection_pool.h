// The connections of a session: at most so many to a host and in all, and those between requests
// are kept for the next one.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client_connection.h"
#include "plait/call_later.h"
#include "plait/detail/wait_queue.h"
#include "plait/semaphore.h"
#include "plait/time.h"

namespace plait::http::detail {

struct PoolOptions {
  std::size_t perHost;
  std::size_t inAll;
  Duration keepIdleFor;
};

class ConnectionPool final {
 private:
  struct Host;

 public:
  // The right to one connection of a host, and the connection. Gives both up when it dies.
  class Lease final : private plait::detail::WaitNode {
   public:
    Lease(ConnectionPool& pool, const std::string& key);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();

    // Null: it has to be made. The pool may end it while nobody is inside.
    std::unique_ptr<ClientConnection> connection;

    // The connection can serve another request.
    void giveBack();
    // Ends the connection, and the right to one. Never switches.
    void drop() noexcept;

   private:
    friend class ConnectionPool;
    template <class Node>
    friend class plait::detail::WaitQueue;

    ConnectionPool* pool_;  // null once it was given up
    Host* host_;
    bool hasHostPermit_ = false;
    bool hasPermit_ = false;
  };

  explicit ConnectionPool(const PoolOptions& options);
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool();

  // Parks while all connections of that host, or all, are in use; first come, first served.
  // With `fresh` it is none that was used before. May switch.
  std::unique_ptr<Lease> acquire(const std::string& key, bool fresh);

  // From now on nothing is kept; what is idle ends. Never switch.
  void stopKeeping() noexcept;
  // Ends the connections that are leased; nobody is inside them.
  void dropLeased() noexcept;

  std::size_t idle() const noexcept { return idle_; }
  std::size_t inUse() const noexcept { return inUse_; }

 private:
  void keep(Host& host, std::unique_ptr<ClientConnection> connection);
  std::unique_ptr<ClientConnection> takeIdle(Host& host);
  void dropOldestIdle();
  void dropExpired();
  void leave(Host& host) noexcept;

  PoolOptions options_;
  std::map<std::string, std::unique_ptr<Host>> hosts_;  // those with users or idle connections
  Semaphore permits_;
  plait::detail::WaitQueue<Lease> leases_;
  std::size_t idle_ = 0;
  std::size_t inUse_ = 0;
  bool keeps_ = true;
  DelayedCall nextExpiry_;
};

}  // namespace plait::http::detail
