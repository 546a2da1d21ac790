// One direction ends and the other goes on.

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

class HalfRecorder final : public Recorder, public HalfCloseableProtocol {
 public:
  std::function<void(Recorder&)> onReadLost = [](Recorder&) {};
  Event readLost;
  Event writeLost;

  void readConnectionLost() override {
    calls.emplace_back("read lost");
    readLost.set();
    onReadLost(*this);
  }
  void writeConnectionLost() override {
    calls.emplace_back("write lost");
    writeLost.set();
  }
};

FIBER_TEST_EACH("after the end of its input a protocol may still write [PROTOCOL-11]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);

  peer.writeAll("question");
  peer.shutdownWrite();
  protocol->readLost.wait();
  CHECK(protocol->calls == Calls{"made", "data", "read lost"});
  protocol->transport().write("answer");
  CHECK(readCount(peer, 6) == "answer");
  protocol->transport().loseConnection();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "data", "read lost", "lost"});
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_EACH("after the end of its output a protocol still reads [PROTOCOL-10]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write(longText(500'000));
  protocol->transport().loseWriteConnection();
  CHECK((readToEnd(peer) == longText(500'000)));
  protocol->writeLost.wait();
  peer.writeAll("reply");
  CHECK(protocol->awaitBytes(5) == "reply");
  peer.close();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "write lost", "data", "read lost", "lost"});
}

FIBER_TEST_ON("sim", "nothing that is written after the end of output is sent [PROTOCOL-10]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write("all");
  protocol->transport().loseWriteConnection();
  protocol->transport().write("more");
  protocol->transport().loseWriteConnection();

  CHECK(readToEnd(peer) == "all");
  peer.close();
  protocol->over.wait();
  CHECK(std::count(protocol->calls.begin(), protocol->calls.end(), "write lost") == 1);
}

FIBER_TEST_ON("sim", "the end of both directions is the end [PROTOCOL-11]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  protocol->onReadLost = [](Recorder& self) {
    self.transport().write("last");
    self.transport().loseWriteConnection();
  };
  net::SocketStream peer = connected(protocol);

  peer.shutdownWrite();

  CHECK(readToEnd(peer) == "last");
  protocol->over.wait();
  CHECK(protocol->calls.back() == "lost");
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "for other protocols the end of input is the end [PROTOCOL-11]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  peer.shutdownWrite();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionDone>());
  CHECK(readToEnd(peer).empty());
}

FIBER_TEST_ON("sim", "a protocol that is no half of one may end its output [PROTOCOL-10]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseWriteConnection();
  CHECK(readToEnd(peer).empty());
  peer.writeAll("still heard");
  CHECK(protocol->awaitBytes(11) == "still heard");

  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "readConnectionLost() may close and may block [PROTOCOL-1] [PROTOCOL-11]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  protocol->onReadLost = [](Recorder& self) {
    self.transport().loseConnection();
    sleep(1s);
    self.calls.emplace_back("read lost returns");
  };
  net::SocketStream peer = connected(protocol);

  peer.shutdownWrite();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "read lost", "read lost returns", "lost"});
}

FIBER_TEST_ON("sim", "a close after the end of output closes [PROTOCOL-8] [PROTOCOL-10]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseWriteConnection();
  protocol->writeLost.wait();
  settle();
  protocol->transport().loseConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim",
              "a reset after the end of input is seen by a write [PROTOCOL-3] [PROTOCOL-11]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);
  peer.shutdownWrite();
  protocol->readLost.wait();

  peer.setResetOnClose(true);
  peer.close();
  protocol->transport().write("anybody?");
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionLost>());
}

FIBER_TEST_ON("sim",
              "an abort after the end of input ends the connection [PROTOCOL-9] [PROTOCOL-11]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  net::SocketStream peer = connected(protocol);
  peer.shutdownWrite();
  protocol->readLost.wait();
  settle();

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
}

}  // namespace
}  // namespace plait::test
