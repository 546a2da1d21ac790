#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "plait/http_cookies.h"
#include "set_cookie.h"

namespace plait::http {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

const Url kHome = Url::parse("https://www.example.org/shop/cart");

// A jar whose time is this object's.
struct TimedJar {
  Cookie::Time now = sys_days(2026y / 1 / 1);
  CookieJar jar{[this] { return now; }};
};

std::string sent(const CookieJar& jar, std::string_view url) { return jar.header(Url::parse(url)); }

}  // namespace

TEST_CASE("a cookie goes back to the host that set it, and to no other [CLIENT-5]") {
  CookieJar jar;

  CHECK(jar.store(kHome, "a=1; Path=/"));

  CHECK(sent(jar, "https://www.example.org/") == "a=1");
  CHECK(sent(jar, "http://www.example.org:8080/x") == "a=1");
  CHECK(sent(jar, "https://sub.www.example.org/").empty());
  CHECK(sent(jar, "https://example.org/").empty());
  CHECK(jar.value(kHome, "a") == "1");
}

TEST_CASE("a cookie with a domain goes to the hosts below it, too [CLIENT-5]") {
  CookieJar jar;

  CHECK(jar.store(kHome, "a=1; Domain=.Example.ORG; Path=/"));

  CHECK(sent(jar, "https://example.org/") == "a=1");
  CHECK(sent(jar, "https://www.example.org/") == "a=1");
  CHECK(sent(jar, "https://badexample.org/").empty());
  CHECK(sent(jar, "https://example.org.evil/").empty());
}

TEST_CASE("a server sets cookies for its own host and the domains above only [CLIENT-6]") {
  CookieJar jar;

  CHECK_FALSE(jar.store(kHome, "a=1; Domain=other.org"));
  CHECK_FALSE(jar.store(kHome, "a=1; Domain=sub.www.example.org"));
  CHECK_FALSE(jar.store(kHome, "a=1; Domain=xample.org"));
  CHECK_FALSE(jar.store(kHome, "a=1; Domain=org"));
  CHECK_FALSE(jar.store(Url::parse("http://10.0.0.1/"), "a=1; Domain=0.0.1"));
  CHECK(jar.cookies().empty());
}

TEST_CASE("a domain of one label or an address is the host itself only [CLIENT-6]") {
  CookieJar jar;

  CHECK(jar.store(Url::parse("http://localhost/"), "a=1; Domain=localhost"));
  CHECK(jar.store(Url::parse("http://10.0.0.1/"), "b=1; Domain=10.0.0.1"));

  CHECK(sent(jar, "http://localhost/") == "a=1");
  CHECK(sent(jar, "http://sub.localhost/").empty());
  CHECK(sent(jar, "http://10.0.0.1/") == "b=1");
}

TEST_CASE("a cookie's path is a folder, by default that of the answer [CLIENT-5]") {
  CookieJar jar;

  CHECK(jar.store(kHome, "a=1"));
  CHECK(jar.store(kHome, "b=2; Path=/shop/cart"));
  CHECK(jar.store(kHome, "c=3; Path=relative"));
  CHECK(jar.store(kHome, "d=4; Path=/"));

  CHECK(sent(jar, "https://www.example.org/shop/cart/x") == "b=2; a=1; c=3; d=4");
  CHECK(sent(jar, "https://www.example.org/shop") == "a=1; c=3; d=4");
  CHECK(sent(jar, "https://www.example.org/shopping") == "d=4");
  CHECK(sent(jar, "https://www.example.org/shop/cartoon") == "a=1; c=3; d=4");
}

TEST_CASE("a secure cookie is neither set nor sent nor replaced in the clear [CLIENT-6]") {
  CookieJar jar;
  const Url clear = Url::parse("http://www.example.org/");

  CHECK_FALSE(jar.store(clear, "a=1; Secure"));
  CHECK(jar.store(kHome, "a=1; Path=/; Secure"));
  CHECK_FALSE(jar.store(clear, "a=evil; Path=/"));

  CHECK(jar.header(clear).empty());
  CHECK(jar.header(kHome) == "a=1");
}

TEST_CASE("the prefixes __Secure- and __Host- are kept to [CLIENT-6]") {
  CookieJar jar;

  CHECK_FALSE(jar.store(kHome, "__Secure-a=1"));
  CHECK_FALSE(jar.store(kHome, "__Host-a=1; Secure"));
  CHECK_FALSE(jar.store(kHome, "__Host-a=1; Secure; Path=/; Domain=example.org"));
  CHECK(jar.store(kHome, "__Host-a=1; Secure; Path=/"));
  CHECK(jar.store(kHome, "__Secure-a=1; Secure"));
}

TEST_CASE("a cookie ends at its time; Max-Age counts more than Expires [CLIENT-7]") {
  TimedJar timed;
  CHECK(timed.jar.store(kHome, "a=1; Expires=Thu, 01 Jan 2026 01:00:00 GMT"));
  CHECK(timed.jar.store(kHome, "b=1; Max-Age=10; Expires=Fri, 01 Jan 2027 00:00:00 GMT"));
  CHECK(timed.jar.store(kHome, "c=1"));
  CHECK(timed.jar.store(kHome, "d=1; Max-Age=99999999999999999999"));
  CHECK(timed.jar.header(kHome) == "a=1; b=1; c=1; d=1");

  timed.now += 10s;
  CHECK(timed.jar.header(kHome) == "a=1; c=1; d=1");
  timed.now += 1h;
  CHECK(timed.jar.header(kHome) == "c=1; d=1");
  CHECK(timed.jar.cookies().size() == 2);
}

TEST_CASE("one that has expired removes the cookie [CLIENT-7]") {
  TimedJar timed;
  CHECK(timed.jar.store(kHome, "a=1; Path=/"));

  CHECK(timed.jar.store(kHome, "a=; Path=/; Max-Age=0"));

  CHECK(timed.jar.cookies().empty());
}

TEST_CASE("a cookie that is set again keeps its place [CLIENT-5]") {
  CookieJar jar;
  CHECK(jar.store(kHome, "a=1"));
  CHECK(jar.store(kHome, "b=1"));

  CHECK(jar.store(kHome, "a=2"));

  CHECK(jar.header(kHome) == "a=2; b=1");
}

TEST_CASE("a jar has its limits, and the oldest goes first [CLIENT-8]") {
  CookieJar jar;
  CHECK_FALSE(jar.store(kHome, "a=" + std::string(kCookieMax, 'x')));

  for (std::size_t i = 0; i <= kCookiesPerHostMax; ++i) {
    CHECK(jar.store(kHome, "n" + std::to_string(i) + "=v"));
  }
  CHECK(jar.cookies().size() == kCookiesPerHostMax);
  CHECK_FALSE(jar.value(kHome, "n0").has_value());

  for (std::size_t i = 0; i < kCookiesMax; ++i) {
    jar.store(Url::parse("http://h" + std::to_string(i) + "/"), "a=1");
  }
  CHECK(jar.cookies().size() == kCookiesMax);
  CHECK_FALSE(jar.value(kHome, "n1").has_value());
}

TEST_CASE("what is no cookie is passed over [CLIENT-5]") {
  CookieJar jar;

  CHECK_FALSE(jar.store(kHome, ""));
  CHECK_FALSE(jar.store(kHome, "novalue; Path=/"));
  CHECK_FALSE(jar.store(kHome, "=x"));
  CHECK(jar.store(kHome, " a = b = c ; Unknown=1; ;;Max-Age=abc"));
  CHECK(jar.header(kHome) == "a=b = c");
}

TEST_CASE("dates of cookies are read in all their forms [CLIENT-7]") {
  const Cookie::Time wanted = sys_days(1994y / 11 / 6) + 8h + 49min + 37s;

  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "06 November 1994 8:49:37"}) {
    CHECK_MESSAGE((detail::parseCookieDate(text) == wanted), text);
  }
  CHECK(detail::parseCookieDate("Sun, 06 Nov 2069 08:49:37 GMT").has_value());
  for (const char* text : {"", "yesterday", "06 Nov 1994", "31 Feb 1994 08:49:37",
                           "06 Nov 1500 08:49:37", "06 Nov 1994 24:00:00"}) {
    CHECK_MESSAGE(!detail::parseCookieDate(text).has_value(), text);
  }
}

}  // namespace plait::http
