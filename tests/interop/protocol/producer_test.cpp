// Push and pull producers.

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

// A producer that writes down what it is told.
class Source final : public Producer {
 public:
  explicit Source(Transport& transport) : transport_(transport) {}

  std::function<void(Transport&)> onResume = [](Transport&) {};
  Calls calls;

  void resumeProducing() override {
    calls.emplace_back("resume");
    onResume(transport_);
  }
  void pauseProducing() override { calls.emplace_back("pause"); }
  void stopProducing() override { calls.emplace_back("stop"); }

 private:
  Transport& transport_;
};

FIBER_TEST_ON("sim", "a push producer is paused and resumed as the peer reads [PROTOCOL-13]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());

  protocol->transport().registerProducer(source, true);
  settle();
  CHECK(source.calls.empty());
  protocol->transport().write(longText(kWriteHighWater));
  CHECK(source.calls.empty());
  protocol->transport().write("more");
  protocol->transport().write("and more");
  CHECK(source.calls == Calls{"pause"});
  readCount(peer, kWriteHighWater + 12);
  settle();

  CHECK(source.calls == Calls{"pause", "resume"});
  protocol->transport().unregisterProducer();
  peer.close();
  protocol->over.wait();
  CHECK(source.calls == Calls{"pause", "resume"});
}

FIBER_TEST_ON("sim", "a push producer may write too much when it is resumed [PROTOCOL-13]") {
  const std::size_t total = kWriteBufferMax * 4;
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  int rounds = 0;
  source.onResume = [&](Transport& transport) {
    if (++rounds > 2) return;
    transport.write(longText(kWriteBufferMax));
    transport.write(longText(kWriteBufferMax / 2));
  };

  protocol->transport().registerProducer(source, true);
  protocol->transport().write(longText(kWriteBufferMax));
  const std::string got = readCount(peer, total);

  CHECK(got.size() == total);
  settle();
  CHECK(source.calls == Calls{"pause", "resume", "pause", "resume", "pause", "resume"});
  protocol->transport().unregisterProducer();
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_EACH("a pull producer makes a piece each time all was sent [PROTOCOL-14]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  source.onResume = [&source](Transport& transport) {
    transport.write(std::to_string(source.calls.size()));
    if (source.calls.size() == 5) transport.unregisterProducer();
  };

  protocol->transport().registerProducer(source, false);
  CHECK(readCount(peer, 5) == "12345");
  settle();

  CHECK(source.calls.size() == 5);
  protocol->transport().loseConnection();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a pull producer waits for a peer that does not read [PROTOCOL-14]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  source.onResume = [&source](Transport& transport) {
    if (source.calls.size() < 40) return transport.write(longText(50'000));
    transport.unregisterProducer();
    transport.loseConnection();
  };

  protocol->transport().registerProducer(source, false);
  sleep(1h);
  CHECK(source.calls.size() < 6);

  CHECK(readToEnd(peer).size() == 39 * 50'000);
  protocol->over.wait();
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "a pull producer may block, and more than fits is no deadlock [PROTOCOL-14]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  source.onResume = [](Transport& transport) {
    sleep(1s);
    transport.write(longText(kWriteBufferMax + 10));
    transport.write("end");
    transport.unregisterProducer();
    transport.loseConnection();
  };

  protocol->transport().registerProducer(source, false);

  CHECK(readToEnd(peer).size() == kWriteBufferMax + 13);
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "there is one producer at a time [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Transport& transport = protocol->transport();
  Source one(transport);
  Source two(transport);

  transport.registerProducer(one, true);
  CHECK_THROWS_AS(transport.registerProducer(two, true), std::logic_error);
  CHECK_THROWS_AS(transport.registerProducer(one, false), std::logic_error);
  transport.unregisterProducer();
  transport.registerProducer(two, true);
  peer.close();
  protocol->over.wait();

  CHECK(one.calls.empty());
  CHECK(two.calls == Calls{"stop"});
}

FIBER_TEST_ON("sim", "a producer is stopped when the connection is aborted [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  protocol->transport().registerProducer(source, true);

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(source.calls == Calls{"stop"});
}

FIBER_TEST_ON("sim", "one registered after the end is stopped at once [PROTOCOL-5] [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  peer.close();
  protocol->over.wait();

  protocol->transport().registerProducer(source, false);

  CHECK(source.calls == Calls{"stop"});
}

FIBER_TEST_ON("sim", "a close waits until a push producer has unregistered [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());

  protocol->transport().registerProducer(source, true);
  protocol->transport().write("queued");
  protocol->transport().loseConnection();
  sleep(1h);
  CHECK(protocol->calls == Calls{"made"});
  protocol->transport().unregisterProducer();

  CHECK(readToEnd(peer) == "queued");
  protocol->over.wait();
  CHECK(source.calls.empty());
}

FIBER_TEST_ON("sim", "a pull producer is not resumed after an abort [PROTOCOL-9] [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Source source(protocol->transport());
  source.onResume = [](Transport& transport) { transport.write(longText(100'000)); };
  protocol->transport().registerProducer(source, false);
  sleep(1s);
  Calls expected = source.calls;
  expected.emplace_back("stop");

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(source.calls == expected);
}

}  // namespace
}  // namespace plait::test
