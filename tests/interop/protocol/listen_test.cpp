// Ports, and asyncio's way to serve and connect.

#include "factories.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

FIBER_TEST_EACH("a port makes a protocol for each client [PROTOCOL-16]") {
  const auto server = std::make_shared<Server>();
  const ListeningPort port = listenHere(server);
  CHECK(server->calls == Calls{"start"});

  net::SocketStream one = net::connect(port.getHost());
  net::SocketStream two = net::connect(port.getHost());
  while (server->built.size() < 2) yield();

  CHECK(server->built[0].lock() != server->built[1].lock());
  CHECK(server->built[0].lock()->factory() == server.get());
  stop(port);
  CHECK(server->calls == Calls{"start", "build", "build", "stop"});
  one.close();
  two.close();
  while (!server->built[0].expired() || !server->built[1].expired()) yield();
}

FIBER_TEST_EACH("a stopped port refuses, and its connections go on [PROTOCOL-17]") {
  const auto protocol = std::make_shared<Recorder>();
  const ListeningPort port = listenHere(always(protocol));
  const net::Address address = port.getHost();
  net::SocketStream peer = net::connect(address);
  protocol->made.wait();

  stop(port);
  stop(port);
  std::error_code error;
  net::connect(address, error);
  peer.writeAll("still here");

  CHECK(error == std::errc::connection_refused);
  CHECK(protocol->awaitBytes(10) == "still here");
  CHECK(port.getHost() == address);
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a port may be stopped twice at once [PROTOCOL-17]") {
  const ListeningPort port = listenHere(std::make_shared<Server>());
  settle();

  auto first = port.stopListening();
  auto second = port.stopListening();

  waitForDeferred(second);
  waitForDeferred(first);
}

FIBER_TEST_ON("sim", "a factory of two ports is started and stopped once [PROTOCOL-16]") {
  const auto server = std::make_shared<Server>();
  const ListeningPort one = listenHere(server);
  const ListeningPort two = listenHere(server);
  settle();

  stop(one);
  CHECK(server->calls == Calls{"start"});
  stop(two);

  CHECK(server->calls == Calls{"start", "stop"});
}

FIBER_TEST_ON("sim", "a factory refuses by null, or by throwing, which is reported [PROTOCOL-16]") {
  ExpectedErrors errors;
  const auto server = std::make_shared<Server>();
  const ListeningPort port = listenHere(server);

  server->make = [] { return nullptr; };
  net::SocketStream one = net::connect(port.getHost());
  CHECK(readToEnd(one).empty());
  CHECK(errors.take(0).empty());
  server->make = []() -> std::shared_ptr<Protocol> { throw std::runtime_error("not you"); };
  net::SocketStream two = net::connect(port.getHost());
  CHECK(readToEnd(two).empty());
  const auto reports = errors.take();

  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "not you"));
  stop(port);
}

FIBER_TEST_EACH("createServer() and createConnection() take functions [PROTOCOL-24]") {
  const auto serving = std::make_shared<Recorder>();
  serving->onData = [](Recorder& self, std::string_view data) { self.transport().write(data); };
  const ListeningPort port = createServer([&serving] { return serving; }, "127.0.0.1", 0);

  const std::shared_ptr<Recorder> client = createConnection(
      [] { return std::make_shared<Recorder>(); }, "tcp:" + port.getHost().toString());

  CHECK(client->calls == Calls{"made"});
  client->transport().write("echo");
  CHECK(client->awaitBytes(4) == "echo");
  client->transport().loseConnection();
  client->over.wait();
  serving->over.wait();
  stop(port);
}

FIBER_TEST_ON("sim", "createConnection() throws what connectionMade() threw [PROTOCOL-24]") {
  ExpectedErrors errors;
  const ListeningPort port = listenHere(std::make_shared<Server>());
  const auto client = std::make_shared<Recorder>();
  client->onMade = [](Recorder&) {
    settle();
    throw std::runtime_error("not here");
  };

  CHECK_THROWS_AS(
      createConnection([&client] { return client; }, "tcp:" + port.getHost().toString()),
      std::runtime_error);

  CHECK(client->calls == Calls{"made", "lost"});
  CHECK(errors.take().size() == 1);
  stop(port);
  settle();
}

FIBER_TEST_ON("sim", "createConnection() throws when nobody listens [PROTOCOL-24]") {
  const std::string nobody = "tcp:127.0.0.1:" + std::to_string(portOfNobody());

  CHECK_THROWS_AS(createConnection([] { return std::make_shared<Recorder>(); }, nobody), IoError);
}

}  // namespace
}  // namespace plait::test
