// The client's calls as Deferreds.

#include "../../net/http/client/client_support.h"
#include "plait/deferred_http.h"
#include "plait/deferred_list.h"
#include "plait/wait_for_deferred.h"

namespace plait::test {
namespace {

namespace deferred = http::deferred;

FIBER_TEST_EACH("each call has its Deferred, which fires with the answer [CLIENT-43]") {
  TestServer server([](const Seen& seen) {
    return answerWith(seen.method == "HEAD" ? "" : seen.method + " " + seen.body);
  });
  Session session;
  const std::string url = server.url();

  const auto bodyOf = [](Deferred<ClientResponse> d) {
    return waitForDeferred(
        d.addCallback([](ClientResponse response) { return deferred::body(std::move(response)); }));
  };

  CHECK(bodyOf(deferred::get(url)) == "GET ");
  CHECK(bodyOf(deferred::get(session, url)) == "GET ");
  CHECK(bodyOf(deferred::head(session, url)).empty());
  CHECK(bodyOf(deferred::head(url)).empty());
  CHECK(bodyOf(deferred::del(session, url)) == "DELETE ");
  CHECK(bodyOf(deferred::del(url)) == "DELETE ");
  CHECK(bodyOf(deferred::post(session, url, "a")) == "POST a");
  CHECK(bodyOf(deferred::post(url, "a")) == "POST a");
  CHECK(bodyOf(deferred::put(session, url, "b")) == "PUT b");
  CHECK(bodyOf(deferred::put(url, "b")) == "PUT b");
  CHECK(bodyOf(deferred::patch(session, url, "c")) == "PATCH c");
  CHECK(bodyOf(deferred::patch(url, "c")) == "PATCH c");
  CHECK(bodyOf(deferred::request("PURGE", url)) == "PURGE ");
  CHECK(waitForDeferred(deferred::getPage(url)) == "GET ");
  CHECK(session.statistics().connected == 1);
}

FIBER_TEST("what fails in a call fails its Deferred [CLIENT-43]") {
  TestServer server(always(answerWith("", {}, "404 Not Found")));

  CHECK_THROWS_AS(waitForDeferred(deferred::getPage(server.url())), http::HttpError);
  CHECK_THROWS_AS(waitForDeferred(deferred::get("no url")), Error);
  CHECK_THROWS_AS(waitForDeferred(deferred::get("http://127.0.0.1:1/")), IoError);
}

FIBER_TEST_EACH("cancelling kills the call, and its connection is closed [CLIENT-43]") {
  std::size_t ended = 0;
  RawServer server([&ended](net::SocketStream& stream) {
    while (!readPiece(stream).empty()) continue;
    ++ended;
  });
  Session session;
  const Deferred<ClientResponse> d = deferred::get(session, server.url());
  CHECK(eventually([&server] { return server.server().statistics().connections == 1; }));

  d.cancel();

  CHECK_THROWS_AS(waitForDeferred(d), CancelledError);
  CHECK(session.statistics().inUse == 0);
  CHECK(eventually([&ended] { return ended == 1; }));
}

FIBER_TEST("many calls go on beside each other on a session's connections [CLIENT-43]") {
  TestServer server([](const Seen& seen) { return answerWith(seen.target); });
  Session session({.connectionsPerHost = 3});
  std::vector<Deferred<std::string>> pages;
  for (int i = 0; i < 20; ++i) {
    pages.push_back(deferred::get(session, server.url("/" + std::to_string(i)))
                        .addCallback([](ClientResponse response) {
                          return deferred::body(std::move(response));
                        }));
  }

  const std::vector<std::string> texts = waitForDeferred(gatherResults(std::move(pages)));

  for (int i = 0; i < 20; ++i) CHECK(texts.at(std::size_t(i)) == "/" + std::to_string(i));
  CHECK(server.connections() == 3);
}

}  // namespace
}  // namespace plait::test
