#include <algorithm>
#include <utility>

#include "plait/address.h"
#include "plait/http_cookies.h"
#include "plait/http_fields.h"
#include "set_cookie.h"

namespace plait::http {
namespace {

bool isAddress(std::string_view host) noexcept {
  net::Address address;
  return net::Address::tryIp(host, 0, address);
}

// Whether `host` is `domain` or below it.
bool domainMatches(std::string_view host, std::string_view domain) noexcept {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.' && !isAddress(host);
}

bool pathMatches(std::string_view path, std::string_view folder) noexcept {
  if (!path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

// The folder that the answer came from.
std::string defaultPath(const Url& url) {
  const std::size_t slash = url.path.rfind('/');
  return slash == 0 || slash == url.path.npos ? "/" : url.path.substr(0, slash);
}

bool startsWithNoCase(std::string_view text, std::string_view prefix) noexcept {
  return equalsNoCase(text.substr(0, prefix.size()), prefix);
}

bool keepsToItsPrefix(const Cookie& cookie, bool pathGiven) noexcept {
  if (startsWithNoCase(cookie.name, "__Secure-")) return cookie.secure;
  if (!startsWithNoCase(cookie.name, "__Host-")) return true;
  return cookie.secure && cookie.hostOnly && cookie.path == "/" && pathGiven;
}

bool isSame(const Cookie& a, const Cookie& b) noexcept {
  return a.name == b.name && a.domain == b.domain && a.path == b.path;
}

bool isFor(const Cookie& cookie, const Url& url) noexcept {
  const bool hostFits =
      cookie.hostOnly ? url.host == cookie.domain : domainMatches(url.host, cookie.domain);
  return hostFits && pathMatches(url.path, cookie.path) && (url.isSecure() || !cookie.secure);
}

bool hasExpired(const Cookie& cookie, Cookie::Time now) noexcept {
  return cookie.expires && *cookie.expires <= now;
}

}  // namespace

bool CookieJar::store(const Url& url, std::string_view setCookie) {
  if (setCookie.size() > kCookieMax) return false;
  std::optional<detail::SetCookie> parsed = detail::parseSetCookie(setCookie, now());
  if (!parsed) return false;
  const bool isOwnHost = parsed->domain.empty() || parsed->domain == url.host;
  if (!isOwnHost &&
      (parsed->domain.find('.') == std::string::npos || !domainMatches(url.host, parsed->domain))) {
    return false;
  }
  // A domain of one label, or an address, is only ever the host itself.
  const bool hostOnly = parsed->domain.empty() || isAddress(url.host) ||
                        parsed->domain.find('.') == std::string::npos;
  const bool pathGiven = !parsed->path.empty();
  Cookie cookie{std::move(parsed->name),
                std::move(parsed->value),
                parsed->domain.empty() ? url.host : parsed->domain,
                pathGiven ? std::move(parsed->path) : defaultPath(url),
                parsed->expires,
                hostOnly,
                parsed->secure,
                parsed->httpOnly};
  if (cookie.secure && !url.isSecure()) return false;
  if (!keepsToItsPrefix(cookie, pathGiven)) return false;
  // Nor may what came in the clear take the place of what came over TLS.
  const bool hidesSecure =
      !url.isSecure() &&
      std::any_of(cookies_.begin(), cookies_.end(),
                  [&cookie](const Cookie& old) { return old.secure && isSame(old, cookie); });
  if (hidesSecure) return false;
  set(std::move(cookie));
  return true;
}

void CookieJar::set(Cookie cookie) {
  const Cookie::Time time = now();
  const auto old = std::find_if(cookies_.begin(), cookies_.end(),
                                [&cookie](const Cookie& each) { return isSame(each, cookie); });
  if (old != cookies_.end()) {
    if (hasExpired(cookie, time)) {
      cookies_.erase(old);
    } else {
      *old = std::move(cookie);
    }
    return;
  }
  if (hasExpired(cookie, time)) return;
  makeRoom(cookie.domain);
  cookies_.push_back(std::move(cookie));
}

void CookieJar::makeRoom(const std::string& domain) {
  std::erase_if(cookies_, [time = now()](const Cookie& each) { return hasExpired(each, time); });
  const auto isOfDomain = [&domain](const Cookie& each) { return each.domain == domain; };
  const auto ofDomain = std::count_if(cookies_.begin(), cookies_.end(), isOfDomain);
  if (static_cast<std::size_t>(ofDomain) >= kCookiesPerHostMax) {
    cookies_.erase(std::find_if(cookies_.begin(), cookies_.end(), isOfDomain));
  } else if (cookies_.size() >= kCookiesMax) {
    cookies_.erase(cookies_.begin());
  }
}

std::string CookieJar::header(const Url& url) const {
  std::vector<const Cookie*> chosen;
  for (const Cookie& each : cookies_) {
    if (isFor(each, url) && !hasExpired(each, now())) chosen.push_back(&each);
  }
  std::sort(chosen.begin(), chosen.end(), [](const Cookie* a, const Cookie* b) {
    // They lie in one block, in the order in which they were set.
    return a->path.size() != b->path.size() ? a->path.size() > b->path.size() : a < b;
  });
  std::string text;
  for (const Cookie* each : chosen) {
    text += (text.empty() ? "" : "; ") + each->name + "=" + each->value;
  }
  return text;
}

std::vector<Cookie> CookieJar::cookies() const {
  std::vector<Cookie> alive = cookies_;
  std::erase_if(alive, [time = now()](const Cookie& each) { return hasExpired(each, time); });
  return alive;
}

std::optional<std::string> CookieJar::value(const Url& url, std::string_view name) const {
  for (const Cookie& each : cookies_) {
    if (each.name == name && isFor(each, url) && !hasExpired(each, now())) return each.value;
  }
  return std::nullopt;
}

void CookieJar::remove(std::string_view domain, std::string_view name) {
  std::erase_if(cookies_, [domain, name](const Cookie& each) {
    return each.domain == domain && each.name == name;
  });
}

}  // namespace plait::http
