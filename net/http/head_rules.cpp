#include "head_rules.h"

#include <algorithm>
#include <array>

#include "plait/http_fields.h"

namespace plait::http::detail {
namespace {

constexpr auto kHostCharacters = [] {
  std::array<bool, 256> table{};
  for (char each = '!'; each <= '~'; ++each) {
    table[static_cast<unsigned char>(each)] =
        std::string_view("\"#,/<>?@\\^`{|}").find(each) == std::string_view::npos;
  }
  return table;
}();

bool isDigit(char character) noexcept { return character >= '0' && character <= '9'; }

bool beginsNoCase(std::string_view text, std::string_view with) noexcept {
  return text.size() >= with.size() && equalsNoCase(text.substr(0, with.size()), with);
}

}  // namespace

bool isAllDigits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), isDigit);
}

bool namesOtherVersion(std::string_view head) noexcept {
  const std::string_view line = head.substr(0, head.find('\r'));
  if (line.size() < 8) return false;
  const std::string_view last = line.substr(line.size() - 8);
  return last.starts_with("HTTP/") && isDigit(last[5]) && last[6] == '.' && isDigit(last[7]) &&
         last.substr(5) != "1.0" && last.substr(5) != "1.1";
}

bool isHost(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char character) {
    return kHostCharacters[static_cast<unsigned char>(character)];
  });
}

bool isTarget(std::string_view method, std::string_view target) noexcept {
  if (target.find('#') != std::string_view::npos) return false;
  if (method == "CONNECT") {
    const std::size_t colon = target.rfind(':');
    return colon != std::string_view::npos && colon > 0 && isHost(target.substr(0, colon)) &&
           isAllDigits(target.substr(colon + 1));
  }
  if (target.front() == '/') return true;
  if (target == "*") return method == "OPTIONS";
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!beginsNoCase(target, scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    return !authority.empty() && isHost(authority);
  }
  return false;
}

int refusedEncoding(std::string_view value) noexcept {
  if (equalsNoCase(value, "chunked")) return 0;
  for (std::size_t comma = value.find(','); comma != std::string_view::npos;) {
    std::string_view token = value.substr(0, comma);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (equalsNoCase(token, "chunked")) return 400;  // not the last: where does the body end?
    value.remove_prefix(comma + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
      value.remove_prefix(1);
    }
    comma = value.find(',');
  }
  return 501;
}

}  // namespace plait::http::detail
