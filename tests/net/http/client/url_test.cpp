#include "plait/url.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "plait/error.h"

namespace plait::http {
namespace {

std::string whyRefused(std::string_view text) {
  try {
    Url::parse(text);
  } catch (const Error& error) {
    CHECK((error.code() == std::errc::invalid_argument));
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("a URL is taken apart into what it names [CLIENT-1]") {
  const Url url = Url::parse("HTTPS://ann:p%40ss@Example.ORG:8443/a/b?x=1&y#part");

  CHECK(url.scheme == "https");
  CHECK(url.isSecure());
  CHECK(url.user == "ann");
  CHECK(url.password == "p@ss");
  CHECK(url.host == "example.org");
  CHECK(url.port == 8443);
  CHECK(url.path == "/a/b");
  CHECK(url.query == "x=1&y");
  CHECK(url.fragment == "part");
  CHECK(url.target() == "/a/b?x=1&y");
  CHECK(url.authority() == "example.org:8443");
  CHECK(url.origin() == "https://example.org:8443");
  CHECK(url.endpoint() == "tcp:example.org:8443");
  CHECK(url.toString() == "https://example.org:8443/a/b?x=1&y#part");
}

TEST_CASE("what a URL leaves out is the scheme's own [CLIENT-1]") {
  CHECK(Url::parse("http://h").port == 80);
  CHECK(Url::parse("ws://h").port == 80);
  CHECK(Url::parse("https://h").port == 443);
  CHECK(Url::parse("wss://h:").port == 443);
  CHECK(Url::parse("http://h").path == "/");
  CHECK(Url::parse("http://h?").target() == "/?");
  CHECK(Url::parse("http://h?x").toString() == "http://h/?x");
  CHECK_FALSE(Url::parse("http://h#f").hasQuery);
  CHECK(Url::parse("http://h:80").authority() == "h");
  CHECK(Url::parse("http://h:443").authority() == "h:443");
  CHECK(Url::parse("http://a@h/").user == "a");
  CHECK(Url::parse("http://a@h/").toString() == "http://h/");
}

TEST_CASE("an IPv6 address stands between brackets [CLIENT-1]") {
  const Url url = Url::parse("http://[2001:DB8::1]:81/");

  CHECK(url.host == "2001:db8::1");
  CHECK(url.authority() == "[2001:db8::1]:81");
  CHECK(url.endpoint() == "tcp:[2001:db8::1]:81");
  CHECK(Url::parse("http://[::1]").endpoint() == "tcp:[::1]:80");
  CHECK(contains(whyRefused("http://[::1/"), "has no ']'"));
  CHECK(contains(whyRefused("http://[127.0.0.1]/"), "an IPv6 address"));
  CHECK(contains(whyRefused("http://[fe80::1%25eth0]/"), "an IPv6 address"));
  CHECK(contains(whyRefused("http://[::1]x/"), "':' and a port belong here"));
  CHECK(contains(whyRefused("http://::1/"), "the host is missing"));
}

TEST_CASE("a URL that cannot be read is refused, and the error points at the place [CLIENT-2]") {
  CHECK(contains(whyRefused("http://h/a b"), "\n  http://h/a b\n            ^"));
  CHECK(contains(whyRefused("http://h/a b"), "written as %20"));
  CHECK(contains(whyRefused("example.org/x"), "begins with its scheme"));
  CHECK(contains(whyRefused("ftp://h/"), "none of http, https"));
  CHECK(contains(whyRefused("http:/h"), "'//' and a host"));
  CHECK(contains(whyRefused("http:///x"), "the host is missing"));
  CHECK(contains(whyRefused("http://h:0/"), "from 1 to 65535"));
  CHECK(contains(whyRefused("http://h:65536/"), "from 1 to 65535"));
  CHECK(contains(whyRefused("http://h:8x/"), "from 1 to 65535"));
  CHECK(contains(whyRefused("http://h/%"), "hexadecimal"));
  CHECK(contains(whyRefused("http://h/%4"), "hexadecimal"));
  CHECK(contains(whyRefused("http://h/?%zz"), "hexadecimal"));
  CHECK(contains(whyRefused("http://h/\r\nHost: x"), "written as %0D"));
  CHECK(contains(whyRefused("http://a@b@h/"), "letters, digits"));
  CHECK(contains(whyRefused("http://a b/"), "letters, digits"));
  CHECK(contains(whyRefused("http://a%41/"), "letters, digits"));
  CHECK(contains(whyRefused("http://a..b/"), "no empty part"));
  CHECK(contains(whyRefused("http://.a/"), "does not begin"));
  CHECK(contains(whyRefused("http://127.1/"), "four decimal numbers"));
  CHECK(contains(whyRefused("http://0x7f.0.0.0x1/"), "four decimal numbers"));
  CHECK(contains(whyRefused("http://b\xc3\xbc"
                            "cher.example/"),
                 "ASCII form"));
  CHECK(contains(whyRefused("http://h/\xc3\xbc"), "written as %C3"));
  CHECK(contains(whyRefused("http://h/" + std::string(kUrlMax, 'a')), "at most 65536 bytes"));
}

TEST_CASE("dot segments are taken out of a path [CLIENT-1]") {
  CHECK(Url::parse("http://h/a/./b/../c").path == "/a/c");
  CHECK(Url::parse("http://h/../../x").path == "/x");
  CHECK(Url::parse("http://h/a/..").path == "/");
  CHECK(Url::parse("http://h/a/b/.").path == "/a/b/");
  CHECK(Url::parse("http://h/.hidden/..x/...").path == "/.hidden/..x/...");
  CHECK(Url::parse("http://h//a///b").path == "//a///b");
}

TEST_CASE("references mean what RFC 3986, 5.4 says [CLIENT-3]") {
  const Url base = Url::parse("http://a/b/c/d;p?q#old");
  const std::pair<const char*, const char*> examples[] = {
      {"http://g/x", "http://g/x"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
  };

  for (const auto& [reference, meaning] : examples) {
    CHECK_MESSAGE(base.resolve(reference).toString() == meaning, reference);
  }
  CHECK_THROWS_AS(base.resolve("g:h"), Error);
  CHECK_THROWS_AS(base.resolve("http:g"), Error);
}

TEST_CASE("user and password stay with their authority [CLIENT-3]") {
  const Url base = Url::parse("http://ann:secret@a/b");

  CHECK(base.resolve("c").user == "ann");
  CHECK(base.resolve("//other/c").user.empty());
  CHECK(base.resolve("http://a/c").password.empty());
}

TEST_CASE("percent coding goes both ways, and what cannot be decoded is told [CLIENT-4]") {
  CHECK(percentDecode("a%41%7e+") == "aA~+");
  CHECK(percentDecode("a+b", true) == "a b");
  CHECK_FALSE(percentDecode("%4").has_value());
  CHECK_FALSE(percentDecode("%4g").has_value());
  CHECK_FALSE(percentDecode("%%41").has_value());
  CHECK(percentEncode("a b/~\xff") == "a%20b%2F~%FF");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(percentDecode(percentEncode(all)) == all);
}

TEST_CASE("a query is read as pairs and written back [CLIENT-4]") {
  const Parameters pairs = parseQuery("a=1&b=x+y%26&&c&=d&bad=%zz");

  CHECK((pairs == Parameters{{"a", "1"}, {"b", "x y&"}, {"c", ""}, {"", "d"}, {"bad", "%zz"}}));
  CHECK(toQuery({{"a b", "c&d"}, {"e", ""}}) == "a%20b=c%26d&e=");
  CHECK((parseQuery(toQuery(pairs)) == pairs));
  CHECK(parseQuery("").empty());
}

}  // namespace plait::http
