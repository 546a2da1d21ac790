// A client's sessions by server, for resumption: the newest few of each, the least recently used
// server is forgotten first.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

#include "openssl.h"
#include "plait/detail/raw.h"

namespace plait::net::detail {

inline constexpr std::size_t kSessionsOfServer = 4;

// Any thread.
class SessionCache final {
 public:
  explicit SessionCache(std::size_t serversMax) : serversMax_(serversMax) {}

  void put(const std::string& server, SessionPointer session);
  // The newest, which is not given out again: a ticket of TLS 1.3 is for one use. None: null.
  SessionPointer take(const std::string& server);

 private:
  struct Server {
    std::list<std::string>::iterator age;
    std::list<SessionPointer> sessions;  // the newest first
  };
  void forgetOldest();

  const std::size_t serversMax_;
  plait::detail::raw::Lock lock_;
  std::list<std::string> ages_;  // of servers, the last used first
  std::unordered_map<std::string, Server> servers_;
};

}  // namespace plait::net::detail
