// ReconnectingClientFactory on a clock that the test moves.

#include <algorithm>

#include "factories.h"
#include "plait/reconnecting_client_factory.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

class Persistent final : public ReconnectingClientFactory {
 public:
  using ReconnectingClientFactory::ReconnectingClientFactory;

  std::shared_ptr<Recorder> protocol;
  int attempts = 0;
  int failures = 0;
  int losses = 0;

  void startedConnecting(const Connector&) override { ++attempts; }
  std::shared_ptr<Protocol> buildProtocol(const net::Address&) override {
    protocol = std::make_shared<Recorder>();
    return protocol;
  }
  void clientConnectionFailed(const Connector& connector, const Failure& why) override {
    ++failures;
    ReconnectingClientFactory::clientConnectionFailed(connector, why);
  }
  void clientConnectionLost(const Connector& connector, const Failure& why) override {
    ++losses;
    ReconnectingClientFactory::clientConnectionLost(connector, why);
  }
};

ReconnectOptions regular() {
  ReconnectOptions options;
  options.factor = 2;
  options.jitter = 0;
  options.maxDelay = 10s;
  return options;
}

FIBER_TEST_ON("sim", "the delays grow up to their limit [PROTOCOL-22]") {
  Clock clock;
  const auto factory = std::make_shared<Persistent>(regular(), clock);
  connectTCP("127.0.0.1", portOfNobody(), factory);
  settle();

  std::vector<Duration> delays;
  for (int i = 0; i < 5; ++i) {
    delays.push_back(factory->delay());
    clock.advance(factory->delay() - 1ns);
    settle();
    CHECK(factory->attempts == i + 1);
    clock.advance(1ns);
    settle();
    CHECK(factory->attempts == i + 2);
  }

  CHECK(delays == std::vector<Duration>{2s, 4s, 8s, 10s, 10s});
  CHECK(factory->retries() == 6);
  factory->stopTrying();
}

FIBER_TEST_ON("sim", "it connects again when the connection was lost [PROTOCOL-22]") {
  Clock clock;
  const auto serving = std::make_shared<Recorder>();
  serving->onMade = [](Recorder& self) { self.transport().loseConnection(); };
  const ListeningPort port = listenHere(always(serving));
  const auto factory = std::make_shared<Persistent>(regular(), clock);
  connectTCP("127.0.0.1", port.getHost().port(), factory);
  settle();
  CHECK(factory->losses == 1);

  clock.advance(2s);
  settle();

  CHECK(factory->losses == 2);
  CHECK(factory->failures == 0);
  factory->stopTrying();
  clock.advance(1h);
  settle();
  CHECK(factory->attempts == 2);
  stop(port);
}

FIBER_TEST_ON("sim", "after resetDelay() the first delay comes again [PROTOCOL-23]") {
  Clock clock;
  const ListeningPort port = listenHere(Factory::forProtocol<Recorder>());
  const auto number = port.getHost().port();
  const auto factory = std::make_shared<Persistent>(regular(), clock);
  settle();
  stop(port);
  connectTCP("127.0.0.1", number, factory);
  settle();
  for (int i = 0; i < 3; ++i) {
    clock.advance(10s);
    settle();
  }
  REQUIRE(factory->delay() == 10s);

  const auto serving = std::make_shared<Recorder>();
  const ListeningPort again = listenTCP(number, always(serving), kBacklog, "127.0.0.1");
  clock.advance(10s);
  serving->made.wait();
  factory->protocol->made.wait();
  factory->resetDelay();
  CHECK(factory->retries() == 0);
  serving->transport().loseConnection();
  settle();

  CHECK(factory->delay() == 2s);
  CHECK(factory->retries() == 1);
  factory->stopTrying();
  stop(again);
}

FIBER_TEST_ON("sim", "it gives up after the given number of attempts [PROTOCOL-23]") {
  Clock clock;
  ReconnectOptions options = regular();
  options.maxRetries = 2;
  const auto factory = std::make_shared<Persistent>(options, clock);

  connectTCP("127.0.0.1", portOfNobody(), factory);
  settle();
  for (int i = 0; i < 10; ++i) {
    clock.advance(1min);
    settle();
  }

  CHECK(factory->attempts == 3);
  CHECK(factory->failures == 3);
  CHECK(clock.pending() == 0);
}

FIBER_TEST_ON("sim", "stopTrying() ends a wait for the next attempt [PROTOCOL-23]") {
  Clock clock;
  const auto factory = std::make_shared<Persistent>(regular(), clock);
  connectTCP("127.0.0.1", portOfNobody(), factory);
  settle();
  CHECK(clock.pending() == 1);

  factory->stopTrying();
  clock.advance(1h);
  settle();

  CHECK(factory->attempts == 1);
  CHECK(clock.pending() == 0);
  CHECK_FALSE(factory->isTrying());
}

FIBER_TEST_ON("sim", "stopTrying() stops a repeated attempt that runs [PROTOCOL-23]") {
  Clock clock;
  const auto factory = std::make_shared<Persistent>(regular(), clock);
  connectTCP("192.0.2.1", 80, factory, 5s);
  sleep(6s);
  REQUIRE(factory->failures == 1);
  clock.advance(2s);
  sleep(1s);
  REQUIRE(factory->attempts == 2);

  factory->stopTrying();
  settle();

  CHECK(factory->failures == 2);
  CHECK(clock.pending() == 0);
}

FIBER_TEST_ON("sim", "equal seeds give equal jitter, within the limit [PROTOCOL-22]") {
  const auto delaysOf = [](std::uint64_t seed) {
    Clock clock;
    ReconnectOptions options;
    options.seed = seed;
    options.maxDelay = 20s;
    const auto factory = std::make_shared<Persistent>(options, clock);
    connectTCP("127.0.0.1", portOfNobody(), factory);
    settle();
    std::vector<Duration> delays;
    for (int i = 0; i < 8; ++i) {
      delays.push_back(factory->delay());
      clock.advance(factory->delay());
      settle();
    }
    factory->stopTrying();
    return delays;
  };

  const auto one = delaysOf(1);

  CHECK(one == delaysOf(1));
  CHECK(one != delaysOf(2));
  CHECK(std::all_of(one.begin(), one.end(), [](Duration d) { return d >= 0s && d <= 20s; }));
}

}  // namespace
}  // namespace plait::test
