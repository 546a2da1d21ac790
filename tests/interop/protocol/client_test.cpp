// Clients: what their factories are told, and how connecting fails or is stopped.

#include <unistd.h>

#include <algorithm>

#include "factories.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

FIBER_TEST_EACH("a client is connected, and told of each step [PROTOCOL-18]") {
  const auto protocol = std::make_shared<Recorder>();
  const ListeningPort port = listenHere(always(protocol));
  const auto factory = std::make_shared<Client>();

  const Connector connector = connectTCP("127.0.0.1", port.getHost().port(), factory);
  factory->protocol->made.wait();
  CHECK(factory->protocol->factory() == factory.get());
  factory->protocol->transport().write("hello");
  CHECK(protocol->awaitBytes(5) == "hello");
  protocol->transport().loseConnection();
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "build", "lost", "stop"});
  CHECK(factory->reason->check<ConnectionDone>() != nullptr);
  CHECK(connector.getDestination() == "tcp:127.0.0.1:" + std::to_string(port.getHost().port()));
  protocol->over.wait();
  stop(port);
}

FIBER_TEST_EACH("unix sockets are listened on and connected to [PROTOCOL-16] [PROTOCOL-18]") {
  const auto protocol = std::make_shared<Recorder>();
  const std::string path = "@plait-protocol-test-" + std::to_string(::getpid());
  const ListeningPort port = listenUNIX(path, always(protocol));
  const auto factory = std::make_shared<Client>();

  const Connector connector = connectUNIX(path, factory);
  factory->protocol->made.wait();
  factory->protocol->transport().write("local");
  CHECK(protocol->awaitBytes(5) == "local");
  connector.disconnect();
  factory->over.wait();
  protocol->over.wait();

  CHECK(port.getHost().path() == path);
  CHECK(factory->calls == Calls{"start", "connecting", "build", "lost", "stop"});
  stop(port);
}

FIBER_TEST_ON("sim", "an abort ends a unix connection, too [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  auto [ours, theirs] = net::socketPair();
  detail::serveInBackground(std::move(ours), protocol, std::source_location::current());

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
}

FIBER_TEST_EACH("a refused connection has failed [PROTOCOL-19]") {
  const auto factory = std::make_shared<Client>();

  connectTCP("127.0.0.1", portOfNobody(), factory);
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "failed", "stop"});
  const auto* const error = factory->reason->check<IoError>();
  REQUIRE(error != nullptr);
  CHECK(error->code() == std::errc::connection_refused);
}

FIBER_TEST_ON("sim", "a connection that is not made in time has failed [PROTOCOL-19]") {
  const auto factory = std::make_shared<Client>();
  const TimePoint before = loopTime().now();

  connectTCP("192.0.2.1", 80, factory, 5s);
  factory->over.wait();

  CHECK(factory->reason->check<TimeoutError>() != nullptr);
  CHECK(loopTime().now() - before == 5s);
}

FIBER_TEST_ON("sim", "any factory will do for a client [PROTOCOL-18] [PROTOCOL-19]") {
  const auto server = std::make_shared<Server>();

  connectTCP("127.0.0.1", portOfNobody(), server);
  while (server->calls.size() < 2) yield();

  CHECK(server->calls == Calls{"start", "stop"});
}

FIBER_TEST_ON("sim", "a factory without a protocol, or that throws, has failed [PROTOCOL-19]") {
  const ListeningPort port = listenHere(std::make_shared<Server>());
  const auto factory = std::make_shared<Client>();
  factory->protocol = nullptr;

  connectTCP("127.0.0.1", port.getHost().port(), factory);
  factory->over.wait();
  CHECK(factory->calls == Calls{"start", "connecting", "build", "failed", "stop"});
  CHECK(factory->reason->check<CancelledError>() != nullptr);

  stop(port);
  settle();
}

FIBER_TEST_ON("sim", "an attempt is stopped once, and has failed then [PROTOCOL-20]") {
  const auto factory = std::make_shared<Client>();
  const Connector connector = connectTCP("192.0.2.1", 80, factory);
  sleep(1s);

  connector.stopConnecting();
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "failed", "stop"});
  CHECK(factory->reason->check<CancelledError>() != nullptr);
  CHECK_THROWS_AS(connector.stopConnecting(), std::logic_error);
  connector.disconnect();
}

FIBER_TEST_ON("sim", "startedConnecting() may stop the attempt [PROTOCOL-20]") {
  const auto factory = std::make_shared<Client>();
  factory->onStarted = [](const Connector& connector) { connector.stopConnecting(); };
  factory->onFailed = [](const Connector&) { sleep(1s); };

  connectTCP("192.0.2.1", 80, factory);
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "failed", "stop"});
  CHECK(factory->reason->check<CancelledError>() != nullptr);
}

FIBER_TEST_ON("sim", "a connection can be made again when it was lost [PROTOCOL-21]") {
  const auto server = std::make_shared<Server>();
  const ListeningPort port = listenHere(server);
  const auto factory = std::make_shared<Client>();
  int losses = 0;
  factory->onLost = [&](const Connector& connector) {
    if (++losses < 3) connector.connect();
  };
  factory->protocol->onMade = [](Recorder& self) { self.transport().loseConnection(); };

  const Connector connector = connectTCP("127.0.0.1", port.getHost().port(), factory);
  CHECK_THROWS_AS(connector.connect(), std::logic_error);
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "build", "lost", "connecting", "build",
                                "lost", "connecting", "build", "lost", "stop"});
  stop(port);
  settle();
}

FIBER_TEST_ON("sim", "an attempt can be repeated when it has failed [PROTOCOL-21]") {
  const auto factory = std::make_shared<Client>();
  int failures = 0;
  factory->onFailed = [&](const Connector& connector) {
    if (++failures < 2) connector.connect();
  };

  const Connector connector = connectTCP("127.0.0.1", portOfNobody(), factory);
  factory->over.wait();
  CHECK(factory->calls == Calls{"start", "connecting", "failed", "connecting", "failed", "stop"});

  factory->over.clear();
  connector.connect();
  factory->over.wait();
  CHECK(std::count(factory->calls.begin(), factory->calls.end(), "start") == 2);
}

}  // namespace
}  // namespace plait::test
