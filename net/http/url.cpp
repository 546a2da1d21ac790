#include "plait/url.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

#include "plait/address.h"
#include "plait/error.h"

// A text is cut into its five parts first (RFC 3986, appendix B), whatever is in them. The parts
// are views into the one text, so a fault anywhere in them can be pointed at.

namespace plait::http {
namespace {

constexpr std::size_t kShownMax = 60;  // characters on either side of a fault

struct Scheme {
  std::string_view name;
  std::uint16_t port;
};
constexpr Scheme kSchemes[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}};

constexpr bool isDigit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool isHexDigit(char c) noexcept {
  return isDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}
constexpr bool isLetterOrDigit(char c) noexcept {
  return isDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}
constexpr bool isUserCharacter(char c) noexcept {
  return isLetterOrDigit(c) ||
         std::string_view("-._~!$&'()*+,;=:").find(c) != std::string_view::npos;
}
constexpr bool isPathCharacter(char c) noexcept {
  return isUserCharacter(c) || c == '@' || c == '/';
}
constexpr bool isQueryCharacter(char c) noexcept { return isPathCharacter(c) || c == '?'; }

std::string toLower(std::string_view text) {
  std::string lower(text);
  for (char& each : lower) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each | 0x20);
  }
  return lower;
}

std::uint16_t portOf(std::string_view scheme) noexcept {
  for (const Scheme& each : kSchemes) {
    if (each.name == scheme) return each.port;
  }
  return 0;
}

struct Parts {
  std::string_view text;
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;

  // `where` is a view into the text; its begin is pointed at.
  [[noreturn]] void fail(std::string_view where, const std::string& why) const {
    const auto at = static_cast<std::size_t>(where.data() - text.data());
    const std::size_t from = at > kShownMax ? at - kShownMax : 0;
    std::string shown(text.substr(from, at - from + kShownMax));
    for (char& each : shown) {
      const auto byte = static_cast<unsigned char>(each);
      if (byte < 0x20 || byte == 0x7f) each = '?';
    }
    const std::string start = from > 0 ? "..." : "";
    // Of a character in UTF-8 only the first byte takes a column.
    const auto column = std::count_if(shown.begin(), shown.begin() + static_cast<long>(at - from),
                                      [](char c) { return (c & 0xc0) != 0x80; });
    throw Error(std::errc::invalid_argument,
                "cannot read the URL '" + start + shown + "': " + why + "\n  " + start + shown +
                    "\n  " + std::string(start.size() + static_cast<std::size_t>(column), ' ') +
                    "^");
  }

  void check(std::string_view part, bool (*isAllowed)(char) noexcept) const {
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '%') {
        if (i + 2 < part.size() && isHexDigit(part[i + 1]) && isHexDigit(part[i + 2])) continue;
        fail(part.substr(i), "two hexadecimal digits belong behind '%'; '%' itself is %25");
      }
      if (!isAllowed(part[i])) {
        fail(part.substr(i), "this character is written as " + percentEncode(part.substr(i, 1)));
      }
    }
  }
};

Parts split(std::string_view text) {
  Parts parts;
  parts.text = text;
  if (text.size() > kUrlMax) {
    parts.fail(text.substr(kUrlMax), "a URL has at most " + std::to_string(kUrlMax) + " bytes");
  }
  std::string_view rest = text;
  if (const std::size_t hash = rest.find('#'); hash != rest.npos) {
    parts.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (const std::size_t mark = rest.find('?'); mark != rest.npos) {
    parts.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (const std::size_t colon = rest.find_first_of(":/");
      colon != rest.npos && rest[colon] == ':') {
    parts.scheme = rest.substr(0, colon);
    rest.remove_prefix(colon + 1);
  }
  if (rest.starts_with("//")) {
    const std::size_t slash = std::min(rest.find('/', 2), rest.size());
    parts.authority = rest.substr(2, slash - 2);
    rest.remove_prefix(slash);
  }
  parts.path = rest;
  return parts;
}

void readPort(const Parts& parts, std::string_view port, Url& into) {
  into.port = portOf(into.scheme);
  if (port.empty()) return;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), into.port);
  if (error == std::errc() && end == port.data() + port.size() && into.port != 0) return;
  parts.fail(port, "a port is a number from 1 to 65535");
}

// What the last label says: a name's is no number, so this is meant as an address.
bool looksNumeric(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.empty() && (std::all_of(last.begin(), last.end(), isDigit) ||
                           (last.size() > 1 && last[0] == '0' && (last[1] | 0x20) == 'x'));
}

void readName(const Parts& parts, std::string_view host, Url& into) {
  if (host.empty()) parts.fail(host, "the host is missing");
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (isLetterOrDigit(host[i]) || host[i] == '-' || host[i] == '.' || host[i] == '_') continue;
    if (static_cast<unsigned char>(host[i]) >= 0x80) {
      parts.fail(host.substr(i),
                 "international names are not translated: write the host in its ASCII form, "
                 "as xn--bcher-kva.example");
    }
    parts.fail(host.substr(i), "a host has letters, digits, '-', '.' and '_' only");
  }
  if (host[0] == '.') parts.fail(host, "a host does not begin with '.'");
  if (const std::size_t dots = host.find(".."); dots != host.npos) {
    parts.fail(host.substr(dots + 1), "a host has no empty part");
  }
  net::Address address;
  if (looksNumeric(host) && !net::Address::tryIp(host, 0, address)) {
    parts.fail(host, "an IPv4 address has four decimal numbers up to 255, as 127.0.0.1");
  }
  into.host = toLower(host);
}

void readAuthority(const Parts& parts, std::string_view authority, Url& into) {
  if (const std::size_t at = authority.find('@'); at != authority.npos) {
    const std::string_view credentials = authority.substr(0, at);
    parts.check(credentials, &isUserCharacter);
    const std::size_t colon = std::min(credentials.find(':'), credentials.size());
    into.user = *percentDecode(credentials.substr(0, colon));
    into.password = *percentDecode(credentials.substr(std::min(colon + 1, credentials.size())));
    authority.remove_prefix(at + 1);
  }
  if (!authority.starts_with('[')) {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    readName(parts, authority.substr(0, colon), into);
    return readPort(parts, authority.substr(std::min(colon + 1, authority.size())), into);
  }
  const std::size_t end = authority.find(']');
  if (end == authority.npos) parts.fail(authority, "this '[' has no ']'");
  const std::string_view host = authority.substr(1, end - 1);
  net::Address address;
  if (host.find('%') != host.npos || !net::Address::tryIp(host, 0, address) ||
      address.family() != net::Family::ipv6) {
    parts.fail(host, "between brackets stands an IPv6 address, as [::1]");
  }
  into.host = toLower(host);
  const std::string_view behind = authority.substr(end + 1);
  if (!behind.empty() && behind[0] != ':') parts.fail(behind, "':' and a port belong here");
  readPort(parts, behind.substr(behind.empty() ? 0 : 1), into);
}

// RFC 3986, 5.2.4. `path` begins with '/'.
std::string removeDotSegments(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "/..") {
      result.resize(result.empty() ? 0 : result.rfind('/'));
    } else if (segment != "/.") {
      result += segment;
      continue;
    }
    // What ends in a dot segment is a folder.
    if (path.empty()) result += '/';
  }
  return result.empty() ? "/" : result;
}

void setQuery(const Parts& parts, Url& into) {
  into.hasQuery = parts.query.has_value();
  into.query = parts.query.value_or("");
}

}  // namespace

Url Url::parse(std::string_view text) {
  const Parts parts = split(text);
  if (!parts.scheme) {
    parts.fail(text, "a URL begins with its scheme, as http://example.org/");
  }
  Url url;
  url.scheme = toLower(*parts.scheme);
  if (portOf(url.scheme) == 0) {
    parts.fail(*parts.scheme, "the scheme is none of http, https, ws and wss");
  }
  if (!parts.authority) parts.fail(parts.path, "'//' and a host belong here");
  parts.check(parts.path, &isPathCharacter);
  parts.check(parts.query.value_or(""), &isQueryCharacter);
  parts.check(parts.fragment.value_or(""), &isQueryCharacter);
  readAuthority(parts, *parts.authority, url);
  url.path = removeDotSegments(parts.path);
  setQuery(parts, url);
  url.fragment = parts.fragment.value_or("");
  return url;
}

Url Url::resolve(std::string_view reference) const {
  const Parts parts = split(reference);
  if (parts.scheme) return parse(reference);
  parts.check(parts.path, &isPathCharacter);
  parts.check(parts.query.value_or(""), &isQueryCharacter);
  parts.check(parts.fragment.value_or(""), &isQueryCharacter);
  Url url = *this;
  url.fragment = parts.fragment.value_or("");
  if (parts.authority) {
    url.user.clear();
    url.password.clear();
    readAuthority(parts, *parts.authority, url);
    url.path = removeDotSegments(parts.path);
    setQuery(parts, url);
    return url;
  }
  if (parts.path.empty()) {
    if (parts.query) setQuery(parts, url);
    return url;
  }
  const std::string folder = parts.path[0] == '/' ? "" : path.substr(0, path.rfind('/') + 1);
  url.path = removeDotSegments(folder + std::string(parts.path));
  setQuery(parts, url);
  return url;
}

std::string Url::authority() const {
  std::string result = host.find(':') == host.npos ? host : "[" + host + "]";
  if (port != portOf(scheme)) result += ":" + std::to_string(port);
  return result;
}

std::string Url::target() const { return hasQuery ? path + "?" + query : path; }

std::string Url::origin() const { return scheme + "://" + authority(); }

std::string Url::endpoint() const {
  return "tcp:" + (host.find(':') == host.npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

std::string Url::toString() const {
  return origin() + target() + (fragment.empty() ? "" : "#" + fragment);
}

}  // namespace plait::http
