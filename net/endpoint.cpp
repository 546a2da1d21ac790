// An endpoint is KIND:REST. A table says who reads the rest and which options there are; a new kind
// is a function and a line in it.

#include <algorithm>
#include <string_view>

#include "endpoint_text.h"
#include "plait/error.h"
#include "plait/resolver.h"

namespace plait::net::detail {
namespace {

constexpr bool isDigit(char character) noexcept { return character >= '0' && character <= '9'; }
constexpr bool isLetter(char character) noexcept {
  return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

// [ADDRESS]:PORT
void parseBracketed(const EndpointText& source, Endpoint& into) {
  const std::string_view rest = source.rest;
  const std::size_t end = rest.find(']');
  if (end == rest.npos) source.fail(rest, "this '[' has no ']'");
  const std::string_view behind = rest.substr(end + 1);
  if (!behind.starts_with(':')) source.fail(behind, "':' and a port belong here");
  into.port = parsePort(source, behind.substr(1));
  const std::string_view host = rest.substr(1, end - 1);
  if (!Address::tryIp(host, into.port, into.address) || into.address.family() != Family::ipv6) {
    source.fail(host, "between brackets stands an IPv6 address, as [::1]");
  }
}

void parseTcp(const EndpointText& source, Endpoint& into) {
  const std::string_view rest = source.rest;
  if (rest.empty()) return;  // it stands in options
  if (rest.starts_with('[')) return parseBracketed(source, into);
  const std::size_t colon = rest.find(':');
  if (colon == rest.npos) {
    if (isLetter(rest[0]) || rest.find('.') != rest.npos) {
      source.fail(rest.substr(rest.size()), "the port is missing: " + into.kind + ":HOST:PORT");
    }
    if (source.isConnect() && std::all_of(rest.begin(), rest.end(), isDigit)) {
      source.fail(rest, "connecting needs a host, as " + into.kind + ":localhost:8080");
    }
    into.port = parsePort(source, rest);
    into.address = Address::any(into.port);
    return;
  }
  const std::string_view port = rest.substr(colon + 1);
  if (const std::size_t second = port.find(':'); second != port.npos) {
    source.fail(port.substr(second),
                "one ':' too many; an IPv6 address stands in brackets, as "
                "tcp:[::1]:8080");
  }
  into.port = parsePort(source, port);
  parseHost(source, rest.substr(0, colon), into);
}

void parseTls(const EndpointText& source, Endpoint& into) {
  into.tls.emplace();
  parseTcp(source, into);
}

void parsePath(const EndpointText& source, std::string_view path, Endpoint& into) {
  try {
    into.address = Address::unixSocket(unescaped(path));
  } catch (const Error& error) {
    source.fail(path, error.what());
  }
}

void parseUnix(const EndpointText& source, Endpoint& into) {
  if (!source.rest.empty()) parsePath(source, source.rest, into);
}

void parseFd(const EndpointText& source, Endpoint& into) {
  into.descriptor =
      static_cast<int>(parseNumber(source, source.rest, 0, 0x7fffffff, "a descriptor"));
}

void parseSystemd(const EndpointText& source, Endpoint& into) {
  if (!source.rest.empty()) source.fail(source.rest, "an option is name=value");
  into.passed.emplace();
}

constexpr std::string_view kHaproxy = "haproxy";

struct Kind {
  std::string_view name;
  std::string_view shape;
  std::string_view uses;  // 'l'istening, 'c'onnecting
  void (*parse)(const EndpointText& source, Endpoint& into);
};

constexpr Kind kKinds[] = {
    {"tcp", "tcp:PORT, tcp:HOST:PORT or tcp:[ADDRESS]:PORT", "lc", &parseTcp},
    {"unix", "unix:PATH or unix:@NAME", "lc", &parseUnix},
    {"ssl", "ssl:PORT:privateKey=FILE:certKey=FILE or ssl:HOST:PORT", "lc", &parseTls},
    {"tls", "tls:HOST:PORT", "lc", &parseTls},
    {"fd", "fd:NUMBER", "lc", &parseFd},
    {"systemd", "systemd:domain=INET:index=0", "l", &parseSystemd},
    {kHaproxy, "haproxy:ENDPOINT", "l", nullptr},  // it stands before an endpoint of another kind
};

// ---- options

struct Option {
  std::string_view name;
  std::string_view kinds;  // of which; a name and a blank each
  std::string_view uses;
  void (*set)(const EndpointText& source, std::string_view value, Endpoint& into);
};

using Text = const EndpointText&;
using View = std::string_view;

template <std::string TlsText::* Member>
void setTlsText(Text, View value, Endpoint& into) {
  (*into.tls).*Member = unescaped(value);
}

constexpr Option kOptions[] = {
    {"host", "tcp tls ssl ", "c", [](Text s, View v, Endpoint& e) { parseHost(s, v, e); }},
    {"port", "tcp tls ssl ", "lc",
     [](Text s, View v, Endpoint& e) {
       e.port = parsePort(s, v);
       // The name before it, or behind it, or every interface.
       if (e.address.family() != Family::none) {
         e.address = e.address.withPort(e.port);
       } else if (!s.isConnect() && e.host.empty()) {
         e.address = Address::any(e.port);
       }
     }},
    {"interface", "tcp tls ssl ", "l",
     [](Text s, View v, Endpoint& e) {
       e.address = Address();
       if (v.starts_with('[')) {
         e.address = parseAddress(s, v).withPort(e.port);
         return;
       }
       const std::string name = unescaped(v);
       if (!Address::tryIp(name, e.port, e.address)) parseHost(s, v, e);
     }},
    {"backlog", "tcp tls ssl unix ", "l",
     [](Text s, View v, Endpoint& e) {
       e.backlog = static_cast<int>(parseNumber(s, v, 1, 65'535, "a backlog"));
     }},
    {"timeout", "tcp tls ssl unix ", "c",
     [](Text s, View v, Endpoint& e) {
       e.timeout = std::chrono::seconds(parseNumber(s, v, 1, 86'400, "a timeout in seconds"));
     }},
    {"bindAddress", "tcp tls ssl ", "c",
     [](Text s, View v, Endpoint& e) { e.bindTo = parseAddress(s, v); }},
    {"path", "unix ", "lc", &parsePath},
    {"address", "unix ", "l", &parsePath},
    {"mode", "unix ", "l",
     [](Text s, View v, Endpoint& e) {
       e.mode = parseNumber(s, v, 0, 0777, "a mode in octal, as 660,", 8);
     }},
    {"domain", "systemd ", "l",
     [](Text s, View v, Endpoint& e) {
       if (v != "INET" && v != "INET6" && v != "UNIX") s.fail(v, "INET, INET6 or UNIX");
       e.passed->domain = v == "INET"    ? Family::ipv4
                          : v == "INET6" ? Family::ipv6
                                         : Family::unixSocket;
     }},
    {"index", "systemd ", "l",
     [](Text s, View v, Endpoint& e) {
       e.passed->index = parseNumber(s, v, 0, 65'535, "an index");
     }},
    {"name", "systemd ", "l", [](Text, View v, Endpoint& e) { e.passed->name = unescaped(v); }},
    {"privateKey", "tls ssl ", "lc", &setTlsText<&TlsText::privateKey>},
    {"certKey", "tls ssl ", "lc", &setTlsText<&TlsText::certKey>},
    {"certificate", "tls ssl ", "c", &setTlsText<&TlsText::certKey>},
    {"extraCertChain", "tls ssl ", "l", &setTlsText<&TlsText::extraCertChain>},
    {"clientAuthority", "tls ssl ", "l", &setTlsText<&TlsText::clientAuthority>},
    {"trustRoots", "tls ssl ", "c", &setTlsText<&TlsText::trustRoots>},
    {"hostname", "tls ssl ", "c", &setTlsText<&TlsText::hostname>},
    {"protocol", "tls ssl ", "lc",
     [](Text, View v, Endpoint& e) { e.tls->protocols.push_back(unescaped(v)); }},
};

bool fits(const Option& option, const Endpoint& endpoint, char use) {
  return option.kinds.find(endpoint.kind + " ") != View::npos &&
         option.uses.find(use) != View::npos;
}

void setOptions(const EndpointText& source, Endpoint& into) {
  const char use = source.isConnect() ? 'c' : 'l';
  for (const EndpointOption& given : source.options) {
    const auto* const option = std::find_if(
        std::begin(kOptions), std::end(kOptions),
        [&](const Option& each) { return each.name == given.name && fits(each, into, use); });
    if (option == std::end(kOptions)) {
      std::string known;
      for (const Option& each : kOptions) {
        if (fits(each, into, use)) known += " " + std::string(each.name);
      }
      source.fail(given.name, "no such option of " + into.kind +
                                  " here; there are:" + (known.empty() ? " none" : known));
    }
    if (given.value.empty()) source.fail(given.value, "the value is missing");
    option->set(source, given.value, into);
  }
}

// What no option has given and nothing can do without.
void requireAll(const EndpointText& source, const Endpoint& into) {
  const View end = source.text.substr(source.text.size());
  const bool isTcp = into.kind == "tcp" || into.tls;
  const bool hasHost = into.address.family() != Family::none || !into.host.empty();
  if (isTcp && source.rest.empty() && source.isConnect() && (into.port == 0 || !hasHost)) {
    source.fail(end, "host=NAME and port=NUMBER are both needed");
  }
  if (isTcp && !source.isConnect() && !hasHost) source.fail(end, "the port is missing");
  if (into.kind == "unix" && !hasHost) source.fail(end, "the path is missing");
  if (!into.tls) return;
  if (!source.isConnect() && into.tls->certKey.empty()) {
    source.fail(end,
                "a server's certificate is missing: certKey=FILE, and privateKey=FILE if the "
                "key is not in it");
  }
}

std::string knownKinds(EndpointUse use) {
  std::string text;
  for (const Kind& each : kKinds) {
    if (each.uses.find(use == EndpointUse::connect ? 'c' : 'l') == View::npos) continue;
    text += text.empty() ? "" : ", ";
    text += each.shape;
  }
  return text;
}

Endpoint parseWithin(std::string_view text, std::string_view part, EndpointUse use) {
  const std::size_t colon = part.find(':');
  const View rest = part.substr(colon == part.npos ? part.size() : colon + 1);
  EndpointText source{text, rest, use, {}};
  if (colon == part.npos) source.fail(part, "it has to be one of " + knownKinds(use));
  Endpoint result;
  result.text = text;
  result.kind = part.substr(0, colon);
  const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                        [&result](const Kind& k) { return k.name == result.kind; });
  if (kind == std::end(kKinds)) {
    source.fail(part,
                "no such kind '" + printable(result.kind) + "'; there are " + knownKinds(use));
  }
  if (kind->uses.find(source.isConnect() ? 'c' : 'l') == View::npos) {
    source.fail(part, result.kind + " is for " +
                          (source.isConnect() ? "listening only" : "connecting only"));
  }
  if (rest.empty()) source.fail(rest, "it ends too early: " + std::string(kind->shape));
  if (result.kind == kHaproxy) {
    result = parseWithin(text, rest, use);
    if (result.readsProxyHeader) source.fail(rest, "one haproxy: is enough");
    result.readsProxyHeader = true;
    return result;
  }
  source = cutEndpoint(text, rest, use);
  kind->parse(source, result);
  setOptions(source, result);
  requireAll(source, result);
  return result;
}

}  // namespace

Endpoint parseEndpoint(std::string_view text, EndpointUse use) {
  return parseWithin(text, text, use);
}

std::vector<Address> Endpoint::resolve() const {
  if (address.family() != Family::none) return {address};
  return net::resolve(host, port);
}

}  // namespace plait::net::detail
