// Which requests go through a proxy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plait/url.h"

namespace plait::http::detail {

class ProxyRules final {
 public:
  ProxyRules() = default;  // none does
  // `proxy` is for all but the hosts in `direct` and those below them; empty: none.
  // Throws: Error for one that cannot be read.
  ProxyRules(const std::string& proxy, std::vector<std::string> direct);
  // As the environment says: http_proxy, https_proxy, all_proxy and no_proxy, also in capitals but
  // for HTTP_PROXY, which a CGI server fills from a request's field.
  static ProxyRules fromEnvironment();

  // Null: directly.
  const Url* proxyFor(const Url& url) const noexcept;

 private:
  std::optional<Url> http_;
  std::optional<Url> https_;
  std::vector<std::string> direct_;
};

}  // namespace plait::http::detail
