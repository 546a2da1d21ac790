// How a server ends: at once, with grace, before it began, by a signal, by its own handler.

#include <signal.h>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/statistics.h"
#include "server_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::Server;
using net::SocketStream;

bool isRefused(const Address& address) {
  std::error_code error;
  net::connect(address, error);
  return error == std::errc::connection_refused;
}

FIBER_TEST_EACH("a stop ends serve() and refuses later clients [SERVER-7]") {
  Server server(anyListener(), &echo);
  const Address address = server.address();
  auto serving = spawn([&server] { server.serve(); });
  CHECK(ask(address, "hello") == "hello");

  server.stop();

  settle();
  CHECK(serving.isReady());
  CHECK(isRefused(address));
  serving.get();
}

FIBER_TEST_EACH("a stop before the start makes serve() return at once [SERVER-7]") {
  Server server(anyListener(), &echo);
  const Address address = server.address();

  server.stop();
  server.serve();
  server.start();

  CHECK(isRefused(address));
}

FIBER_TEST_EACH(
    "clients that wait in the backlog of a server stopped unstarted see the end [SERVER-7]") {
  Server server(anyListener(), &echo);
  SocketStream client = net::connect(server.address());

  server.stop();

  CHECK(isEnded(client));
}

FIBER_TEST_EACH("a second stop does no harm, and waits for the first [SERVER-7]") {
  Event mayEnd;
  Server server(anyListener(), [&mayEnd](SocketStream&) { mayEnd.wait(); });
  server.start();
  SocketStream client = net::connect(server.address());
  CHECK(eventually([&server] { return server.statistics().connections == 1; }));

  auto first = spawn([&server] { server.stop(); });
  auto second = spawn([&server] { server.stop(); });
  settle();
  CHECK(!first.isReady());
  CHECK(!second.isReady());
  mayEnd.set();
  second.get();
  server.stop();

  CHECK(first.isReady());
}

FIBER_TEST_EACH("a server is started once [SERVER-7]") {
  Server server(anyListener(), &echo);
  server.start();

  CHECK_THROWS_AS(server.start(), std::logic_error);
  CHECK(ask(server.address(), "goes on") == "goes on");
}

FIBER_TEST_EACH("a callback can ask for the stop [SERVER-7]") {
  Server server(anyListener(), &echo);
  callLater(1ms, [&server] { server.requestStop(); });

  withTimeout(20s, [&server] { server.serve(); });

  CHECK(server.statistics().connections == 0);
}

FIBER_TEST("SIGTERM stops the server [SERVER-7]") {
  Server server(anyListener(), &echo);
  server.stopOn({SIGTERM, SIGINT});
  auto serving = spawn([&server] { server.serve(); });
  CHECK(ask(server.address(), "hello") == "hello");

  ::raise(SIGTERM);

  CHECK(serving.join(20s));
  serving.get();
}

FIBER_TEST("a signal that comes twice does no harm [SERVER-7]") {
  Server server(anyListener(), &echo);
  server.stopOn({SIGTERM});
  auto serving = spawn([&server] { server.serve(); });
  settle();

  ::raise(SIGTERM);
  settle();
  ::raise(SIGTERM);

  CHECK(serving.join(20s));
}

FIBER_TEST_ON("sim", "a graceful stop lets the handlers finish [SERVER-8]") {
  std::string finished;
  Server server(anyListener(), [&finished](SocketStream& stream) {
    const std::string text = readPiece(stream);
    sleep(5s);
    stream.writeAll("done");
    finished += text;
  });
  server.start();
  SocketStream client = net::connect(server.address());
  client.writeAll("x");
  settle();

  const TimePoint start = now();
  server.stop();

  CHECK(finished == "x");
  CHECK(readToEnd(client) == "done");
  CHECK(now() - start == 5s);
}

FIBER_TEST_ON("sim",
              "handlers that are left at the deadline are killed and waited for [SERVER-8]") {
  int unwound = 0;
  Server server(anyListener(),
                [&unwound](SocketStream& stream) {
                  struct Unwinding {
                    int& count;
                    ~Unwinding() {
                      const CancelShield shield;
                      sleep(1s);
                      ++count;
                    }
                  };
                  const Unwinding unwinding{unwound};
                  readToEnd(stream);
                },
                {.stopGrace = 30s});
  server.start();
  SocketStream one = net::connect(server.address());
  SocketStream other = net::connect(server.address());
  settle();

  const TimePoint start = now();
  server.stop();

  CHECK(now() - start == 31s);
  CHECK(unwound == 2);
  CHECK(isEnded(one));
  CHECK(isEnded(other));
}

FIBER_TEST_ON("sim", "a stop waits no longer than the handlers need [SERVER-8]") {
  Server server(anyListener(), &echo);
  server.start();
  CHECK(ask(server.address(), "gone by now") == "gone by now");
  settle();

  const TimePoint start = now();
  server.stop();

  CHECK(now() == start);
}

FIBER_TEST_ON("sim", "a kill of serve() stops the server without grace [SERVER-8]") {
  Server server(anyListener(), &echo);
  const Address address = server.address();
  auto serving = spawn([&server] { server.serve(); });
  SocketStream client = net::connect(address);
  CHECK(ask(client, "hello") == "hello");

  const TimePoint start = now();
  serving.kill();

  CHECK(serving.isKilled());
  CHECK(now() == start);
  CHECK(isEnded(client));
  CHECK(isRefused(address));
}

FIBER_TEST_ON("sim", "a kill of serve() ends the grace of a stop under way [SERVER-8]") {
  Server server(anyListener(), &echo, {.stopGrace = 30s});
  auto serving = spawn([&server] { server.serve(); });
  SocketStream client = net::connect(server.address());
  CHECK(ask(client, "hello") == "hello");
  server.requestStop();
  settle();

  const TimePoint start = now();
  serving.kill();

  CHECK(now() == start);
  CHECK(isEnded(client));
}

FIBER_TEST_ON("sim", "a server that is destroyed ends its handlers without grace [SERVER-8]") {
  auto server = std::make_unique<Server>(anyListener(), &echo);
  server->start();
  SocketStream client = net::connect(server->address());
  CHECK(ask(client, "hello") == "hello");

  const TimePoint start = now();
  server.reset();

  CHECK(now() == start);
  CHECK(isEnded(client));
}

FIBER_TEST_ON("sim", "a server that is destroyed ends the grace of a stop under way [SERVER-8]") {
  auto server = std::make_unique<Server>(anyListener(), &echo);
  server->start();
  SocketStream client = net::connect(server->address());
  CHECK(ask(client, "hello") == "hello");
  auto stopping = spawn([&server = *server] { server.stop(); });
  settle();

  const TimePoint start = now();
  server.reset();

  CHECK(now() == start);
  CHECK(stopping.isReady());
}

FIBER_TEST_EACH("connections kept beyond the limit are closed at a stop [SERVER-5]") {
  auto server = std::make_unique<Server>(
      anyListener(), [](SocketStream& stream) { readToEnd(stream); },
      net::ServerOptions{.connectionsMax = 2, .stopGrace = 0ms});
  std::vector<SocketStream> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(net::connect(server->address()));
  // All at once, so that the kernel has accepted more than two when the limit is reached.
  server->start();
  CHECK(eventually([&server] { return server->statistics().connections == 2; }));

  server->stop();

  for (SocketStream& each : clients) CHECK(isEnded(each));
}

FIBER_TEST_EACH("a stop while accepting is stopped closes everything [SERVER-6] [SERVER-7]") {
  Server server(anyListener(), &echo);
  server.start();
  settle();
  server.stopAccepting();
  SocketStream client = net::connect(server.address());

  server.stop();

  CHECK(isEnded(client));
}

FIBER_TEST_EACH("a handler can stop its server, and is not waited for [SERVER-7]") {
  Server* running = nullptr;
  Server server(anyListener(), [&running](SocketStream& stream) {
    const std::string text = readPiece(stream);
    running->stop();
    stream.writeAll(text);
  });
  running = &server;
  auto serving = spawn([&server] { server.serve(); });
  SocketStream client = net::connect(server.address());

  client.writeAll("the last word");

  CHECK(serving.join(20s));
  CHECK(readToEnd(client) == "the last word");
}

FIBER_TEST_ON("sim",
              "a handler that asks for a second stop is not waited for by itself [SERVER-7]") {
  Server* running = nullptr;
  bool hasReturned = false;
  Server server(anyListener(),
                [&](SocketStream& stream) {
                  readPiece(stream);
                  running->stop();
                  hasReturned = true;
                },
                {.stopGrace = 10s});
  running = &server;
  server.start();
  SocketStream client = net::connect(server.address());
  client.writeAll("x");
  const TimePoint start = now();

  server.stop();

  CHECK(hasReturned);
  CHECK(now() == start);
}

FIBER_TEST_EACH("a handler that stopped its server may outlast serve() [SERVER-7] [SERVER-8]") {
  Event ended;
  auto own = std::make_unique<Server*>(nullptr);
  SocketStream client;
  {
    Server server(anyListener(), [&ended, own = std::make_shared<std::string>("own"),
                                  running = own.get()](SocketStream& stream) {
      readPiece(stream);
      (*running)->stop();
      // The server's owner goes on meanwhile, and destroys it.
      for (int i = 0; i < 10; ++i) yield();
      stream.writeAll(*own);
      ended.set();
    });
    *own = &server;
    client = net::connect(server.address());
    client.writeAll("stop");
    withTimeout(20s, [&server] { server.serve(); });
  }

  // It was either waited for or killed: but it does not touch what is gone.
  settle();
  const std::string answer = readToEnd(client);
  CHECK((answer == "own" || answer.empty()));
}

FIBER_TEST_EACH("a stop that was asked for in vain finds no server, and does no harm [SERVER-7]") {
  auto server = std::make_unique<Server>(anyListener(), &echo);
  const Address address = server->address();
  const std::uint64_t spawned = loopStatistics().spawned;
  server->requestStop();
  server->requestStop();
  CHECK(loopStatistics().spawned == spawned + 1);

  server.reset();
  CHECK(loopStatistics().fibersReady + loopStatistics().fibersParked == 0);
  CHECK(isRefused(address));

  auto other = std::make_unique<Server>(anyListener(), &echo);
  other->stop();
  other->requestStop();
  other.reset();
  CHECK(loopStatistics().fibersReady + loopStatistics().fibersParked == 0);
}

FIBER_TEST_EACH("a killed handler whose helper still reads its stream ends in order [SERVER-8]") {
  AnyGreenlet helper;
  Server server(anyListener(),
                [&helper](SocketStream& stream) {
                  helper = spawn([&stream] {
                    try {
                      readPiece(stream);
                    } catch (const ConnectionClosed&) {
                      // As it should be.
                    }
                  });
                  sleep(1h);
                },
                {.stopGrace = 0ms});
  server.start();
  SocketStream client = net::connect(server.address());
  CHECK(eventually([&helper] { return static_cast<bool>(helper); }));
  settle();

  server.stop();

  CHECK(helper.join(20s));
  CHECK(isEnded(client));
}

}  // namespace
}  // namespace plait::test
