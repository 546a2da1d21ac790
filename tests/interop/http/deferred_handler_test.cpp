// Handlers that answer by and by.

#include <optional>

#include "../../net/http/client/client_support.h"
#include "plait/defer_later.h"
#include "plait/deferred_http.h"
#include "plait/http_server.h"

namespace plait::test {
namespace {

// A handler's Deferred, fired by hand; knows whether it was cancelled.
struct Pending {
  std::optional<Deferred<http::Response>> deferred;
  bool isCancelled = false;

  Deferred<http::Response> make() {
    Deferred<http::Response> d([this](const Deferred<http::Response>& mine) {
      isCancelled = true;
      mine.errback(CancelledError("the handler was cancelled"));
    });
    deferred = d;
    return d;
  }
};

std::string urlOf(const http::Server& server, std::string_view path) {
  return "http://" + server.address().toString() + std::string(path);
}

FIBER_TEST_EACH("a handler may return a Deferred of what a Response can be made of [CLIENT-44]") {
  http::App app;
  app.route("GET", "/later/<name>", http::deferredHandler([](http::Request& request) {
              return deferLater(
                  1ms, [name = std::string(request.parameter("name"))] { return "hello " + name; });
            }));
  app.mount("/made", http::deferredHandler([](http::Request& request) {
              return deferLater(1ms, [&request] {
                return http::Response(201, std::string(request.rest()), "text/plain");
              });
            }));
  http::Server server("tcp:127.0.0.1:0", std::move(app), {.stopGrace = 0s});
  server.start();
  Session session;

  CHECK(session.get(urlOf(server, "/later/ann")).body() == "hello ann");
  ClientResponse made = session.get(urlOf(server, "/made/x"));
  CHECK(made.status() == 201);
  CHECK(made.body() == "/x");
  CHECK(session.statistics().connected == 1);
}

FIBER_TEST("what the Deferred fails with is what the handler throws [CLIENT-44]") {
  http::App app;
  app.route("GET", "/teapot", http::deferredHandler([](http::Request&) {
              return deferLater(
                  1ms, []() -> std::string { throw http::HttpError(418, "short and stout"); });
            }));
  http::Server server("tcp:127.0.0.1:0", std::move(app), {.stopGrace = 0s});
  server.start();

  CHECK(http::get(urlOf(server, "/teapot")).status() == 418);
}

FIBER_TEST_EACH("a server that stops cancels the Deferred of a handler [CLIENT-44]") {
  Pending pending;
  http::App app;
  app.route("GET", "/", http::deferredHandler([&](http::Request&) { return pending.make(); }));
  auto server = std::make_unique<http::Server>("tcp:127.0.0.1:0", std::move(app),
                                               http::ServerOptions{.stopGrace = 0s});
  server->start();
  auto asking =
      spawn([url = urlOf(*server, "/")] { CHECK_THROWS_AS(http::get(url), ConnectionClosed); });
  CHECK(eventually([&pending] { return pending.deferred.has_value(); }));

  server->stop();

  CHECK(pending.isCancelled);
  asking.get();
  pending.deferred.reset();
}

FIBER_TEST("requests whose handlers wait do not hold up others [CLIENT-44]") {
  Pending pending;
  http::App app;
  app.route("GET", "/slow", http::deferredHandler([&](http::Request&) { return pending.make(); }));
  app.route("GET", "/quick", [](http::Request&) { return "quick"; });
  http::Server server("tcp:127.0.0.1:0", std::move(app), {.stopGrace = 0s});
  server.start();
  Session session;
  auto slow = spawn([&] { return session.get(urlOf(server, "/slow")).body(); });
  CHECK(eventually([&pending] { return pending.deferred.has_value(); }));

  CHECK(session.get(urlOf(server, "/quick")).body() == "quick");
  pending.deferred->callback(http::Response::text("slow"));

  CHECK(slow.get() == "slow");
}

}  // namespace
}  // namespace plait::test
