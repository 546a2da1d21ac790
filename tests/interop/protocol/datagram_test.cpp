// Datagram protocols.

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

class Datagrams final : public DatagramProtocol {
 public:
  std::function<void(Datagrams&, std::string_view, const net::Address&)> onDatagram =
      [](Datagrams&, std::string_view, const net::Address&) {};
  Calls calls;
  Calls received;
  net::Address lastFrom;

  void startProtocol() override { note("start"); }
  void datagramReceived(std::string_view datagram, const net::Address& from) override {
    received.emplace_back(datagram);
    lastFrom = from;
    note("datagram");
    onDatagram(*this, datagram, from);
  }
  void connectionRefused() override { note("refused"); }
  void stopProtocol() override { note("stop"); }

  void awaitCalls(std::size_t count) {
    while (calls.size() < count) {
      called_.clear();
      called_.wait();
    }
  }

 private:
  void note(const char* what) {
    calls.emplace_back(what);
    called_.set();
  }
  Event called_;
};

DatagramTransport listenHere(const std::shared_ptr<Datagrams>& protocol,
                             std::size_t maxPacketSize = 8192) {
  const DatagramTransport port = listenUDP(0, protocol, "127.0.0.1", maxPacketSize);
  protocol->awaitCalls(1);
  return port;
}

FIBER_TEST_EACH("datagrams come whole, with their sender, and are answered [PROTOCOL-25]") {
  const auto echo = std::make_shared<Datagrams>();
  echo->onDatagram = [](Datagrams& self, std::string_view datagram, const net::Address& from) {
    self.transport().write(datagram, from);
  };
  const auto asking = std::make_shared<Datagrams>();
  const DatagramTransport server = listenHere(echo);
  const DatagramTransport client = listenHere(asking);

  client.write("one", server.getHost());
  client.write("", server.getHost());
  client.write("three", server.getHost());
  asking->awaitCalls(4);

  CHECK(echo->received == Calls{"one", "", "three"});
  CHECK(asking->received == Calls{"one", "", "three"});
  CHECK(asking->lastFrom == server.getHost());
  CHECK(echo->lastFrom == client.getHost());
  waitForDeferred(server.stopListening());
  waitForDeferred(client.stopListening());
  CHECK(echo->calls == Calls{"start", "datagram", "datagram", "datagram", "stop"});
}

FIBER_TEST_EACH("what is longer than the limit is cut [PROTOCOL-25]") {
  const auto protocol = std::make_shared<Datagrams>();
  const DatagramTransport port = listenHere(protocol, 4);

  port.write("12345678", port.getHost());
  port.write("next", port.getHost());
  protocol->awaitCalls(3);

  CHECK(protocol->received == Calls{"1234", "next"});
  waitForDeferred(port.stopListening());
}

FIBER_TEST_EACH("a connected port hears its peer only, and its refusal [PROTOCOL-26]") {
  const auto one = std::make_shared<Datagrams>();
  const auto two = std::make_shared<Datagrams>();
  const DatagramTransport client = listenHere(one);
  const DatagramTransport server = listenHere(two);

  client.connect(server.getHost());
  client.write("hello");
  two->awaitCalls(2);
  CHECK(two->received == Calls{"hello"});
  waitForDeferred(server.stopListening());
  client.write("anybody?");
  one->awaitCalls(2);

  CHECK(one->calls == Calls{"start", "refused"});
  waitForDeferred(client.stopListening());
}

FIBER_TEST_ON("sim", "stopListening() fires after stopProtocol(), also again [PROTOCOL-27]") {
  const auto protocol = std::make_shared<Datagrams>();
  const DatagramTransport port = listenHere(protocol);
  std::size_t callsThen = 0;

  auto first = port.stopListening().addCallback([&] { callsThen = protocol->calls.size(); });
  waitForDeferred(port.stopListening());
  waitForDeferred(first);
  waitForDeferred(port.stopListening());

  CHECK(protocol->calls == Calls{"start", "stop"});
  CHECK(callsThen == 2);
  CHECK_THROWS_AS(port.write("late", net::Address::loopback(9)), IoError);
}

FIBER_TEST_ON("sim", "a call that throws is reported, and the next datagram comes [PROTOCOL-27]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Datagrams>();
  protocol->onDatagram = [](Datagrams&, std::string_view datagram, const net::Address&) {
    if (datagram == "bad") throw std::runtime_error("not this one");
  };
  const DatagramTransport port = listenHere(protocol);

  port.write("bad", port.getHost());
  port.write("good", port.getHost());
  protocol->awaitCalls(3);

  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "not this one"));
  CHECK(protocol->received == Calls{"bad", "good"});
  waitForDeferred(port.stopListening());
}

FIBER_TEST_ON("sim", "datagramReceived() may block and may stop its port [PROTOCOL-27]") {
  const auto protocol = std::make_shared<Datagrams>();
  protocol->onDatagram = [](Datagrams& self, std::string_view, const net::Address&) {
    sleep(1s);
    self.transport().stopListening();
  };
  const DatagramTransport port = listenHere(protocol);

  port.write("last", port.getHost());
  protocol->awaitCalls(3);

  CHECK(protocol->calls == Calls{"start", "datagram", "stop"});
}

TEST_CASE("a datagram protocol without a port has no transport [PROTOCOL-25]") {
  const Datagrams protocol;

  CHECK_THROWS_AS(protocol.transport(), std::logic_error);
}

FIBER_TEST_ON("sim", "a protocol whose handles have gone is destroyed [PROTOCOL-27]") {
  auto protocol = std::make_shared<Datagrams>();
  const std::weak_ptr<Datagrams> watch = protocol;
  {
    const DatagramTransport port = listenHere(protocol);
    waitForDeferred(port.stopListening());
  }
  settle();

  protocol.reset();

  CHECK(watch.expired());
}

}  // namespace
}  // namespace plait::test
