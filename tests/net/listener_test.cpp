// Listening and accepting, one connection at a time. Servers are in server_test.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "net_support.h"
#include "plait/error.h"
#include "plait/group.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::Listener;
using net::SocketStream;

FIBER_TEST_EACH("port 0 is any free port, and the listener tells which") {
  Listener listener = net::listen("tcp:127.0.0.1:0");

  CHECK(listener.address().port() != 0);
  CHECK(listener.describe() == "listener " + listener.address().toString());
  CHECK(net::connect(listener.address()).isOpen());
}

FIBER_TEST_EACH("a port alone listens on every interface") {
  Listener listener = net::listen("tcp:0");

  SocketStream client = net::connect(Address::loopback(listener.address().port()));
  SocketStream server = listener.accept();
  client.writeAll("here");

  CHECK(readPiece(server) == "here");
}

FIBER_TEST_EACH("a port in use is refused with the way out [IO-25]") {
  Listener first = net::listen("tcp:127.0.0.1:0");

  const auto error =
      thrownBy<IoError>([&first] { net::listen("tcp:" + first.address().toString()); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_in_use);
  CHECK(contains(error->what(), "listening on " + first.address().toString()));
  CHECK(contains(error->what(), "choose another port or stop it"));
  CHECK(net::connect(first.address()).isOpen());
}

FIBER_TEST_EACH("an address of another machine cannot be listened on [IO-25]") {
  const auto error = thrownBy<IoError>([] { net::listen("tcp:203.0.113.9:0"); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_not_available);
  CHECK(contains(error->what(), "listening on 203.0.113.9:0"));
}

FIBER_TEST_EACH("two listeners share a port when both ask for it") {
  Listener first = net::listen("tcp:127.0.0.1:0", {.reusePort = true});

  Listener second = net::listen(first.address(), {.reusePort = true});

  CHECK(second.address() == first.address());
  CHECK_THROWS_AS(net::listen(first.address()), IoError);
}

FIBER_TEST_EACH("a port is free again once its listener is closed, connections or not") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  const Address address = listener.address();
  SocketStream client = net::connect(address);
  SocketStream server = listener.accept();
  listener.close();
  server.close();

  CHECK(net::listen(address).isOpen());
}

FIBER_TEST_EACH(
    "clients are refused before net::listen and wait in the backlog after it [SERVER-1]") {
  Listener probe = net::listen("tcp:127.0.0.1:0");
  const Address address = probe.address();
  probe.close();
  CHECK_THROWS_AS(net::connect(address), IoError);
  Listener listener = net::listen(address);

  SocketStream client = net::connect(address);
  client.writeAll("patient");
  SocketStream server = listener.accept();

  CHECK(readPiece(server) == "patient");
}

FIBER_TEST_EACH("fibers that accept at the same time get a connection each") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  std::vector<Greenlet<std::string>> accepters;
  for (int i = 0; i < 3; ++i) {
    accepters.push_back(spawn([&listener] {
      SocketStream stream = listener.accept();
      return readPiece(stream);
    }));
  }
  settle();

  std::vector<SocketStream> clients;
  for (const char* text : {"1", "2", "3"}) {
    clients.push_back(net::connect(listener.address()));
    clients.back().writeAll(text);
  }
  std::string all;
  for (auto& each : accepters) all += each.get();
  std::sort(all.begin(), all.end());

  CHECK(all == "123");
}

FIBER_TEST_EACH("a killed accept loses no connection, wherever the kill falls [IO-11]") {
  for (int distance = 0; distance <= 6; ++distance) {
    for (const bool killFirst : {false, true}) {
      CAPTURE(distance);
      CAPTURE(killFirst);
      Listener listener = net::listen("tcp:127.0.0.1:0");
      std::vector<SocketStream> accepted;
      auto accepter = spawn([&] {
        for (;;) accepted.push_back(listener.accept());
      });
      settle();

      if (killFirst) accepter.requestKill();
      SocketStream client = net::connect(listener.address());
      for (int turn = 0; turn < distance; ++turn) yield();
      accepter.kill();
      if (accepted.empty()) accepted.push_back(withTimeout(10s, [&] { return listener.accept(); }));
      client.writeAll("not lost");

      CHECK(readPiece(accepted.front()) == "not lost");
    }
  }
}

FIBER_TEST_EACH("an accept that times out leaves the next one what comes [IO-11]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  for (const Duration wait : {Duration(0), Duration(1), Duration(100'000)}) {
    CHECK_THROWS_AS(withTimeout(wait, [&] { return listener.accept(); }), TimeoutError);
  }

  SocketStream client = net::connect(listener.address());
  SocketStream server = listener.accept();

  CHECK(server.peerAddress() == client.localAddress());
}

FIBER_TEST_EACH("close() wakes all who are parked in accept, and says it was closed [IO-15]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  std::vector<Greenlet<void>> accepters;
  for (int i = 0; i < 3; ++i) accepters.push_back(spawn([&listener] { listener.accept(); }));
  settle();

  listener.close();

  CHECK(!listener.isOpen());
  for (const auto& each : accepters) {
    CHECK(each.isReady());
    const auto error = thrownBy<ConnectionClosed>([&each] { each.get(); });
    REQUIRE(error);
    CHECK(contains(error->what(), "accepting on"));
    CHECK(contains(error->what(), "closed"));
  }
}

FIBER_TEST_EACH("a closed listener refuses every call, and clients [IO-17]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  const Address address = listener.address();
  listener.close();
  listener.close();
  std::error_code code;

  CHECK_THROWS_AS(listener.accept(), ConnectionClosed);
  CHECK(!listener.accept(code).isOpen());
  CHECK(code);
  CHECK_THROWS_AS(listener.address(), ConnectionClosed);
  CHECK(listener.describe() == "a closed listener");
  CHECK_THROWS_AS(net::connect(address), IoError);
  CHECK_THROWS_AS(Listener().accept(), ConnectionClosed);
}

FIBER_TEST_EACH("clients that wait in the backlog of a closed listener see the end [IO-16]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  SocketStream waiting = net::connect(listener.address());

  listener.close();
  std::error_code error;
  std::array<std::byte, 16> buffer;
  const std::size_t count = withTimeout(10s, [&] { return waiting.readSome(buffer, error); });

  CHECK(count == 0);
}

FIBER_TEST_EACH("a client that has gone before its accept is no error [SERVER-10]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  SocketStream gone = net::connect(listener.address());
  gone.setResetOnClose(true);
  gone.close();
  SocketStream client = net::connect(listener.address());
  client.writeAll("still here");

  std::string received;
  while (received.empty()) {
    SocketStream server = listener.accept();
    std::error_code error;
    std::array<std::byte, 16> buffer;
    const std::size_t count = server.readSome(buffer, error);
    received.assign(reinterpret_cast<const char*>(buffer.data()), count);
  }

  CHECK(received == "still here");
}

SimOptions failing() {
  SimOptions options;
  options.seed = seed();
  options.errorRate = 0.3;
  return options;
}

FIBER_TEST_SIM(failing(),
               "connections that are aborted before their accept are passed over [SERVER-10]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  std::size_t accepted = 0;
  auto accepter = spawn([&listener, &accepted] {
    for (;;) {
      listener.accept();
      ++accepted;
    }
  });

  for (int i = 0; i < 100; ++i) {
    std::error_code refused;
    SocketStream client = net::connect(listener.address(), refused);
    settle();
  }

  CHECK(accepted > 10);
  CHECK(!accepter.isReady());
  accepter.kill();
}

FIBER_TEST("an accept without a descriptor left is a typed error, and the client waits [IO-25]") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  SocketStream client = net::connect(listener.address());
  client.writeAll("I wait");
  std::optional<IoError> error;
  {
    const DescriptorLimit limit(0);
    error = thrownBy<IoError>([&listener] { listener.accept(); });
  }

  SocketStream server = listener.accept();

  REQUIRE(error);
  CHECK(error->code() == std::errc::too_many_files_open);
  CHECK(contains(error->what(), "accepting on listener " + listener.address().toString()));
  CHECK(readPiece(server) == "I wait");
}

FIBER_TEST("an inherited non-blocking listener parks the accepter all the same [IO-1]") {
  Listener original = net::listen("tcp:127.0.0.1:0");
  const int number = ::fcntl(original.descriptor(), F_DUPFD_CLOEXEC, 0);
  REQUIRE(::fcntl(number, F_SETFL, O_NONBLOCK) == 0);
  Listener listener(number);
  auto accepter = spawn([&listener] { return listener.accept(); });
  settle();
  CHECK(!accepter.isReady());

  SocketStream client = net::connect(listener.address());

  CHECK(accepter.get().isOpen());
}

FIBER_TEST_EACH("a listener on IPv6 only leaves the port to IPv4") {
  Listener six = net::listen(Address::any(0, net::Family::ipv6), {.onlyIpv6 = true});

  Listener four = net::listen(Address::any(six.address().port()));

  CHECK(four.address().port() == six.address().port());
}

FIBER_TEST_EACH("a listener that moves takes its connections along") {
  Listener listener = net::listen("tcp:127.0.0.1:0");
  SocketStream client = net::connect(listener.address());

  Listener moved = std::move(listener);

  CHECK(moved.accept().isOpen());
}

}  // namespace
}  // namespace plait::test
