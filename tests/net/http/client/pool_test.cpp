// How connections are kept, shared out and given up.

#include <memory>
#include <optional>

#include "client_support.h"
#include "plait/event.h"
#include "plait/no_switch_scope.h"

namespace plait::test {
namespace {

FIBER_TEST_EACH("a connection whose answer was read serves the next request [CLIENT-19]") {
  TestServer server(always(answerWith("body")));
  Session session;

  for (int i = 0; i < 5; ++i) CHECK(session.get(server.url()).body() == "body");

  CHECK(server.connections() == 1);
  CHECK(session.statistics().idle == 1);
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().connected == 1);
  CHECK(session.statistics().requests == 5);
}

FIBER_TEST_EACH("an answer that is dropped before its end closes its connection [CLIENT-20]") {
  TestServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"));
  Session session;

  {
    ClientResponse response = session.get(server.url());
  }

  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
  CHECK(eventually([&server] { return server.openConnections() == 0; }));
}

FIBER_TEST("connections that may not be used again are not [CLIENT-19]") {
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;

  for (const char* each :
       {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 Not asked\r\n"}) {
    answer = each;
    session.get(server.url());
    CHECK_MESSAGE(session.statistics().idle == 0, each);
  }
  answer = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
  session.get(server.url());
  CHECK(session.statistics().idle == 1);
}

FIBER_TEST_EACH(
    "a host has so many connections at once, and who waits is served in order [CLIENT-21]") {
  std::size_t atOnce = 0;
  std::size_t most = 0;
  std::vector<std::string> served;
  TestServer server([&](const Seen& seen) {
    most = std::max(most, ++atOnce);
    sleep(1ms);
    --atOnce;
    served.push_back(seen.target);
    return answerWith(seen.target);
  });
  Session session({.connectionsPerHost = 2});

  std::vector<Greenlet<std::string>> calls;
  for (int i = 0; i < 10; ++i) {
    calls.push_back(spawn(
        [&session, url = server.url("/" + std::to_string(i))] { return session.get(url).body(); }));
  }
  for (int i = 0; i < 10; ++i) CHECK(calls[std::size_t(i)].get() == "/" + std::to_string(i));

  CHECK(most == 2);
  CHECK(server.connections() == 2);
  CHECK(served.front() == "/0");
  CHECK(served.back() >= "/8");
}

FIBER_TEST_EACH("a session has so many connections in all, idle ones included [CLIENT-21]") {
  std::vector<std::unique_ptr<TestServer>> servers;
  for (int i = 0; i < 4; ++i) {
    servers.push_back(std::make_unique<TestServer>(always(answerWith("x"))));
  }
  Session session({.connectionsMax = 2});

  for (const auto& each : servers) CHECK(session.get(each->url()).body() == "x");

  CHECK(session.statistics().idle == 2);
  CHECK(eventually([&] { return servers[0]->openConnections() == 0; }));
  CHECK(servers[3]->openConnections() == 1);
  std::optional<ClientResponse> first = session.get(servers[0]->url());
  CHECK(session.statistics().idle + session.statistics().inUse <= 2);
}

FIBER_TEST("who waits for a connection can be killed, and the next one gets it [CLIENT-22]") {
  TestServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo"));
  Session session({.connectionsPerHost = 1});
  std::optional<ClientResponse> holder = session.get(server.url());
  auto killed = spawn([&] { session.get(server.url()); });
  auto next = spawn([&] { return session.get(server.url()).status(); });
  settle();

  killed.kill();
  CHECK(session.statistics().inUse == 1);
  holder.reset();

  CHECK(next.get() == 200);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("a kill in the turn in which a connection is handed over loses no permit [CLIENT-22]") {
  TestServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo"));
  Session session({.connectionsPerHost = 1, .connectionsMax = 1});
  std::optional<ClientResponse> holder = session.get(server.url());
  auto killed = spawn([&] { session.get(server.url()); });
  auto next = spawn([&] { return session.get(server.url()).status(); });
  settle();

  holder.reset();
  killed.requestKill();

  CHECK(next.get() == 200);
  CHECK(killed.isKilled());
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST_ON("sim", "an idle connection is closed after a time [CLIENT-23]") {
  TestServer server(always(answerWith("x")));
  Session session({.keepIdleFor = 10s});
  session.get(server.url()).body();
  sleep(6s);
  CHECK(session.get(server.url()).body() == "x");
  sleep(6s);
  CHECK(session.statistics().idle == 1);

  sleep(4s + 1ms);
  settle();

  CHECK(session.statistics().idle == 0);
  CHECK(server.openConnections() == 0);
  CHECK(server.connections() == 1);
}

FIBER_TEST_EACH("a connection that the server closed while idle is not used again [CLIENT-24]") {
  int answers = 0;
  RawServer server([&answers](net::SocketStream& stream) {
    readPiece(stream);
    ++answers;
    stream.writeAll(answerWith("x"));
  });
  Session session;

  CHECK(session.post(server.url(), "1").body() == "x");
  CHECK(eventually([&server] { return server.server().statistics().connections == 0; }));
  sleep(1ms);
  CHECK(session.post(server.url(), "2").body() == "x");

  CHECK(answers == 2);
  CHECK(session.statistics().retries == 0);
}

// Answers the first request on a connection; the second one ends it.
void answerOnce(net::SocketStream& stream) {
  readPiece(stream);
  stream.writeAll(answerWith("x"));
  readPiece(stream);
}

FIBER_TEST_EACH(
    "a request that met the end of a kept connection is sent again on a new one [CLIENT-24]") {
  RawServer server(&answerOnce);
  Session session;

  for (int i = 0; i < 3; ++i) CHECK(session.get(server.url()).body() == "x");

  CHECK(session.statistics().retries == 2);
  CHECK(session.statistics().connected == 3);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("what cannot safely be done twice is not sent again [CLIENT-24]") {
  RawServer server(&answerOnce);
  Session session;
  session.get(server.url()).body();

  const auto error = thrownBy<ConnectionClosed>([&] { session.post(server.url(), "x"); });

  CHECK(contains(error->what(), "POST " + server.url()));
  CHECK(contains(error->what(), "whether it has done what was asked is not known"));
  session.get(server.url()).body();
  auto [near, far] = net::memoryPair();
  far.writeAll("abc");
  CHECK_THROWS_AS(session.put(server.url(), ClientBody::stream(near, 3)), IoError);
  CHECK(session.statistics().retries == 0);
}

FIBER_TEST("a server that never answers is asked once on each new connection [CLIENT-24]") {
  int asked = 0;
  RawServer server([&asked](net::SocketStream& stream) {
    readPiece(stream);
    ++asked;
  });
  Session session;

  CHECK_THROWS_AS(session.get(server.url()), ConnectionClosed);

  CHECK(asked == 1);
}

FIBER_TEST("an answer that has begun is not asked for again [CLIENT-24]") {
  int asked = 0;
  RawServer server([&asked](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll(answerWith("x"));
    readPiece(stream);
    ++asked;
    stream.writeAll("HTTP/1.1 2");
  });
  Session session;
  session.get(server.url()).body();

  CHECK_THROWS_AS(session.get(server.url()), ConnectionClosed);

  CHECK(asked == 1);
  CHECK(session.statistics().retries == 0);
}

FIBER_TEST("a response may outlive its session [CLIENT-20]") {
  Event goOn;
  RawServer server([&goOn](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo");
    goOn.wait();
    stream.writeAll("dy");
  });
  std::optional<ClientResponse> response;
  {
    Session session;
    response = session.get(server.url());
  }

  goOn.set();

  CHECK(response->body() == "body");
}

FIBER_TEST("a session forgets the hosts that it has no connection to [CLIENT-21]") {
  TestServer server(always(answerWith("x", "Connection: close\r\n")));
  Session session({.connectionsPerHost = 1});

  for (int i = 0; i < 100; ++i) CHECK(session.get(server.url()).body() == "x");

  CHECK(session.statistics().idle == 0);
  CHECK(session.statistics().inUse == 0);
}

}  // namespace
}  // namespace plait::test
