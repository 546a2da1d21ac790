#include "endpoint.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "host_name.h"
#include "plait/error.h"
#include "plait/resolver.h"

// An endpoint is KIND:REST. A table says who reads the rest; a new kind is a function and a line in
// it. All of them work on views into the one text, so a fault anywhere can be pointed at.

namespace plait::net::detail {
namespace {

// The text for one line of a terminal: a byte that would not be printed as itself is a '?'.
std::string printable(std::string_view text) {
  std::string result(text);
  for (char& each : result) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte == 0x7f) each = '?';
  }
  return result;
}

// What a parser sees: the rest of the text, which is to be read for `use`.
struct Source {
  std::string_view text;
  std::string_view rest;
  EndpointUse use;

  bool isConnect() const noexcept { return use == EndpointUse::connect; }

  // `where` is a view into the text; its begin is pointed at.
  [[noreturn]] void fail(std::string_view where, const std::string& why) const {
    const auto at = static_cast<std::size_t>(where.data() - text.data());
    const std::string shown = printable(text);
    // Of a character in UTF-8 only the first byte takes a column.
    const auto column = std::count_if(shown.begin(), shown.begin() + static_cast<long>(at),
                                      [](char c) { return (c & 0xc0) != 0x80; });
    throw Error(std::errc::invalid_argument,
                "cannot read the endpoint '" + shown + "': " + why + "\n  " + shown + "\n  " +
                    std::string(static_cast<std::size_t>(column), ' ') + "^");
  }
};

constexpr bool isDigit(char character) noexcept { return character >= '0' && character <= '9'; }
constexpr bool isLetter(char character) noexcept {
  return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

std::uint16_t parsePort(const Source& source, std::string_view port) {
  const std::string least = source.isConnect() ? "1" : "0";
  if (port.empty()) source.fail(port, "the port is missing");
  const auto stray = std::find_if_not(port.begin(), port.end(), isDigit);
  if (stray != port.end()) {
    source.fail(port.substr(static_cast<std::size_t>(stray - port.begin())),
                "a port is a number from " + least + " to 65535");
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc()) source.fail(port, "a port is at most 65535");
  if (number == 0 && source.isConnect()) {
    source.fail(port, "port 0 is for listening only: there it lets the system choose");
  }
  return number;
}

void parseHost(const Source& source, std::string_view host, Endpoint& into) {
  if (Address::tryIp(host, into.port, into.address)) return;
  if (host.empty()) {
    source.fail(host, source.isConnect()
                          ? "the host is empty"
                          : "the host is empty: leave out its ':' to listen on every interface");
  }
  if (const auto fault = findHostNameFault(host)) source.fail(host.substr(fault->at), fault->why);
  into.host = host;
}

// [ADDRESS]:PORT
void parseBracketed(const Source& source, Endpoint& into) {
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

void parseTcp(const Source& source, Endpoint& into) {
  const std::string_view rest = source.rest;
  if (rest.starts_with('[')) return parseBracketed(source, into);
  const std::size_t colon = rest.find(':');
  if (colon == rest.npos) {
    if (isLetter(rest[0]) || rest.find('.') != rest.npos) {
      source.fail(rest.substr(rest.size()), "the port is missing: tcp:HOST:PORT");
    }
    if (source.isConnect() && std::all_of(rest.begin(), rest.end(), isDigit)) {
      source.fail(rest, "connecting needs a host, as tcp:localhost:8080");
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

void parseUnix(const Source& source, Endpoint& into) {
  try {
    into.address = Address::unixSocket(source.rest);
  } catch (const Error& error) {
    source.fail(source.rest, error.what());
  }
}

struct Kind {
  std::string_view name;
  std::string_view shape;
  void (*parse)(const Source& source, Endpoint& into);  // the rest is not empty
};

constexpr Kind kKinds[] = {
    {"tcp", "tcp:PORT, tcp:HOST:PORT or tcp:[ADDRESS]:PORT", &parseTcp},
    {"unix", "unix:PATH or unix:@NAME", &parseUnix},
};

std::string knownKinds() {
  std::string text;
  for (const Kind& each : kKinds) {
    text += text.empty() ? "" : ", ";
    text += each.shape;
  }
  return text;
}

}  // namespace

Endpoint parseEndpoint(std::string_view text, EndpointUse use) {
  const std::size_t colon = text.find(':');
  Source source{text, text.substr(colon == text.npos ? text.size() : colon + 1), use};
  if (colon == text.npos) source.fail(text, "it has to be one of " + knownKinds());
  Endpoint result;
  result.text = text;
  result.kind = text.substr(0, colon);
  const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                        [&result](const Kind& k) { return k.name == result.kind; });
  if (kind == std::end(kKinds)) {
    source.fail(text, "no such kind '" + printable(result.kind) + "'; there are " + knownKinds());
  }
  if (source.rest.empty())
    source.fail(source.rest, "it ends too early: " + std::string(kind->shape));
  kind->parse(source, result);
  return result;
}

std::vector<Address> Endpoint::resolve() const {
  if (address.family() != Family::none) return {address};
  return net::resolve(host, port);
}

}  // namespace plait::net::detail
