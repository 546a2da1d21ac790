// What a TlsContext is: OpenSSL's contexts, immutable once made and replaced as a whole, so that a
// new certificate needs no care of the connections that are there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "openssl.h"
#include "plait/detail/raw.h"
#include "plait/tls.h"
#include "session_cache.h"

namespace plait::net::detail {

// A server's certificates at one time: the context that connections begin with, and those by name.
struct Certificates {
  SslContextPointer common;
  std::map<std::string, SslContextPointer, std::less<>> named;  // "*.example.org" among them

  // For what a client asked for; none of the names: null.
  SSL_CTX* find(std::string_view serverName) const;
};

// Any thread.
class TlsContextState final : public std::enable_shared_from_this<TlsContextState> {
 public:
  explicit TlsContextState(const TlsClientOptions& options);
  explicit TlsContextState(const TlsServerOptions& options);

  bool isServer() const noexcept { return server_.has_value(); }
  bool verifies() const noexcept { return verifies_; }
  bool asksOcsp() const noexcept { return asksOcsp_; }
  SessionCache& sessions() noexcept { return sessions_; }

  // Those of now; a connection holds on to what it began with.
  std::shared_ptr<const Certificates> certificates() const;
  void setIdentity(const TlsIdentity& identity, std::string_view name);

 private:
  SslContextPointer makeServerContext(const TlsIdentity& identity) const;
  void fill(Certificates& into) const;

  bool verifies_ = true;
  bool asksOcsp_ = false;
  plait::detail::raw::Lock updateLock_;     // one setIdentity() after the other
  std::optional<TlsServerOptions> server_;  // with the identities of now
  std::vector<unsigned char> ticketKeys_;   // the same after a reload: tickets stay good
  std::vector<unsigned char> protocols_;    // ALPN, as it goes over the wire
  SessionCache sessions_;

  mutable plait::detail::raw::Lock lock_;
  std::shared_ptr<const Certificates> certificates_;  // shared with the connections made of it
};

}  // namespace plait::net::detail
