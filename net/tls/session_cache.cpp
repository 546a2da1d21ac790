#include "session_cache.h"

#include <utility>

namespace plait::net::detail {

using plait::detail::raw::Locked;

void SessionCache::put(const std::string& server, SessionPointer session) {
  if (serversMax_ == 0) return;
  const Locked locked(lock_);
  const auto [found, isNew] = servers_.try_emplace(server);
  Server& entry = found->second;
  if (isNew) {
    entry.age = ages_.insert(ages_.begin(), server);
  } else {
    ages_.splice(ages_.begin(), ages_, entry.age);
  }
  entry.sessions.push_front(std::move(session));
  if (entry.sessions.size() > kSessionsOfServer) entry.sessions.pop_back();
  if (servers_.size() > serversMax_) forgetOldest();
}

SessionPointer SessionCache::take(const std::string& server) {
  const Locked locked(lock_);
  const auto found = servers_.find(server);
  if (found == servers_.end()) return nullptr;
  Server& entry = found->second;
  SessionPointer session = std::move(entry.sessions.front());
  entry.sessions.pop_front();
  ages_.splice(ages_.begin(), ages_, entry.age);
  if (entry.sessions.empty()) {
    ages_.erase(entry.age);
    servers_.erase(found);
  }
  return session;
}

void SessionCache::forgetOldest() {
  servers_.erase(ages_.back());
  ages_.pop_back();
}

}  // namespace plait::net::detail
