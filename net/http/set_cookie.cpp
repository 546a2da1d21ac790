#include "set_cookie.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "plait/http_fields.h"

namespace plait::http::detail {
namespace {

using Time = std::chrono::system_clock::time_point;

// Past what a clock of nanoseconds can say, a cookie lives for ever: ten years are enough.
constexpr std::chrono::seconds kAgeMax{std::int64_t{10} * 365 * 24 * 3600};
constexpr int kYearMax = 2200;

constexpr bool isDigit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) noexcept {
  const auto isSpace = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && isSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && isSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Takes what comes before `separator`, and the separator, off the front of `text`.
std::string_view takeUntil(std::string_view& text, char separator) noexcept {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return head;
}

bool isDateDelimiter(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
         (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

// `most` digits at the front, at least `least`, and no digit behind them; -1 for anything else.
int takeNumber(std::string_view& text, std::size_t least, std::size_t most) noexcept {
  std::size_t count = 0;
  while (count < text.size() && isDigit(text[count])) ++count;
  if (count < least || count > most) return -1;
  int number = 0;
  std::from_chars(text.data(), text.data() + count, number);
  text.remove_prefix(count);
  return number;
}

struct Date {
  int hour = -1;
  int minute = 0;
  int second = 0;
  int day = -1;
  int month = -1;
  int year = -1;

  // Each token is the first of these that it can be and that was not there before.
  void take(std::string_view token) noexcept {
    if (hour < 0 && takeTime(token)) return;
    std::string_view rest = token;
    if (day < 0 && (day = takeNumber(rest, 1, 2)) >= 0) return;
    if (month < 0 && takeMonth(token)) return;
    rest = token;
    if (year < 0) year = takeNumber(rest, 2, 4);
  }

  bool takeTime(std::string_view token) noexcept {
    std::array<int, 3> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (i > 0) {
        if (!token.starts_with(':')) return false;
        token.remove_prefix(1);
      }
      numbers[i] = takeNumber(token, 1, 2);
      if (numbers[i] < 0) return false;
    }
    hour = numbers[0];
    minute = numbers[1];
    second = numbers[2];
    return true;
  }

  bool takeMonth(std::string_view token) noexcept {
    constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
      if (!equalsNoCase(token.substr(0, 3), kMonths[i])) continue;
      month = static_cast<int>(i) + 1;
      return true;
    }
    return false;
  }
};

Time fromAge(std::string_view text, Time now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc::result_out_of_range) {
    seconds = text[0] == '-' ? 0 : kAgeMax.count();
  }
  if (seconds <= 0) return Time();
  return now + std::min(std::chrono::seconds(seconds), kAgeMax);
}

bool isAge(std::string_view text) noexcept {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), isDigit);
}

std::string toDomain(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  std::string domain(text);
  for (char& each : domain) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each | 0x20);
  }
  return domain;
}

}  // namespace

std::optional<Time> parseCookieDate(std::string_view text) {
  Date date;
  while (!text.empty()) {
    const auto end = std::find_if(text.begin(), text.end(), isDateDelimiter);
    const auto count = static_cast<std::size_t>(end - text.begin());
    if (count > 0) date.take(text.substr(0, count));
    text.remove_prefix(std::min(count + 1, text.size()));
  }
  if (date.year >= 70 && date.year <= 99) date.year += 1900;
  if (date.year >= 0 && date.year <= 69) date.year += 2000;
  if (date.hour < 0 || date.hour > 23 || date.minute > 59 || date.second > 59) return std::nullopt;
  if (date.day < 1 || date.month < 1 || date.year < 1601) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(std::min(date.year, kYearMax)),
                                        std::chrono::month(static_cast<unsigned>(date.month)),
                                        std::chrono::day(static_cast<unsigned>(date.day))};
  if (!day.ok()) return std::nullopt;
  // Before the clock's own beginning it has expired in any case.
  if (date.year < 1970) return Time();
  return std::chrono::sys_days(day) + std::chrono::hours(date.hour) +
         std::chrono::minutes(date.minute) + std::chrono::seconds(date.second);
}

std::optional<SetCookie> parseSetCookie(std::string_view text, Time now) {
  std::string_view pair = takeUntil(text, ';');
  if (pair.find('=') == pair.npos) return std::nullopt;
  SetCookie cookie;
  cookie.name = trimmed(takeUntil(pair, '='));
  cookie.value = trimmed(pair);
  if (cookie.name.empty()) return std::nullopt;
  bool hasAge = false;  // it counts more than a date
  while (!text.empty()) {
    std::string_view attribute = takeUntil(text, ';');
    const std::string_view name = trimmed(takeUntil(attribute, '='));
    const std::string_view value = trimmed(attribute);
    if (equalsNoCase(name, "expires") && !hasAge) {
      if (const auto date = parseCookieDate(value)) cookie.expires = date;
    } else if (equalsNoCase(name, "max-age") && isAge(value)) {
      hasAge = true;
      cookie.expires = fromAge(value, now);
    } else if (equalsNoCase(name, "domain")) {
      cookie.domain = toDomain(value);
    } else if (equalsNoCase(name, "path")) {
      cookie.path = value.starts_with('/') ? value : std::string_view();
    } else if (equalsNoCase(name, "secure")) {
      cookie.secure = true;
    } else if (equalsNoCase(name, "httponly")) {
      cookie.httpOnly = true;
    }
  }
  return cookie;
}

}  // namespace plait::http::detail
