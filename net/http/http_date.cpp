#include "http_date.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <vector>

namespace plait::http::detail {
namespace {

using namespace std::chrono;

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::vector<std::string_view> splitAt(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// -1 if it is no number.
int numberOf(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

std::optional<sys_seconds> assemble(int dayOfMonth, std::string_view monthName, int yearNumber,
                                    std::string_view clock) {
  const auto* const found = std::find(kMonths.begin(), kMonths.end(), monthName);
  const auto time = splitAt(clock, ":");
  if (found == kMonths.end() || time.size() != 3) return std::nullopt;
  const int hour = numberOf(time[0]);
  const int minute = numberOf(time[1]);
  const int second = numberOf(time[2]);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
      yearNumber < 0 || dayOfMonth < 0) {
    return std::nullopt;
  }
  const year_month_day date(year(yearNumber),
                            month(static_cast<unsigned>(found - kMonths.begin()) + 1),
                            day(static_cast<unsigned>(dayOfMonth)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
}

}  // namespace

std::string formatDate(system_clock::time_point time) {
  const auto days = floor<std::chrono::days>(time);
  const year_month_day date(days);
  const hh_mm_ss clock(floor<seconds>(time) - days);
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
      kDays[weekday(days).c_encoding()], static_cast<unsigned>(date.day()),
      kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<sys_seconds> parseDate(std::string_view text) {
  const auto parts = splitAt(text, " ,-");
  // Sun, 06 Nov 1994 08:49:37 GMT   and   Sunday, 06-Nov-94 08:49:37 GMT
  if (parts.size() == 6 && parts[5] == "GMT") {
    int yearNumber = numberOf(parts[3]);
    if (parts[3].size() == 2) yearNumber += yearNumber < 70 ? 2000 : 1900;
    return assemble(numberOf(parts[1]), parts[2], yearNumber, parts[4]);
  }
  // Sun Nov  6 08:49:37 1994
  if (parts.size() == 5)
    return assemble(numberOf(parts[2]), parts[1], numberOf(parts[4]), parts[3]);
  return std::nullopt;
}

}  // namespace plait::http::detail
