#include "proxy_rules.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "plait/error.h"
#include "plait/http_fields.h"

namespace plait::http::detail {
namespace {

// "host:3128" is a proxy, too.
std::optional<Url> parseProxy(const std::string& text) {
  if (text.empty()) return std::nullopt;
  try {
    Url url = Url::parse(text.find("://") == std::string::npos ? "http://" + text : text);
    if (url.scheme == "http" || url.scheme == "https") return url;
    throw Error(std::errc::invalid_argument,
                "a proxy is asked by http or https, not " + url.scheme);
  } catch (Error& error) {
    error.addNote("it was to be a proxy; write it as http://HOST:PORT");
    throw;
  }
}

std::string variable(const char* name, const char* inCapitals = nullptr) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read only
  if (value == nullptr && inCapitals != nullptr) {
    value = std::getenv(inCapitals);  // NOLINT(concurrency-mt-unsafe)
  }
  return value == nullptr ? "" : value;
}

std::vector<std::string> splitList(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    if (end > 0) items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

// "example.org", ".example.org" and "*.example.org" mean the host and all below it; a port narrows.
bool matches(const Url& url, std::string_view item) noexcept {
  if (item == "*") return true;
  if (item.starts_with('*')) item.remove_prefix(1);
  if (item.starts_with('.')) item.remove_prefix(1);
  const bool isBracketed = item.starts_with('[');
  const std::size_t colon = item.rfind(':');
  const bool hasPort =
      colon != item.npos && (isBracketed ? item[colon - 1] == ']' : item.find(':') == colon);
  if (hasPort) {
    if (item.substr(colon + 1) != std::to_string(url.port)) return false;
    item = item.substr(0, colon);
  }
  if (isBracketed && item.size() > 1) item = item.substr(1, item.size() - 2);
  const std::string_view host = url.host;
  if (item.empty() || host.size() < item.size()) return false;
  if (!equalsNoCase(host.substr(host.size() - item.size()), item)) return false;
  return host.size() == item.size() || host[host.size() - item.size() - 1] == '.';
}

}  // namespace

ProxyRules::ProxyRules(const std::string& proxy, std::vector<std::string> direct)
    : http_(parseProxy(proxy)), https_(http_), direct_(std::move(direct)) {}

ProxyRules ProxyRules::fromEnvironment() {
  const std::string all = variable("all_proxy", "ALL_PROXY");
  const std::string plain = variable("http_proxy");
  const std::string secure = variable("https_proxy", "HTTPS_PROXY");
  ProxyRules rules;
  rules.http_ = parseProxy(plain.empty() ? all : plain);
  rules.https_ = parseProxy(secure.empty() ? all : secure);
  rules.direct_ = splitList(variable("no_proxy", "NO_PROXY"));
  return rules;
}

const Url* ProxyRules::proxyFor(const Url& url) const noexcept {
  const std::optional<Url>& proxy = url.isSecure() ? https_ : http_;
  if (!proxy) return nullptr;
  for (const std::string& each : direct_) {
    if (matches(url, each)) return nullptr;
  }
  return &*proxy;
}

}  // namespace plait::http::detail
