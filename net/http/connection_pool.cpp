#include "connection_pool.h"

#include <algorithm>
#include <utility>

// A lease takes an idle connection of its host before it makes one, so a host's connections are
// never more than its permits. In all there may be idle ones of other hosts besides: the oldest
// of them goes when there is no room for a new one.

namespace plait::http::detail {

struct ConnectionPool::Host {
  Host(const std::string& name, std::size_t connections) : key(name), permits(connections) {}

  const std::string key;
  Semaphore permits;
  std::vector<std::unique_ptr<ClientConnection>> idle;  // the longest idle first
  std::size_t users = 0;                                // leases, also those that wait
};

ConnectionPool::ConnectionPool(const PoolOptions& options)
    : options_(options), permits_(options.inAll) {}

ConnectionPool::~ConnectionPool() { nextExpiry_.cancel(); }

std::unique_ptr<ConnectionPool::Lease> ConnectionPool::acquire(const std::string& key, bool fresh) {
  auto lease = std::make_unique<Lease>(*this, key);
  Host& host = *lease->host_;
  host.permits.acquire();
  lease->hasHostPermit_ = true;
  permits_.acquire();
  lease->hasPermit_ = true;
  ++inUse_;
  if (!fresh) lease->connection = takeIdle(host);
  // One that is passed over takes a place of the host's, too.
  if (fresh && !host.idle.empty()) {
    host.idle.erase(host.idle.begin());
    --idle_;
  }
  while (idle_ > 0 && idle_ + inUse_ > options_.inAll) dropOldestIdle();
  return lease;
}

void ConnectionPool::stopKeeping() noexcept {
  keeps_ = false;
  nextExpiry_.cancel();
  for (auto each = hosts_.begin(); each != hosts_.end();) {
    each->second->idle.clear();
    each = each->second->users == 0 ? hosts_.erase(each) : std::next(each);
  }
  idle_ = 0;
}

void ConnectionPool::dropLeased() noexcept {
  while (Lease* lease = leases_.pop()) lease->connection.reset();
}

ConnectionPool::Lease::Lease(ConnectionPool& pool, const std::string& key) : pool_(&pool) {
  std::unique_ptr<Host>& host = pool.hosts_[key];
  if (!host) host = std::make_unique<Host>(key, pool.options_.perHost);
  host_ = host.get();
  ++host_->users;
  pool.leases_.append(*this);
}

ConnectionPool::Lease::~Lease() { drop(); }

void ConnectionPool::Lease::giveBack() {
  if (connection && pool_ != nullptr) pool_->keep(*host_, std::move(connection));
  drop();
}

void ConnectionPool::Lease::drop() noexcept {
  connection.reset();
  unlink();
  ConnectionPool* const pool = std::exchange(pool_, nullptr);
  if (pool == nullptr) return;
  if (hasPermit_) {
    --pool->inUse_;
    pool->permits_.release();
  }
  if (hasHostPermit_) host_->permits.release();
  pool->leave(*host_);
}

void ConnectionPool::leave(Host& host) noexcept {
  if (--host.users == 0 && host.idle.empty()) hosts_.erase(host.key);
}

void ConnectionPool::keep(Host& host, std::unique_ptr<ClientConnection> connection) {
  if (!keeps_ || options_.keepIdleFor <= Duration::zero()) return;
  connection->idleSince = now();
  host.idle.push_back(std::move(connection));
  ++idle_;
  if (nextExpiry_.isActive() || options_.keepIdleFor == kForever) return;
  nextExpiry_ = callLater(options_.keepIdleFor, [this] { dropExpired(); });
}

// The one that was used last is the least likely to have ended.
std::unique_ptr<ClientConnection> ConnectionPool::takeIdle(Host& host) {
  while (!host.idle.empty()) {
    std::unique_ptr<ClientConnection> last = std::move(host.idle.back());
    host.idle.pop_back();
    --idle_;
    if (last->isQuiet()) return last;
  }
  return nullptr;
}

void ConnectionPool::dropOldestIdle() {
  Host* oldest = nullptr;
  for (const auto& [key, host] : hosts_) {
    if (host->idle.empty()) continue;
    if (oldest == nullptr || host->idle.front()->idleSince < oldest->idle.front()->idleSince) {
      oldest = host.get();
    }
  }
  if (oldest == nullptr) return;
  oldest->idle.erase(oldest->idle.begin());
  --idle_;
  if (oldest->users == 0 && oldest->idle.empty()) hosts_.erase(oldest->key);
}

void ConnectionPool::dropExpired() {
  const TimePoint time = now();
  TimePoint next = kNever;
  for (auto each = hosts_.begin(); each != hosts_.end();) {
    Host& host = *each->second;
    const auto expired = [this, time](const std::unique_ptr<ClientConnection>& connection) {
      return after(connection->idleSince, options_.keepIdleFor) <= time;
    };
    idle_ -= std::erase_if(host.idle, expired);
    if (!host.idle.empty()) {
      next = std::min(next, after(host.idle.front()->idleSince, options_.keepIdleFor));
    }
    each = host.users == 0 && host.idle.empty() ? hosts_.erase(each) : std::next(each);
  }
  if (next != kNever) nextExpiry_ = callLater(next - time, [this] { dropExpired(); });
}

}  // namespace plait::http::detail
