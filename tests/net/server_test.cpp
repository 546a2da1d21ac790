// What a server does while it runs: handlers, limits, errors of accepting. How it stops is in
// server_stop_test.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "plait/detail/loop.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/run_threads.h"
#include "plait/statistics.h"
#include "server_support.h"
#include "sim_kernel.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::Server;
using net::ServerOptions;
using net::SocketStream;

FIBER_TEST_EACH("a server calls its handler for each connection, all at the same time") {
  Server server(anyListener(), &echo);
  server.start();
  SocketStream one = net::connect(server.address());
  SocketStream other = net::connect(server.address());

  CHECK(ask(one, "to one") == "to one");
  CHECK(ask(other, "to the other") == "to the other");
  CHECK(ask(one, "again") == "again");
  CHECK(server.statistics().connections == 2);
  CHECK(server.statistics().accepted == 2);
}

FIBER_TEST("a server is made from an endpoint") {
  Server server("tcp:127.0.0.1:0", &echo);
  server.start();

  CHECK(ask(server.address(), "hello") == "hello");
}

FIBER_TEST_ON("uring", "the connections of a server are closed on exec [THREAD-13]") {
  int flags = 0;
  Server server(anyListener(), [&flags](SocketStream& stream) {
    flags = ::fcntl(stream.descriptor(), F_GETFD);
    echo(stream);
  });
  server.start();

  CHECK(ask(server.address(), "hello") == "hello");

  CHECK((flags & FD_CLOEXEC) != 0);
}

FIBER_TEST_ON("sim", "at its limit a server leaves further clients to the kernel [SERVER-4]") {
  Server server(anyListener(), &echo, {.connectionsMax = 2});
  server.start();
  const auto& kernel = dynamic_cast<detail::SimKernel&>(detail::Loop::current()->kernel());
  std::vector<SocketStream> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(net::connect(server.address()));
    CHECK(ask(clients.back(), "served") == "served");
  }
  settle();
  const std::size_t atLimit = kernel.openDescriptors();

  for (int i = 0; i < 5; ++i) clients.push_back(net::connect(server.address()));
  sleep(1s);

  CHECK(kernel.openDescriptors() == atLimit + 5);  // their own ends, and none of the server's
}

FIBER_TEST_EACH("clients that came before the start are served after it [SERVER-1]") {
  Server server(anyListener(), &echo);
  SocketStream early = net::connect(server.address());
  early.writeAll("early");
  settle();

  server.start();

  CHECK(readPiece(early) == "early");
}

FIBER_TEST_EACH("a connection is closed when its handler returns [SERVER-2]") {
  Server server(anyListener(), [](SocketStream& stream) { stream.writeAll("bye"); });
  server.start();
  SocketStream client = net::connect(server.address());

  CHECK(readToEnd(client) == "bye");
  CHECK(eventually([&server] { return server.statistics().connections == 0; }));
}

FIBER_TEST_EACH("a handler that throws costs its own connection only [SERVER-2] [SERVER-3]") {
  ExpectedErrors errors;
  Server server(anyListener(), [](SocketStream& stream) {
    const std::string text = readPiece(stream);
    if (text == "fail") throw std::runtime_error("no such user");
    stream.writeAll(text);
    echo(stream);
  });
  server.start();
  SocketStream other = net::connect(server.address());
  CHECK(ask(other, "works") == "works");

  SocketStream client = net::connect(server.address());
  client.writeAll("fail");

  CHECK(isEnded(client));
  CHECK(ask(other, "still works") == "still works");
  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "the handler of tcp " + server.address().toString()));
  CHECK(contains(reports[0], "std::runtime_error: no such user"));
  CHECK(server.statistics().failed == 1);
}

FIBER_TEST_EACH("a peer that goes away is no failure of the handler [SERVER-3]") {
  Server server(anyListener(), [](SocketStream& stream) {
    readPiece(stream);
    for (;;) {
      stream.writeAll("tick");
      sleep(1ms);
    }
  });
  server.start();
  SocketStream client = net::connect(server.address());
  client.setResetOnClose(true);
  client.writeAll("start");
  client.close();

  CHECK(eventually([&server] {
    return server.statistics().accepted == 1 && server.statistics().connections == 0;
  }));
  CHECK(server.statistics().failed == 0);
}

FIBER_TEST_EACH("a handler that cannot be spawned costs its own connection only [SERVER-3]") {
  ExpectedErrors errors;
  ServerOptions options;
  options.stackBytes = std::size_t{1} << 60;
  Server server(anyListener(), &echo, options);
  server.start();

  for (int i = 1; i <= 3; ++i) {
    SocketStream client = net::connect(server.address());
    CHECK(isEnded(client));
    CHECK(server.statistics().accepted == static_cast<std::uint64_t>(i));
  }
  CHECK(errors.take(3).size() == 3);
}

FIBER_TEST_EACH(
    "at its limit a server accepts nothing more, and goes on as a handler ends [SERVER-4]") {
  Event mayEnd;
  Server server(anyListener(),
                [&mayEnd](SocketStream& stream) {
                  stream.writeAll("served");
                  mayEnd.wait();
                },
                {.connectionsMax = 2});
  server.start();
  std::vector<SocketStream> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(net::connect(server.address()));
  std::vector<Greenlet<std::string>> answers;
  for (SocketStream& each : clients) {
    answers.push_back(spawn([&each] { return readPiece(each); }));
  }
  const auto served = [&answers] {
    return std::count_if(answers.begin(), answers.end(), [](auto& each) { return each.isReady(); });
  };

  CHECK(eventually([&served] { return served() == 2; }));
  for (int i = 0; i < 20; ++i) sleep(1ms);
  CHECK(served() == 2);
  CHECK(server.statistics().connections == 2);
  mayEnd.set();

  for (auto& each : answers) CHECK(each.get() == "served");
}

// The most that were served at once, while `count` clients come and go.
std::size_t mostServed(std::size_t limit, int count) {
  std::size_t now = 0;
  std::size_t most = 0;
  Server server(anyListener(),
                [&](SocketStream& stream) {
                  most = std::max(most, ++now);
                  yield();
                  stream.writeAll("x");
                  --now;
                },
                {.connectionsMax = limit});
  server.start();
  std::vector<SocketStream> clients;
  for (int i = 0; i < count; ++i) clients.push_back(net::connect(server.address()));
  for (SocketStream& each : clients) CHECK(readToEnd(each) == "x");
  CHECK(server.statistics().accepted == static_cast<std::uint64_t>(count));
  return most;
}

FIBER_TEST_EACH("what was accepted beyond the limit is served first, none is lost [SERVER-5]") {
  CHECK(mostServed(1, 40) == 1);
  CHECK(mostServed(3, 40) == 3);
}

FIBER_TEST_EACH("connections are served in the order in which they came [SERVER-5]") {
  std::string order;
  Server server(anyListener(),
                [&order](SocketStream& stream) {
                  order += readPiece(stream);
                  sleep(1ms);
                },
                {.connectionsMax = 1});
  std::vector<SocketStream> clients;
  for (const char c : std::string("abcdefghij")) {
    clients.push_back(net::connect(server.address()));
    clients.back().writeAll(std::string(1, c));
  }

  server.start();
  for (SocketStream& each : clients) CHECK(isEnded(each));

  CHECK(order == "abcdefghij");
}

FIBER_TEST_EACH("accepting stops and starts again, and handlers do not notice [SERVER-6]") {
  Server server(anyListener(), &echo);
  server.start();
  SocketStream old = net::connect(server.address());
  CHECK(ask(old, "before") == "before");
  settle();

  server.stopAccepting();
  settle();
  SocketStream waiting = net::connect(server.address());
  waiting.writeAll("let me in");
  for (int i = 0; i < 20; ++i) sleep(1ms);
  CHECK(server.statistics().accepted == 1);
  CHECK(ask(old, "meanwhile") == "meanwhile");
  server.startAccepting();

  CHECK(withTimeout(20s, [&waiting] { return readPiece(waiting); }) == "let me in");
  CHECK(ask(old, "after") == "after");
}

FIBER_TEST_EACH("a server that was stopped from accepting before its start waits [SERVER-6]") {
  Server server(anyListener(), &echo);
  server.stopAccepting();
  server.start();
  SocketStream client = net::connect(server.address());
  client.writeAll("hello");
  for (int i = 0; i < 20; ++i) sleep(1ms);
  CHECK(server.statistics().accepted == 0);

  server.startAccepting();

  CHECK(readPiece(client) == "hello");
}

// All descriptors that the process may still open, but for some.
class AllDescriptors final {
 public:
  explicit AllDescriptors(std::size_t butFor) {
    for (int number = ::dup(STDERR_FILENO); number >= 0; number = ::dup(STDERR_FILENO)) {
      numbers_.push_back(number);
    }
    release(butFor);
  }
  AllDescriptors(const AllDescriptors&) = delete;
  AllDescriptors& operator=(const AllDescriptors&) = delete;
  ~AllDescriptors() { release(numbers_.size()); }

  void release(std::size_t count) {
    for (; count > 0; --count) {
      ::close(numbers_.back());
      numbers_.pop_back();
    }
  }

 private:
  std::vector<int> numbers_;
};

FIBER_TEST("out of descriptors the server backs off, serves on and recovers [SERVER-9]") {
  const DescriptorLimit limit(10);
  Server server(anyListener(), &echo);
  server.start();
  SocketStream old = net::connect(server.address());
  CHECK(ask(old, "before") == "before");

  AllDescriptors others(1);
  SocketStream client = net::connect(server.address());
  CHECK(eventually([&server] { return server.statistics().acceptErrors > 0; }));
  const std::uint64_t turnsBefore = loopStatistics().turns;
  for (int i = 0; i < 20; ++i) CHECK(ask(old, "meanwhile") == "meanwhile");
  const std::uint64_t turns = loopStatistics().turns - turnsBefore;
  others.release(1);

  CHECK(ask(client, "at last") == "at last");
  CHECK(turns < 2000);
  CHECK(server.statistics().acceptErrors < 100);
}

SimOptions fewDescriptors() {
  SimOptions options;
  options.descriptorsMax = 6;  // the listener, one connection, two clients, and one more
  return options;
}

FIBER_TEST_SIM(fewDescriptors(),
               "accepting goes on within 200 ms after a descriptor is free [SERVER-9]") {
  Server server(anyListener(), &echo);
  server.start();
  for (const Duration dry : {50ms, 500ms, 3000ms, 10'000ms}) {
    CAPTURE(dry.count());
    auto [filler, other] = net::socketPair();
    SocketStream old = net::connect(server.address());
    CHECK(ask(old, "old") == "old");
    SocketStream client = net::connect(server.address());
    client.writeAll("new");
    const std::uint64_t accepted = server.statistics().accepted;
    const std::uint64_t errors = server.statistics().acceptErrors;
    sleep(dry);
    CHECK(server.statistics().accepted == accepted);
    CHECK(server.statistics().acceptErrors > errors);
    CHECK(server.statistics().acceptErrors - errors <= 10 + dry / 50ms);

    filler.close();
    const TimePoint free = now();
    const std::string answer = readPiece(client);

    CHECK(answer == "new");
    CHECK(now() - free <= 200ms);
    old.close();
    client.close();
    other.close();
    CHECK(eventually([&server] { return server.statistics().connections == 0; }));
  }
}

SimOptions failing() {
  SimOptions options;
  options.seed = seed();
  options.errorRate = 0.2;
  return options;
}

FIBER_TEST_SIM(failing(), "aborted connections do not end accepting [SERVER-10]") {
  std::size_t served = 0;
  Server server(anyListener(), [&served](SocketStream&) { ++served; });
  server.start();

  for (int i = 0; i < 200; ++i) {
    std::error_code refused;
    const SocketStream client = net::connect(server.address(), refused);
    settle();
  }

  CHECK(served > 100);
  CHECK(server.statistics().acceptErrors == 0);
}

FIBER_TEST("five hundred idle clients do not keep a new one from being served [SERVER-11]") {
  Server server(anyListener(), &echo);
  server.start();
  std::vector<SocketStream> idle;
  for (int i = 0; i < 500; ++i) idle.push_back(net::connect(server.address()));
  CHECK(eventually([&server] { return server.statistics().connections == 500; }));

  CHECK(ask(server.address(), "new here") == "new here");
  CHECK(ask(idle.back(), "not so idle") == "not so idle");
}

// A port that stays this test's: bound, and not listened on.
class ReservedPort final {
 public:
  ReservedPort() : number_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(number_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    REQUIRE(::bind(number_, static_cast<const sockaddr*>(address_.data()), address_.length()) == 0);
    ::getsockname(number_, static_cast<sockaddr*>(address_.data()), &address_.length());
  }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  ~ReservedPort() { ::close(number_); }
  const Address& address() const { return address_; }

 private:
  int number_;
  Address address_ = Address::loopback(0);
};

TEST_CASE("servers that share a port share its connections [SERVER-12]") {
  constexpr int kClients = 1000;
  const ReservedPort port;
  std::array<std::atomic<int>, 2> served{};
  std::atomic<int> listening{0};

  runThreads(2, [&](TeamMember& member) {
    Server server(net::listen(port.address(), {.reusePort = true}),
                  [&served, &member](SocketStream&) { ++served[member.index()]; });
    server.start();
    ++listening;
    if (member.index() != 0) return member.stopRequested().wait();
    while (listening < 2) sleep(1ms);
    for (int i = 0; i < kClients; ++i) {
      SocketStream client = net::connect(port.address());
      CHECK(isEnded(client));
    }
    member.stop();
  });

  CHECK(served[0] + served[1] == kClients);
  CHECK(served[0] <= kClients * 6 / 10);
  CHECK(served[1] <= kClients * 6 / 10);
}

}  // namespace
}  // namespace plait::test
