// The text of an endpoint while it is read: KIND:POSITIONAL:key=value:key=value. All parts are
// views into the one text, so that a fault anywhere can be pointed at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plait/detail/endpoint.h"

namespace plait::net::detail {

// The text for one line of a terminal: a byte that would not be printed as itself is a '?'.
std::string printable(std::string_view text);

struct EndpointOption {
  std::string_view name;
  std::string_view value;  // as it is written
};

// What a parser sees: what stands behind the kind, which is to be read for `use`.
struct EndpointText {
  std::string_view text;
  std::string_view rest;  // the positional part
  EndpointUse use;
  std::vector<EndpointOption> options;

  bool isConnect() const noexcept { return use == EndpointUse::connect; }
  // `where` is a view into the text; its begin is pointed at.
  [[noreturn]] void fail(std::string_view where, const std::string& why) const;
};

// Cuts what stands behind the kind into the positional part and the options. An option begins at a
// ':' that has a name and a '=' behind it, outside of brackets and not behind a '\'.
EndpointText cutEndpoint(std::string_view text, std::string_view rest, EndpointUse use);

// "\:" and "\\" as the character itself.
std::string unescaped(std::string_view value);

// A number from `least` to `most`; what it is called is for the message.
std::uint32_t parseNumber(const EndpointText& source, std::string_view value, std::uint32_t least,
                          std::uint32_t most, const char* what, int base = 10);
std::uint16_t parsePort(const EndpointText& source, std::string_view port);
void parseHost(const EndpointText& source, std::string_view host, Endpoint& into);
Address parseAddress(const EndpointText& source, std::string_view value);

}  // namespace plait::net::detail
