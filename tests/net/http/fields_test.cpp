#include <stdexcept>

#include <doctest/doctest.h>

#include "plait/http_fields.h"

namespace plait::http {

TEST_CASE("fields are found without case, in order, as often as they came [HTTP-1]") {
  Fields fields{{"Host", "a"}, {"Set-Cookie", "x=1"}, {"set-cookie", " y=2 "}};

  CHECK(fields.get("HOST") == "a");
  CHECK(fields.count("set-cookie") == 2);
  CHECK(fields.all("Set-Cookie")[1] == "y=2");
  CHECK_FALSE(fields.has("Hos"));

  fields.set("set-cookie", fields.get("host"));

  CHECK(fields.size() == 2);
  CHECK(fields[1].value == "a");
}

TEST_CASE("a token is found in a list, whole and without case [HTTP-1]") {
  const Fields fields{{"Connection", "keep-alive , Upgrade"}, {"connection", "close"}};

  CHECK(fields.hasToken("Connection", "upgrade"));
  CHECK(fields.hasToken("Connection", "CLOSE"));
  CHECK_FALSE(fields.hasToken("Connection", "keep"));
  CHECK_FALSE(fields.hasToken("Connection", ""));
}

TEST_CASE("a field that would break the message is refused [HTTP-2]") {
  Fields fields;

  CHECK_THROWS_AS(fields.add("X", "a\r\nY: b"), std::invalid_argument);
  CHECK_THROWS_AS(fields.add("X", std::string_view("a\0b", 3)), std::invalid_argument);
  CHECK_THROWS_AS(fields.add("X Y", "a"), std::invalid_argument);
  CHECK_THROWS_AS(fields.set("", "a"), std::invalid_argument);
  CHECK(fields.isEmpty());
}

}  // namespace plait::http
