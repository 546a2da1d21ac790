// Routes: which handler gets which request, and what it finds in it.
#include <memory>
#include <stdexcept>

#include "http_server_support.h"

namespace plait::test {
namespace {

using http::App;
using http::HttpError;
using http::Request;
using http::Response;

// Of a type that nobody knows; see below.
struct Point {
  int x;
  int y;
};

}  // namespace
}  // namespace plait::test

template <>
struct plait::http::ResponseFrom<plait::test::Point> {
  static Response make(const plait::test::Point& point) {
    return Response::json("[" + std::to_string(point.x) + "," + std::to_string(point.y) + "]");
  }
};

namespace plait::test {
namespace {

FIBER_TEST("a pattern takes what its converters can read [HTTP-17]") {
  App app;
  app.route("GET", "/", [](Request&) { return "root"; });
  app.route("GET", "/users/<int:id>",
            [](Request& request) { return "user " + std::to_string(request.intParameter("id")); });
  app.route("GET", "/users/<name>",
            [](Request& request) { return "named " + std::string(request.parameter("name")); });
  app.route("GET", "/at/<float:x>/<float:y>", [](Request& request) {
    return std::to_string(request.floatParameter("x") + request.floatParameter("y"));
  });
  app.route("GET", "/things/<uuid:id>",
            [](Request& request) { return "thing " + std::string(request.parameter("id")); });
  app.route("GET", "/files/<path:file>",
            [](Request& request) { return "file " + std::string(request.parameter("file")); });
  const auto server = serve(std::move(app));
  RawClient client(server->address());
  const auto body = [&client](const char* target) {
    const Answer answer = client.get(target);
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  };

  CHECK(body("/") == "root");
  CHECK(body("/?a=b") == "root");
  CHECK(body("http://elsewhere/users/7?x") == "user 7");
  CHECK(body("http://elsewhere") == "root");
  CHECK(body("/users/7") == "user 7");
  CHECK(body("/users/-7") == "user -7");
  CHECK(body("/users/%37") == "user 7");
  CHECK(body("/users/7x") == "named 7x");
  CHECK(body("/users/9223372036854775807") == "user 9223372036854775807");
  CHECK(body("/users/9223372036854775808") == "named 9223372036854775808");
  CHECK(body("/users/a%2Fb%20c") == "named a/b c");
  CHECK(body("/users/") == "404");
  CHECK(body("/users/a/b") == "404");
  CHECK(body("/at/1.5/-0.25") == "1.250000");
  CHECK(body("/at/1.5/nan") == "404");
  CHECK(body("/at/1.5/inf") == "404");
  CHECK(body("/at/1.5/x") == "404");
  CHECK(body("/things/01234567-89ab-cdef-0123-456789ABCDEF") ==
        "thing 01234567-89ab-cdef-0123-456789ABCDEF");
  CHECK(body("/things/01234567-89ab-cdef-0123-456789ABCDEG") == "404");
  CHECK(body("/files/a/b%20c/d") == "file a/b c/d");
  CHECK(body("/files/") == "404");
  CHECK(body("/files") == "404");
  CHECK(body("/other") == "404");
}

FIBER_TEST("of two patterns the first that was added counts [HTTP-17]") {
  App app;
  app.route("GET", "/<any>", [](Request&) { return "first"; });
  app.route("GET", "/a", [](Request&) { return "second"; });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/a").body == "first");
}

FIBER_TEST("what a route does not take of another leaves no parameter behind [HTTP-17]") {
  App app;
  app.route("GET", "/<first>/<int:second>", [](Request&) { return "two"; });
  app.route("GET", "/a/b", [](Request& request) -> std::string {
    try {
      return std::string(request.parameter("first"));
    } catch (const std::out_of_range&) {
      return "none";
    }
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/a/b").body == "none");
}

FIBER_TEST("a path that lacks its last slash is redirected [HTTP-18]") {
  App app;
  app.route("GET", "/a/", [](Request&) { return "a"; });
  app.route("GET", "/<name>/b/", [](Request&) { return "b"; });
  app.route("GET", "/c", [](Request&) { return "c"; });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  const Answer answer = client.get("/a?x=y");
  CHECK(answer.status == 308);
  CHECK(answer.fields.get("Location") == "/a/?x=y");
  CHECK(client.get("/x/b").fields.get("Location") == "/x/b/");
  CHECK(client.get("/c/").status == 404);
  CHECK(client.get("/a/").body == "a");
}

FIBER_TEST("another method gives 405 and what is allowed, OPTIONS says so too [HTTP-19]") {
  App app;
  app.route("GET", "/a", [](Request& request) { return std::string(request.method()); });
  app.route("PUT", "/<x>", [](Request& request) { return std::string(request.method()); });
  app.route("OPTIONS", "/own", [](Request&) { return "own"; });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  const Answer refused = client.ask("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(refused.status == 405);
  CHECK(refused.fields.get("Allow") == "GET, HEAD, PUT, OPTIONS");
  const Answer options = client.ask("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(options.status == 204);
  CHECK(options.fields.get("Allow") == "GET, HEAD, PUT, OPTIONS");
  CHECK(client.ask("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body == "PUT");
  CHECK(client.ask("OPTIONS /own HTTP/1.1\r\nHost: a\r\n\r\n").body == "own");
  CHECK(client.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 204);
  CHECK(client.ask("OPTIONS /a/b HTTP/1.1\r\nHost: a\r\n\r\n").status == 404);
  CHECK(client.ask("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n").status == 404);
}

FIBER_TEST("a mount has what is below its prefix, and may be an App itself [HTTP-20]") {
  App inner;
  inner.route("GET", "/x/<name>",
              [](Request& request) { return "inner " + std::string(request.parameter("name")); });
  inner.route("GET", "/", [](Request&) { return "inner root"; });
  App app;
  app.route("GET", "/in/own", [](Request&) { return "own"; });
  app.mount("/in", inner);
  app.mount("/rest/", [](Request& request) { return "[" + std::string(request.rest()) + "]"; });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/in/own").body == "own");
  CHECK(client.get("/in/x/y").body == "inner y");
  CHECK(client.get("/in").body == "inner root");
  CHECK(client.get("/in/").body == "inner root");
  CHECK(client.get("/in/other").status == 404);
  CHECK(client.get("/inn").status == 404);
  CHECK(client.get("/rest").body == "[]");
  CHECK(client.get("/rest/a%2fb/").body == "[/a%2fb/]");
}

FIBER_TEST("a wrapper may answer itself, or change what comes from within [HTTP-21]") {
  App app;
  app.use([](Request& request, const App::Next& next) {
    Response response = next(request);
    response.with("X-Order", "outer " + std::string(response.fields().get("X-Order")));
    return response;
  });
  app.use([](Request& request, const App::Next& next) {
    if (request.path() == "/closed") return Response::text("no entry", 403);
    return next(request).with("X-Order", "inner");
  });
  app.mount("/", [](Request&) { return "text"; });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  const Answer answer = client.get("/");
  CHECK(answer.body == "text");
  CHECK(answer.fields.get("X-Order") == "outer inner");
  const Answer closed = client.get("/closed");
  CHECK(closed.status == 403);
  CHECK(closed.fields.get("X-Order") == "outer");
}

FIBER_TEST("errors become what the App makes of them [HTTP-22]") {
  ExpectedErrors errors;
  App app;
  app.route("GET", "/fail", [](Request&) -> std::string { throw std::runtime_error("secret"); });
  app.onError([](Request& request, const HttpError& error) {
    if (request.path() == "/worse") throw std::runtime_error("the error handler");
    return Response::json("{\"status\": " + std::to_string(error.status()) + "}", error.status());
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/unknown").body == "{\"status\": 404}");
  CHECK(client.get("/fail").body == "{\"status\": 500}");
  const Answer refused = client.ask("PUT /fail HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(refused.status == 405);
  CHECK(refused.fields.get("Allow") == "GET, HEAD, OPTIONS");
  CHECK(client.get("/worse").status == 404);
  CHECK(errors.take(2).size() == 2);
}

FIBER_TEST("an error handler whose own stream fails is not asked for ever [HTTP-22]") {
  ExpectedErrors errors;
  App app;
  app.onError([](Request&, const HttpError&) {
    return Response::streamWithHead([](http::BodyWriter&) { throw std::runtime_error("again"); });
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/unknown").status == 500);
  CHECK(errors.take().size() == 1);
}

FIBER_TEST("a handler returns whatever a Response can be made of [HTTP-23]") {
  App app;
  app.route("GET", "/point", [](Request&) { return Point{1, 2}; });
  app.route("GET", "/view", [](Request&) { return std::string_view("view"); });
  app.route("GET", "/status", [](Request&) { return Response(418); });
  app.route("GET", "/moved",
            [text = std::make_unique<std::string>("moved")](Request&) { return *text; });
  app.route("GET", "/writes", [](Request&, http::BodyWriter& writer) {
    writer.begin(201, {{"X", "y"}});
    writer.write("written");
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/point").body == "[1,2]");
  CHECK(client.get("/view").body == "view");
  CHECK(client.get("/status").status == 418);
  CHECK(client.get("/moved").body == "moved");
  const Answer written = client.get("/writes");
  CHECK(written.status == 201);
  CHECK(written.fields.get("X") == "y");
  CHECK(written.body == "written");
}

TEST_CASE("a pattern that cannot be read is refused [HTTP-17]") {
  App app;
  const auto handler = [](Request&) { return "x"; };

  for (const char* const pattern : {"", "a", "/<", "/<>", "/a<b>", "/<b>c", "/<int:>", "/<what:x>",
                                    "/<path:x>/y", "/<x>/<x>"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(app.route("GET", pattern, handler), std::invalid_argument);
  }
  CHECK_THROWS_AS(app.mount("a", handler), std::invalid_argument);
}

FIBER_TEST("a request has its query, cookies and peer [HTTP-24]") {
  const auto server = serveAll([](Request& request) {
    std::string text;
    for (const auto& [name, value] : request.queryParameters()) text += name + "=" + value + ";";
    text += std::string(request.queryParameter("b").value_or("none")) + "|";
    text += std::string(request.cookie("c").value_or("none")) + "|";
    text += std::string(request.cookie("quoted").value_or("none")) + "|";
    text += std::string(request.cookie("x").value_or("none")) + "|";
    text += request.peer().host() + "|" + std::string(request.host());
    text += request.isSecure() ? "|secure" : "|plain";
    return text;
  });
  RawClient client(server->address());

  CHECK(client.get("/?a=1&b=x+y%26&a=2", "Cookie: xx=1; c=2; quoted=\"3\"\r\n").body ==
        "a=1;b=x y&;a=2;x y&|2|3|none|127.0.0.1|a|plain");
  CHECK(client.get("http://other:80/").body == "none|none|none|none|127.0.0.1|other:80|plain");
}

}  // namespace
}  // namespace plait::test
