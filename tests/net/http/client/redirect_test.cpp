#include "client_support.h"

namespace plait::test {
namespace {

std::string redirectTo(const std::string& location, const std::string& status = "302 Found") {
  return answerWith("moved", "Location: " + location + "\r\n", status);
}

// Redirects "/from" with `status`, answers the rest.
TestServer::Answer redirecting(const std::string& status, const std::string& to = "/to") {
  return [status, to](const Seen& seen) {
    return seen.target == "/from" ? redirectTo(to, status) : answerWith("here");
  };
}

FIBER_TEST_EACH("a redirect is followed on the same connection [CLIENT-25]") {
  TestServer server(redirecting("302 Found", "to?x=1"));
  Session session;

  ClientResponse response = session.get(server.url("/from#part"));

  CHECK(response.body() == "here");
  CHECK(response.url().toString() == server.url("/to?x=1#part"));
  REQUIRE(response.history().size() == 1);
  CHECK(response.history()[0].path == "/from");
  CHECK(server.connections() == 1);
}

FIBER_TEST("a redirect keeps or changes the method as its status says [CLIENT-25]") {
  struct Case {
    const char* status;
    const char* method;
    const char* becomes;
  };
  for (const Case& each :
       {Case{"301 x", "POST", "GET"}, Case{"301 x", "PUT", "PUT"}, Case{"302 x", "POST", "GET"},
        Case{"302 x", "HEAD", "HEAD"}, Case{"303 x", "PUT", "GET"}, Case{"303 x", "HEAD", "HEAD"},
        Case{"307 x", "POST", "POST"}, Case{"308 x", "PATCH", "PATCH"}}) {
    CAPTURE(each.status);
    CAPTURE(each.method);
    TestServer server(redirecting(each.status));
    Session session;

    session.request(each.method, server.url("/from"), {.body = ClientBody("text", "text/plain")});

    REQUIRE(server.seen.size() == 2);
    CHECK(server.seen[1].method == each.becomes);
    const bool isKept = std::string_view(each.method) == each.becomes;
    CHECK(server.seen[1].body == (isKept ? "text" : ""));
    CHECK(server.seen[1].field("Content-Type") == (isKept ? "text/plain" : ""));
  }
}

FIBER_TEST("redirects have a limit, and without one they are answers like any other [CLIENT-26]") {
  TestServer server([](const Seen& seen) { return redirectTo(seen.target + "x"); });
  Session session({.redirectsMax = 3});

  const auto error = thrownBy<http::HttpError>([&] { session.get(server.url("/")); });
  ClientResponse unfollowed = session.get(server.url("/"), {.redirectsMax = 0});

  CHECK(error->status() == 502);
  CHECK(contains(error->what(), "more than 3 times"));
  CHECK(contains(error->what(), "redirected by " + server.url("/xx")));
  CHECK(server.seen.size() == 5);
  CHECK(unfollowed.status() == 302);
  CHECK(unfollowed.body() == "moved");
}

FIBER_TEST("what redirects must not do is refused [CLIENT-26]") {
  std::string location;
  TestServer server([&location](const Seen&) { return redirectTo(location, "307 x"); });
  Session session;
  const auto refusal = [&](const char* to) {
    location = to;
    const auto error = thrownBy<http::HttpError>([&] { session.get(server.url()); });
    return error ? std::string(error->what()) : std::string();
  };

  CHECK(contains(refusal("file:///etc/passwd"), "none of http, https"));
  CHECK(contains(refusal("ws://127.0.0.1/"), "redirected to 'ws'"));
  CHECK(contains(refusal("http://:80/"), "the host is missing"));
  CHECK(session.statistics().inUse == 0);
  auto [near, far] = net::memoryPair();
  location = "/again";
  far.writeAll("abc");
  const auto once =
      thrownBy<http::HttpError>([&] { session.post(server.url(), ClientBody::stream(near, 3)); });
  CHECK(contains(once->what(), "could be sent once only"));
}

FIBER_TEST("what was meant for one server is not told to another [CLIENT-27]") {
  TestServer other(always(answerWith("")));
  TestServer first(
      [&other](const Seen&) { return redirectTo("http://eve:x@" + other.host() + "/", "307 x"); });
  Session session;

  session.get("http://ann:secret@" + first.host() + "/",
              {.fields = {{"Cookie", "a=1"}, {"X-Other", "kept"}, {"Host", "name.example"}}});
  session.get(first.url(), {.fields = {{"Authorization", "Bearer x"}}});

  CHECK(first.seen.at(0).field("Authorization") == "Basic YW5uOnNlY3JldA==");
  CHECK(first.seen.at(0).field("Host") == "name.example");
  CHECK_FALSE(other.seen.at(0).fields.has("Authorization"));
  CHECK_FALSE(other.seen.at(0).fields.has("Cookie"));
  CHECK(other.seen.at(0).field("Host") == other.host());
  CHECK(other.seen.at(0).field("X-Other") == "kept");
  CHECK_FALSE(other.seen.at(1).fields.has("Authorization"));
}

FIBER_TEST("to the same server a redirect takes credentials along [CLIENT-27]") {
  TestServer server(redirecting("302 x"));
  Session session;

  session.get("http://ann:secret@" + server.host() + "/from");

  CHECK(server.seen.at(1).field("Authorization") == "Basic YW5uOnNlY3JldA==");
}

FIBER_TEST("cookies of a redirect are sent with the request that it leads to [CLIENT-27]") {
  TestServer server([](const Seen& seen) {
    return seen.target == "/" ? answerWith("", "Location: /to\r\nSet-Cookie: a=1\r\n", "302 x")
                              : answerWith("");
  });
  Session session;

  session.get(server.url());

  CHECK(server.seen.at(1).field("Cookie") == "a=1");
}

FIBER_TEST("browsers' forgiveness: what Location may not contain is encoded [CLIENT-25]") {
  TestServer server(redirecting("302 x", "/caf\xc3\xa9 au lait/100%?a[]=%4"));
  Session session;

  session.get(server.url("/from"));

  CHECK(server.seen.at(1).target == "/caf%C3%A9%20au%20lait/100%25?a%5B%5D=%254");
}

FIBER_TEST_ON("sim", "a redirect whose body does not end costs its connection only [CLIENT-25]") {
  TestServer server([](const Seen& seen) {
    return seen.target == "/from"
               ? std::string(
                     "HTTP/1.1 302 x\r\nLocation: /to\r\nTransfer-Encoding: chunked\r\n\r\n")
               : answerWith("here");
  });
  Session session;

  CHECK(session.get(server.url("/from")).body() == "here");

  CHECK(server.connections() == 2);
  CHECK(session.statistics().inUse == 0);
}

}  // namespace
}  // namespace plait::test
