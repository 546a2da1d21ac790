#include "endpoint_text.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "host_name.h"
#include "plait/error.h"

namespace plait::net::detail {
namespace {

constexpr bool isDigit(char character) noexcept { return character >= '0' && character <= '9'; }
constexpr bool isLetter(char character) noexcept {
  return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

// Whether an option begins right here, behind a ':'.
bool beginsOption(std::string_view text) noexcept {
  const auto end = std::find_if_not(text.begin(), text.end(), isLetter);
  return end != text.begin() && end != text.end() && *end == '=';
}

// The ':' at which `text` ends and something else begins; its size if there is none.
template <class IsEnd>
std::size_t findColon(std::string_view text, IsEnd isEnd) {
  bool isInBrackets = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char character = text[at];
    if (character == '\\') ++at;
    if (character == '[') isInBrackets = true;
    if (character == ']') isInBrackets = false;
    if (character == ':' && !isInBrackets && isEnd(text.substr(at + 1))) return at;
  }
  return text.size();
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& each : result) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte == 0x7f) each = '?';
  }
  return result;
}

void EndpointText::fail(std::string_view where, const std::string& why) const {
  const auto at = static_cast<std::size_t>(where.data() - text.data());
  const std::string shown = printable(text);
  // Of a character in UTF-8 only the first byte takes a column.
  const auto column = std::count_if(shown.begin(), shown.begin() + static_cast<long>(at),
                                    [](char c) { return (c & 0xc0) != 0x80; });
  throw Error(std::errc::invalid_argument,
              "cannot read the endpoint '" + shown + "': " + why + "\n  " + shown + "\n  " +
                  std::string(static_cast<std::size_t>(column), ' ') + "^");
}

EndpointText cutEndpoint(std::string_view text, std::string_view rest, EndpointUse use) {
  EndpointText source{text, rest, use, {}};
  std::size_t end = beginsOption(rest) ? 0 : findColon(rest, beginsOption);
  std::string_view behind = rest.substr(std::min(end + (end > 0 ? 1 : 0), rest.size()));
  source.rest = rest.substr(0, end);
  while (!behind.empty()) {
    const std::size_t equals = behind.find('=');
    if (!beginsOption(behind)) source.fail(behind, "an option is name=value");
    end = findColon(behind, [](std::string_view) { return true; });
    source.options.push_back(
        {behind.substr(0, equals), behind.substr(equals + 1, end - equals - 1)});
    behind = behind.substr(std::min(end + 1, behind.size()));
  }
  return source;
}

std::string unescaped(std::string_view value) {
  std::string result;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] == '\\' && at + 1 < value.size()) ++at;
    result += value[at];
  }
  return result;
}

std::uint32_t parseNumber(const EndpointText& source, std::string_view value, std::uint32_t least,
                          std::uint32_t most, const char* what, int base) {
  std::uint32_t number = 0;
  const char* const begin = value.data();
  const auto [end, error] = std::from_chars(begin, begin + value.size(), number, base);
  if (error == std::errc() && end == begin + value.size() && number >= least && number <= most) {
    return number;
  }
  source.fail(value, std::string(what) + " is a number from " + std::to_string(least) + " to " +
                         std::to_string(most));
}

std::uint16_t parsePort(const EndpointText& source, std::string_view port) {
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

void parseHost(const EndpointText& source, std::string_view host, Endpoint& into) {
  if (Address::tryIp(host, into.port, into.address)) return;
  if (host.empty()) {
    source.fail(host, source.isConnect()
                          ? "the host is empty"
                          : "the host is empty: leave out its ':' to listen on every interface");
  }
  if (const auto fault = findHostNameFault(host)) source.fail(host.substr(fault->at), fault->why);
  into.host = host;
}

Address parseAddress(const EndpointText& source, std::string_view value) {
  Address address;
  std::string text = unescaped(value);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (!Address::tryIp(text, 0, address)) source.fail(value, "an address is expected, as 127.0.0.1");
  return address;
}

}  // namespace plait::net::detail
