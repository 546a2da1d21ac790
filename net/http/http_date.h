// Dates as HTTP writes them, whole seconds of universal time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace plait::http::detail {

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string formatDate(std::chrono::system_clock::time_point time);

// The three forms of RFC 9110, 5.6.7. Nothing for what is none of them.
std::optional<std::chrono::sys_seconds> parseDate(std::string_view text);

// Without the parts of a second, which HTTP cannot say.
inline std::chrono::sys_seconds inSeconds(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

}  // namespace plait::http::detail
