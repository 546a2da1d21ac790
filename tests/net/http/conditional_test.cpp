// Dates, tags and ranges by themselves.
#include "conditional.h"

#include <chrono>

#include <doctest/doctest.h>

#include "http_date.h"
#include "plait/http_response.h"

namespace plait::http::detail {
namespace {

using namespace std::chrono;

const sys_seconds kTime = sys_days(year(1994) / 11 / 6) + 8h + 49min + 37s;

TEST_CASE("equal contents have equal tags, and others have others [HTTP-44]") {
  const std::string tag = etagOf("hello");

  CHECK(etagOf("hello") == tag);
  CHECK(tag == "\"LPJNul+wow4m6Dsqxbning==\"");
  CHECK(etagOf("hellp") != tag);
  CHECK(etagOf("") != tag);
}

TEST_CASE("a date is written in one form and read in three [HTTP-38]") {
  CHECK(formatDate(kTime) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parseDate("Sun, 06 Nov 1994 08:49:37 GMT") == kTime);
  CHECK(parseDate("Sunday, 06-Nov-94 08:49:37 GMT") == kTime);
  CHECK(parseDate("Sun Nov  6 08:49:37 1994") == kTime);
  for (const char* const text :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Non 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:xx GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parseDate(text));
  }
}

TEST_CASE("conditions are looked at in the order of RFC 9110 [HTTP-38]") {
  const Validator validator{"\"v1\"", kTime};
  const auto status = [&validator](std::initializer_list<Field> fields) {
    return statusOfConditions(Fields(fields), validator);
  };
  const std::string same = formatDate(kTime);
  const std::string before = formatDate(kTime - 1s);
  const std::string later = formatDate(kTime + 1s);

  CHECK(status({}) == 0);
  CHECK(status({{"If-None-Match", "\"v1\""}}) == 304);
  CHECK(status({{"If-None-Match", "\"v0\", W/\"v1\""}}) == 304);
  CHECK(status({{"If-None-Match", "\"v0\""}, {"If-None-Match", "\"v1\""}}) == 304);
  CHECK(status({{"If-None-Match", "\"a,\\\", \"v1x\""}}) == 0);
  CHECK(status({{"If-None-Match", "*"}}) == 304);
  CHECK(status({{"If-None-Match", "v1"}}) == 0);
  CHECK(status({{"If-None-Match", "\"v0\""}, {"If-Modified-Since", same}}) == 0);
  CHECK(status({{"If-Modified-Since", same}}) == 304);
  CHECK(status({{"If-Modified-Since", later}}) == 304);
  CHECK(status({{"If-Modified-Since", before}}) == 0);
  CHECK(status({{"If-Modified-Since", "nonsense"}}) == 0);
  CHECK(status({{"If-Match", "\"v1\""}}) == 0);
  CHECK(status({{"If-Match", "*"}}) == 0);
  CHECK(status({{"If-Match", "W/\"v1\""}}) == 412);
  CHECK(status({{"If-Match", "\"v0\""}}) == 412);
  CHECK(status({{"If-Match", "\"v1\""}, {"If-Unmodified-Since", before}}) == 0);
  CHECK(status({{"If-Unmodified-Since", before}}) == 412);
  CHECK(status({{"If-Unmodified-Since", same}}) == 0);
  CHECK(status({{"If-Match", "\"v1\""}, {"If-None-Match", "\"v1\""}}) == 304);
}

TEST_CASE("a range is meant for the content that its If-Range names [HTTP-38]") {
  const Validator validator{"\"v1\"", kTime};
  const auto isMeant = [&validator](const std::string& value) {
    return rangeIsMeant(Fields{{"If-Range", value}}, validator);
  };

  CHECK(rangeIsMeant(Fields(), validator));
  CHECK(isMeant("\"v1\""));
  CHECK_FALSE(isMeant("W/\"v1\""));
  CHECK_FALSE(isMeant("\"v2\""));
  CHECK(isMeant(formatDate(kTime)));
  CHECK_FALSE(isMeant(formatDate(kTime + 1s)));
  CHECK_FALSE(isMeant("v1"));
}

TEST_CASE("a range is cut to what there is [HTTP-39]") {
  const auto range = [](const char* text, std::uint64_t size = 100) {
    const auto parsed = parseRange(text, size);
    if (!parsed) return std::string("whole");
    if (parsed->count == 0) return std::string("none");
    return std::to_string(parsed->first) + "+" + std::to_string(parsed->count);
  };

  CHECK(range("bytes=0-9") == "0+10");
  CHECK(range("BYTES= 5-5") == "5+1");
  CHECK(range("bytes=90-") == "90+10");
  CHECK(range("bytes=90-1000") == "90+10");
  CHECK(range("bytes=-10") == "90+10");
  CHECK(range("bytes=-1000") == "0+100");
  CHECK(range("bytes=0-18446744073709551615") == "0+100");
  CHECK(range("bytes=0-99999999999999999999999") == "0+100");
  CHECK(range("bytes=100-") == "none");
  CHECK(range("bytes=99999999999999999999999-") == "none");
  CHECK(range("bytes=-0") == "none");
  CHECK(range("bytes=0-", 0) == "none");
  CHECK(range("bytes=9-5") == "whole");
  CHECK(range("bytes=0-1,5-6") == "whole");
  CHECK(range("bytes=") == "whole");
  CHECK(range("bytes=-") == "whole");
  CHECK(range("bytes=a-b") == "whole");
  CHECK(range("bytes=+1-2") == "whole");
  CHECK(range("lines=0-9") == "whole");
}

}  // namespace
}  // namespace plait::http::detail
