#include <boost/json.hpp>

#include "client_support.h"
#include "plait/http_json.h"

namespace plait::test {
namespace {

FIBER_TEST("JSON is sent and read [CLIENT-42]") {
  TestServer server([](const Seen& seen) { return answerWith(seen.body); });
  Session session;
  const boost::json::value value = {{"name", "ann"}, {"numbers", {1, 2.5, nullptr}}};

  const boost::json::value back = http::json(session.post(server.url(), http::jsonBody(value)));

  CHECK((back == value));
  CHECK(server.seen.at(0).field("Content-Type") == "application/json");
}

FIBER_TEST("what is no JSON, or too deep, is an error that says where [CLIENT-42]") {
  std::string answer;
  TestServer server([&answer](const Seen&) { return answerWith(answer); });
  Session session;

  for (const std::string& each :
       {std::string(), std::string("{\"a\": 1"), std::string("[1, x]"), std::string("{} {}"),
        std::string(http::kJsonDepthMax + 1, '[') + std::string(http::kJsonDepthMax + 1, ']')}) {
    answer = each;
    const auto error = thrownBy<http::HttpError>([&] { http::json(session.get(server.url())); });
    CHECK(error->status() == 502);
    CHECK_MESSAGE(contains(error->what(), server.url()), each);
    CHECK_MESSAGE(contains(error->what(), "at byte"), each);
  }
  CHECK(session.statistics().idle == 1);
}

}  // namespace
}  // namespace plait::test
