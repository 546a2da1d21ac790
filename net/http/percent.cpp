#include <algorithm>

#include "plait/url.h"

namespace plait::http {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

constexpr int valueOf(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const int letter = digit | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

constexpr bool isUnreserved(char c) noexcept {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plusIsSpace) {
      result += ' ';
    } else if (text[i] != '%') {
      result += text[i];
    } else {
      const int high = i + 2 < text.size() ? valueOf(text[i + 1]) : -1;
      const int low = high >= 0 ? valueOf(text[i + 2]) : -1;
      if (low < 0) return std::nullopt;
      result += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return result;
}

std::string percentEncode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char each : text) {
    if (isUnreserved(each)) {
      result += each;
      continue;
    }
    const auto byte = static_cast<unsigned char>(each);
    result += {'%', kHexDigits[byte >> 4U], kHexDigits[byte & 15U]};
  }
  return result;
}

Parameters parseQuery(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    parameters.emplace_back(percentDecode(name, true).value_or(std::string(name)),
                            percentDecode(value, true).value_or(std::string(value)));
  }
  return parameters;
}

std::string toQuery(const Parameters& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    if (!query.empty()) query += '&';
    query += percentEncode(name) + "=" + percentEncode(value);
  }
  return query;
}

}  // namespace plait::http
