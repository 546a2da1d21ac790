// What servers ask a client to remember, as RFC 6265 says: who may set it, and who gets it back.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/url.h"

namespace plait::http {

inline constexpr std::size_t kCookieMax = 4'096;       // bytes of name, value and attributes
inline constexpr std::size_t kCookiesMax = 3'000;      // in a jar; the oldest goes first
inline constexpr std::size_t kCookiesPerHostMax = 50;  // of one domain

struct Cookie {
  using Time = std::chrono::system_clock::time_point;

  std::string name;
  std::string value;
  std::string domain;           // in small letters, without a leading dot
  std::string path = "/";       // this and what is below it
  std::optional<Time> expires;  // none: lives as long as the jar
  bool hostOnly = true;         // not for the hosts below `domain`
  bool secure = false;          // for https only
  bool httpOnly = false;        // kept for whom it may concern
};

// Belongs to one loop's thread. Copies are independent. Never switches.
class CookieJar final {
 public:
  using Clock = std::function<Cookie::Time()>;

  CookieJar() = default;
  explicit CookieJar(Clock clock) : clock_(std::move(clock)) {}  // for tests

  // What a Set-Cookie field of an answer from `url` asks for. False, and nothing is changed, if it
  // is not to be obeyed: a domain that is not the host or above it, one without a dot in it or a
  // numeric address unless it is the host itself, a secure cookie over http, a prefix __Secure- or
  // __Host- that is not kept to, more than kCookieMax bytes. One that has expired removes the
  // cookie. There is no list of public suffixes: "co.uk" is a domain as any other.
  bool store(const Url& url, std::string_view setCookie);
  // Puts it in place of the one with the same name, domain and path.
  void set(Cookie cookie);

  // The value of a request's Cookie field, the longest path first; empty if there is none for it.
  std::string header(const Url& url) const;

  // Those that have not expired.
  std::vector<Cookie> cookies() const;
  std::optional<std::string> value(const Url& url, std::string_view name) const;
  void remove(std::string_view domain, std::string_view name);
  void clear() noexcept { cookies_.clear(); }

 private:
  Cookie::Time now() const { return clock_ ? clock_() : std::chrono::system_clock::now(); }
  void makeRoom(const std::string& domain);

  std::vector<Cookie> cookies_;  // in the order in which they were first set
  Clock clock_;
};

}  // namespace plait::http
