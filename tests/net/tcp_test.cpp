// Connecting over tcp, what a connection tells, and how it fails. What every stream does is in the
// stream contract; names and several addresses are in resolver_test and happy_eyeballs_test.

#include <netinet/tcp.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "acceptor.h"
#include "net_support.h"
#include "plait/error.h"
#include "plait/statistics.h"
#include "plait/tcp.h"
#include "plait/timeout.h"
#include "socket_state.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::SocketStream;

struct Connected {
  SocketStream client;
  SocketStream server;
};

Connected connectedPair() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  SocketStream client = net::connect(listener.address());
  SocketStream server = listener.accept();
  return {std::move(client), std::move(server)};
}

Address addressOfNobody() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  return listener.address();
}

FIBER_TEST_EACH("both ends of a connection tell each other's address") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");

  SocketStream client = net::connect("tcp:" + listener.address().toString());
  SocketStream server = listener.accept();

  CHECK(client.peerAddress() == listener.address());
  CHECK(server.localAddress() == listener.address());
  CHECK(server.peerAddress() == client.localAddress());
  CHECK(server.describe() ==
        "tcp " + server.localAddress().toString() + " <- " + client.localAddress().toString());
}

FIBER_TEST_EACH("an IPv6 address is connected to") {
  net::Listener listener = net::listen(Address::loopback(0, net::Family::ipv6));

  SocketStream client = net::connect("tcp:" + listener.address().toString());
  SocketStream server = listener.accept();
  server.writeAll("six");

  CHECK(readPiece(client) == "six");
}

FIBER_TEST_EACH("connecting where nobody listens says so, and what to do [IO-25]") {
  const Address nobody = addressOfNobody();

  const auto error = thrownBy<IoError>([&] { net::connect(nobody); });
  std::error_code code;
  const SocketStream none = net::connect(nobody, code);

  REQUIRE(error);
  CHECK(error->code() == std::errc::connection_refused);
  CHECK(contains(error->what(), "connecting to " + nobody.toString()));
  CHECK(contains(error->what(), "is the server running?"));
  CHECK(code == std::errc::connection_refused);
  CHECK(!none.isOpen());
}

FIBER_TEST_EACH("a refused connect is seen by its own fiber only [IO-25]") {
  auto [client, server] = connectedPair();
  auto reader = spawn([&server] { return readPiece(server); });
  auto refused = spawn([] { net::connect(addressOfNobody()); });

  CHECK_THROWS_AS(refused.get(), IoError);
  client.writeAll("undisturbed");

  CHECK(reader.get() == "undisturbed");
}

FIBER_TEST_EACH("a reset by the peer ends reading and writing with ConnectionClosed [IO-25]") {
  auto [client, server] = connectedPair();
  auto reader = spawn([&client] { readPiece(client); });
  settle();

  server.setResetOnClose(true);
  server.close();

  const auto error = thrownBy<ConnectionClosed>([&] { reader.get(); });
  REQUIRE(error);
  CHECK(error->code() == std::errc::connection_reset);
  CHECK(contains(error->what(), "reading from tcp "));
  CHECK_THROWS_AS(client.writeAll("too late"), ConnectionClosed);
}

FIBER_TEST_EACH("a peer that closed takes a first write, then the pipe is broken [IO-25]") {
  auto [client, server] = connectedPair();
  server.close();

  const auto error = thrownBy<ConnectionClosed>([&client] {
    for (int i = 0; i < 100; ++i) {
      client.writeAll("is anybody there?");
      settle();
    }
  });

  REQUIRE(error);
  CHECK(contains(error->what(), "writing to tcp "));
}

FIBER_TEST("an inherited non-blocking descriptor parks the fiber all the same [IO-1]") {
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
  SocketStream one(pair[0]);
  SocketStream other(pair[1]);
  const std::string much(4 << 20, 'x');

  auto reader = spawn([&one] { return readPiece(one, 5); });
  settle();
  CHECK(!reader.isReady());
  other.writeAll("later");
  CHECK(reader.get() == "later");

  auto writer = spawn([&other, &much] { other.writeAll(much); });
  settle();
  CHECK(!writer.isReady());
  const bool isWhole = readCount(one, much.size()) == much;
  CHECK(isWhole);
  writer.get();
}

FIBER_TEST("plait leaves the descriptor's own mode alone [IO-1]") {
  auto [client, server] = connectedPair();

  const int flags = ::fcntl(client.descriptor(), F_GETFL);

  CHECK((flags & O_NONBLOCK) == 0);
  CHECK((::fcntl(client.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(server.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

FIBER_TEST("a detached descriptor goes on without the stream, which is closed [IO-18]") {
  auto [client, server] = connectedPair();
  client.writeAll("before");

  const int number = client.detach();

  CHECK(!client.isOpen());
  CHECK(client.descriptor() == -1);
  CHECK_THROWS_AS(client.writeAll("x"), ConnectionClosed);
  CHECK_THROWS_AS(readPiece(client), ConnectionClosed);
  CHECK_THROWS_AS(client.shutdownWrite(), ConnectionClosed);
  client.close();
  CHECK(::send(number, " and after", 10, 0) == 10);
  CHECK(readCount(server, 16) == "before and after");
  ::close(number);
}

FIBER_TEST("a stream that was detached after a killed read has nothing in flight [IO-18]") {
  auto [client, server] = connectedPair();
  auto reader = spawn([&server] { readPiece(server); });
  settle();
  reader.kill();

  SocketStream heir(server.detach());
  client.writeAll("to the heir");

  CHECK(readPiece(heir) == "to the heir");
}

FIBER_TEST_EACH("a stream that was never open refuses every call [IO-17]") {
  SocketStream none;

  CHECK_THROWS_AS(readPiece(none), ConnectionClosed);
  CHECK_THROWS_AS(none.writeAll("x"), ConnectionClosed);
  CHECK_THROWS_AS(none.shutdownWrite(), ConnectionClosed);
  CHECK_THROWS_AS(none.setNoDelay(true), ConnectionClosed);
  CHECK_THROWS_AS(none.option(SOL_SOCKET, SO_TYPE), ConnectionClosed);
  CHECK_THROWS_AS(none.localAddress(), ConnectionClosed);
  CHECK_THROWS_AS(none.peerAddress(), ConnectionClosed);
  CHECK(none.detach() == -1);
  none.close();
}

FIBER_TEST_EACH("assigning to a stream closes what it was [IO-19]") {
  auto [client, server] = connectedPair();

  client = SocketStream();

  CHECK(readPiece(server).empty());
}

FIBER_TEST("messages go out when they are written: nodelay is on from the start") {
  auto [client, server] = connectedPair();

  CHECK(client.option(IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK(server.option(IPPROTO_TCP, TCP_NODELAY) != 0);
  client.setNoDelay(false);
  CHECK(client.option(IPPROTO_TCP, TCP_NODELAY) == 0);
}

FIBER_TEST_ON("uring", "a listener that was taken over gives nodelay to who waited in it before") {
  const int number = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::listen(number, 1) == 0);  // on any free port
  sockaddr_in where{};
  socklen_t bytes = sizeof where;
  REQUIRE(::getsockname(number, reinterpret_cast<sockaddr*>(&where), &bytes) == 0);
  const SocketStream client = net::connect(Address::loopback(ntohs(where.sin_port)));

  net::Listener listener(number);
  const SocketStream server = listener.accept();

  CHECK(server.option(IPPROTO_TCP, TCP_NODELAY) != 0);
}

FIBER_TEST_ON("uring", "an acceptor that is disarmed before it begins takes no client [SERVER-4]") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  net::detail::Acceptor acceptor(listener.state().descriptor);
  const std::size_t before = loopStatistics().inFlight;

  acceptor.want();
  acceptor.disarm();

  CHECK(acceptor.next() == -ECANCELED);
  CHECK(loopStatistics().inFlight == before);
}

FIBER_TEST("socket options are what was set") {
  auto [client, server] = connectedPair();

  client.setKeepAlive(true, 30s, 5s, 3);
  client.setUserTimeout(1500ms);
  client.setSendBuffer(32'768);
  client.setReceiveBuffer(32'768);

  CHECK(client.option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(client.option(IPPROTO_TCP, TCP_KEEPIDLE) == 30);
  CHECK(client.option(IPPROTO_TCP, TCP_KEEPINTVL) == 5);
  CHECK(client.option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(client.option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 1500);
  CHECK(client.option(SOL_SOCKET, SO_SNDBUF) == 65'536);
  CHECK(client.option(SOL_SOCKET, SO_RCVBUF) == 65'536);
  client.setKeepAlive(false);
  CHECK(client.option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

FIBER_TEST("an option that the system refuses is an IoError that says on what [IO-25]") {
  auto [client, server] = connectedPair();

  const auto error = thrownBy<IoError>([&client] { client.setOption(9999, 1, 1); });

  REQUIRE(error);
  CHECK(contains(error->what(), "setting an option of " + client.describe()));
}

FIBER_TEST_EACH("a connection comes from the local address that was asked for") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");

  SocketStream client =
      net::connect(listener.address(), {.bindTo = Address::ip("127.0.0.2", 0), .attemptDelay = 1s});
  SocketStream server = listener.accept();

  CHECK(server.peerAddress().host() == "127.0.0.2");
}

FIBER_TEST("a local address that is not this machine's is refused with the reason [IO-25]") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");

  const auto error = thrownBy<IoError>([&listener] {
    net::connect(listener.address(), {.bindTo = Address::ip("203.0.113.9", 0), .attemptDelay = 1s});
  });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_not_available);
  CHECK(contains(error->what(), "bindTo is not an address of this machine"));
}

FIBER_TEST_ON("sim", "a connect that times out leaves no descriptor open [IO-22]") {
  const TimePoint start = now();

  CHECK_THROWS_AS(withTimeout(2s, [] { net::connect("tcp:192.0.2.1:80"); }), TimeoutError);

  CHECK(now() - start == 2s);
}

FIBER_TEST_ON("sim", "a killed connect leaves no descriptor open [IO-22]") {
  auto connecting = spawn([] { net::connect("tcp:192.0.2.1:80"); });
  settle();

  connecting.kill();

  CHECK(connecting.isKilled());
}

FIBER_TEST_ON("sim", "the system gives up on a host that never answers [IO-25]") {
  const auto error = thrownBy<IoError>([] { net::connect(Address::ip("192.0.2.1", 80)); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::timed_out);
  CHECK(contains(error->what(), "connecting to 192.0.2.1:80"));
}

FIBER_TEST("connecting without a descriptor left says how to get more [IO-25]") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  std::optional<IoError> error;
  {
    const DescriptorLimit limit(0);
    error = thrownBy<IoError>([&listener] { net::connect(listener.address()); });
  }

  REQUIRE(error);
  CHECK(error->code() == std::errc::too_many_files_open);
  CHECK(contains(error->what(), "raise RLIMIT_NOFILE"));
  CHECK(net::connect(listener.address()).isOpen());
}

FIBER_TEST_EACH(
    "a killed connect never leaks what had connected, wherever the kill falls [IO-22]") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  for (int distance = 0; distance <= 6; ++distance) {
    CAPTURE(distance);
    auto connecting = spawn([&listener] {
      const SocketStream stream = net::connect(listener.address());
      yield();
    });
    for (int turn = 0; turn < distance; ++turn) yield();

    connecting.kill();

    CHECK(connecting.isReady());
  }
}

}  // namespace
}  // namespace plait::test
