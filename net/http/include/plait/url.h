// URLs of http, https, ws and wss, as RFC 3986 writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait::http {

inline constexpr std::size_t kUrlMax = 65'536;  // bytes

struct Url {
  std::string scheme;  // in small letters
  std::string user;    // decoded
  std::string password;
  std::string host;        // in small letters; an IPv6 address without its brackets
  std::uint16_t port = 0;  // never 0 after parsing: the scheme's own if the text has none
  std::string path;        // as it was written, at least "/"; without dot segments
  std::string query;       // without its '?'
  bool hasQuery = false;   // also an empty one
  std::string fragment;    // without its '#'

  // Throws: Error (invalid_argument) that quotes the text and points at the character. Never
  // switches.
  static Url parse(std::string_view text);
  // What `reference` means where this URL is the base: a redirect's Location.
  Url resolve(std::string_view reference) const;

  bool isSecure() const noexcept { return scheme == "https" || scheme == "wss"; }
  std::string authority() const;  // "example.org:8080", as the Host field wants it
  std::string target() const;     // "/path?query"
  std::string origin() const;     // "https://example.org"
  std::string endpoint() const;   // "tcp:example.org:443"
  std::string toString() const;   // without user and password
};

// "%41" to "A". Nothing for a '%' without two digits behind it.
std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace = false);
// All but letters, digits and "-._~" as %XX.
std::string percentEncode(std::string_view text);

// "a=1&b=2" as pairs, decoded; what cannot be decoded stays as it is.
using Parameters = std::vector<std::pair<std::string, std::string>>;
Parameters parseQuery(std::string_view query);
std::string toQuery(const Parameters& parameters);

}  // namespace plait::http
