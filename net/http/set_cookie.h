// How a Set-Cookie field is read: RFC 6265, 5.1.1 and 5.2. What it means is the jar's business.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace plait::http::detail {

struct SetCookie {
  std::string name;
  std::string value;
  std::string domain;  // in small letters, without a leading dot; empty: none was given
  std::string path;    // empty: none was given
  std::optional<std::chrono::system_clock::time_point> expires;
  bool secure = false;
  bool httpOnly = false;
};

// Nothing if there is no name and value in it. `now` is what Max-Age counts from.
std::optional<SetCookie> parseSetCookie(std::string_view text,
                                        std::chrono::system_clock::time_point now);

// The many ways in which dates of cookies are written. Nothing for what is no date.
std::optional<std::chrono::system_clock::time_point> parseCookieDate(std::string_view text);

}  // namespace plait::http::detail
