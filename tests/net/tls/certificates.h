// Keys and certificates made for a test: an authority, and identities that it has signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plait/tls.h"

namespace plait::test {

class Authority final {
 public:
  explicit Authority(const std::string& name = "Test Authority");
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority();

  std::string pem() const;  // its own certificate

  struct Wish {
    std::vector<std::string> names{"localhost"};  // the first is the common name, too
    std::vector<std::string> addresses{"127.0.0.1"};
    int daysFromNow = 30;  // until it expires; negative: it has
  };
  net::TlsIdentity sign(const Wish& wish) const;
  net::TlsIdentity sign(const std::string& name) const { return sign(Wish{{name}, {}}); }
  net::TlsIdentity sign() const { return sign(Wish()); }

 private:
  struct Keys;
  Keys* keys_;
};

// Names of this program's own: the same in every test, made once.
const Authority& testAuthority();
net::TlsIdentity localhostIdentity();

// Contexts for a client that trusts the authority, and for a server called localhost.
net::TlsClientOptions clientOptions();
net::TlsServerOptions serverOptions();

}  // namespace plait::test
