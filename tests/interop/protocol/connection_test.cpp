// What a Protocol is told, in which order, and what it may do meanwhile.

#include <stdexcept>

#include "plait/async_result.h"
#include "plait/defer_later.h"
#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

FIBER_TEST_EACH("a connection is made, gets its data and is lost, in this order [PROTOCOL-1]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  peer.writeAll("hello");
  CHECK(protocol->awaitBytes(5) == "hello");
  peer.close();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "data", "lost"});
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_EACH("every byte comes once and in order, however much it is [PROTOCOL-2]") {
  const std::string text = longText(3'000'000);
  const auto protocol = std::make_shared<Recorder>();
  bool hadEmpty = false;
  protocol->onData = [&hadEmpty](Recorder&, std::string_view data) { hadEmpty |= data.empty(); };
  net::SocketStream peer = connected(protocol);

  peer.writeAll(text);
  peer.close();
  protocol->over.wait();

  CHECK((protocol->received == text));
  CHECK_FALSE(hadEmpty);
}

FIBER_TEST_ON("sim", "data that comes while a call blocks waits for its end [PROTOCOL-1]") {
  const auto protocol = std::make_shared<Recorder>();
  Event goOn;
  int running = 0;
  int most = 0;
  protocol->onData = [&](Recorder&, std::string_view) {
    most = std::max(most, ++running);
    goOn.wait();
    --running;
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("one");
  protocol->awaitBytes(3);
  peer.writeAll("two");
  peer.close();
  settle();
  CHECK(protocol->calls == Calls{"made", "data"});
  goOn.set();
  protocol->over.wait();

  CHECK(protocol->received == "onetwo");
  CHECK(most == 1);
}

FIBER_TEST_ON("sim", "data waits until connectionMade() has returned [PROTOCOL-1]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder& self) {
    sleep(1s);
    self.calls.emplace_back("made returns");
  };

  net::SocketStream peer = connecting(protocol);
  peer.writeAll("early");
  protocol->awaitBytes(5);
  peer.close();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "made returns", "data", "lost"});
}

FIBER_TEST_ON("sim", "each call may wait for a Deferred while others go on [PROTOCOL-1]") {
  const auto blocked = std::make_shared<Recorder>();
  const auto other = std::make_shared<Recorder>();
  const Deferred<void> answer;
  const auto wait = [] { waitForDeferred(deferLater(1s)); };
  blocked->onMade = [&wait](Recorder&) { wait(); };
  blocked->onData = [&answer](Recorder& self, std::string_view) {
    waitForDeferred(answer);
    self.transport().write("answered");
  };
  blocked->onLost = [&wait](Recorder&, const Failure&) { wait(); };
  net::SocketStream peer = connected(blocked);
  net::SocketStream otherPeer = connected(other);

  peer.writeAll("question");
  blocked->awaitBytes(8);
  otherPeer.writeAll("undisturbed");
  CHECK(other->awaitBytes(11) == "undisturbed");
  answer.callback();

  CHECK(readCount(peer, 8) == "answered");
  peer.close();
  otherPeer.close();
  blocked->over.wait();
  other->over.wait();
  sleep(2s);
}

FIBER_TEST_EACH("both ends of a transport tell each other's address [PROTOCOL-5]") {
  const auto protocol = std::make_shared<Recorder>();

  net::SocketStream peer = connected(protocol);

  CHECK(protocol->transport().getPeer() == peer.localAddress());
  CHECK(protocol->transport().getHost() == peer.peerAddress());
  CHECK(protocol->transport().isConnected());
  peer.close();
  protocol->over.wait();
}

TEST_CASE("a protocol without a connection has no transport [PROTOCOL-5]") {
  const Recorder protocol;

  CHECK_THROWS_AS(protocol.transport(), std::logic_error);
}

FIBER_TEST_ON("sim", "a transport that is gone takes everything without effect [PROTOCOL-5]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  const net::Address peerAddress = peer.localAddress();
  peer.close();
  protocol->over.wait();
  settle();

  Transport& transport = protocol->transport();
  transport.write(longText(3'000'000));
  transport.writeSequence(std::vector<std::string>{"a", "b"});
  transport.pauseProducing();
  transport.resumeProducing();
  transport.loseWriteConnection();
  transport.unregisterProducer();
  transport.loseConnection();
  transport.abortConnection();
  transport.stopProducing();
  settle();

  CHECK_FALSE(transport.isConnected());
  CHECK(transport.getPeer() == peerAddress);
  CHECK(protocol->calls == Calls{"made", "lost"});
}

FIBER_TEST_ON("sim", "connectionLost() may use its transport, without effect [PROTOCOL-5]") {
  const auto protocol = std::make_shared<Recorder>();
  bool wasConnected = true;
  protocol->onLost = [&wasConnected](Recorder& self, const Failure&) {
    wasConnected = self.transport().isConnected();
    self.transport().write("too late");
    self.transport().loseConnection();
    self.transport().abortConnection();
  };
  net::SocketStream peer = connected(protocol);

  peer.close();
  protocol->over.wait();

  CHECK_FALSE(wasConnected);
}

FIBER_TEST_ON("sim",
              "what dataReceived() throws is reported and ends the connection [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder&, std::string_view) { throw std::runtime_error("no sense"); };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("what?");
  const bool isReset = endsByReset(peer);
  protocol->over.wait();

  CHECK(isReset);
  CHECK(protocol->lostBy<std::runtime_error>());
  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "no sense"));
  CHECK(contains(reports[0], "a protocol on tcp"));
}

FIBER_TEST_ON("sim", "what connectionMade() throws is reported and ends it [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder&) { throw 7; };

  net::SocketStream peer = connecting(protocol);
  peer.writeAll("never seen");
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
  CHECK(protocol->lostBy<int>());
  CHECK(errors.take().size() == 1);
}

FIBER_TEST_ON("sim", "what connectionLost() throws is reported [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  protocol->onLost = [](Recorder&, const Failure&) { throw std::runtime_error("at the end"); };
  net::SocketStream peer = connected(protocol);

  peer.close();
  protocol->over.wait();

  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "at the end"));
}

FIBER_TEST_EACH("a reset by the peer is ConnectionLost [PROTOCOL-3]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  peer.setResetOnClose(true);
  peer.close();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionLost>());
  CHECK(contains(protocol->reason->message(), "reading from tcp"));
}

FIBER_TEST_ON("sim", "the last owner of a protocol is whoever keeps it [PROTOCOL-5]") {
  auto protocol = std::make_shared<Recorder>();
  const std::weak_ptr<Recorder> watch = protocol;
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  protocol->awaitBytes(1);
  peer.close();
  protocol->over.wait();
  settle();
  protocol->transport().write("kept alive");
  CHECK(protocol.use_count() == 1);
  protocol.reset();

  CHECK(watch.expired());
}

}  // namespace
}  // namespace plait::test
