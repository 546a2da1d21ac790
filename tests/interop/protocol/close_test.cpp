// loseConnection() and abortConnection(), from everywhere, and what the peer and the protocol see.

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

FIBER_TEST_EACH("what was queued is sent before the connection is closed [PROTOCOL-8]") {
  const std::string text = longText(900'000);
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write(text);
  protocol->transport().loseConnection();
  const std::string got = readToEnd(peer);
  protocol->over.wait();

  CHECK((got == text));
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "a close waits for a peer that does not read [PROTOCOL-8]") {
  const std::string text = longText(900'000);
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write(text);
  protocol->transport().loseConnection();
  sleep(1h);

  CHECK(protocol->calls == Calls{"made"});
  CHECK(protocol->transport().isConnected());
  CHECK((readToEnd(peer) == text));
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "loseConnection() returns before anything of it happens [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseConnection();

  CHECK(protocol->calls == Calls{"made"});
  protocol->over.wait();
  CHECK(readToEnd(peer).empty());
}

FIBER_TEST_ON("sim", "nothing that is written after loseConnection() is sent [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write("first");
  protocol->transport().loseConnection();
  protocol->transport().write("second");
  protocol->transport().writeSequence(std::vector<std::string>{"third"});
  protocol->transport().loseConnection();

  CHECK(readToEnd(peer) == "first");
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "connectionMade() may close at once [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder& self) {
    self.transport().write("go away");
    self.transport().loseConnection();
  };

  net::SocketStream peer = connecting(protocol);

  CHECK(readToEnd(peer) == "go away");
  protocol->over.wait();
  CHECK(protocol->calls == Calls{"made", "lost"});
}

FIBER_TEST_ON("sim", "dataReceived() may close, and gets no more [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().write(longText(200'000));
    self.transport().loseConnection();
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("bye");
  protocol->awaitBytes(3);
  peer.writeAll("anybody there?");
  const std::string got = readToEnd(peer);
  protocol->over.wait();

  CHECK((got == longText(200'000)));
  CHECK(protocol->received == "bye");
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "both sides close at once [PROTOCOL-3] [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseConnection();
  peer.close();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_EACH("an abort drops what waits, and the peer sees a reset [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write(longText(900'000));
  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
  CHECK(endsByReset(peer));
}

FIBER_TEST_EACH("another fiber aborts a connection that waits for data [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  settle();

  spawn([&protocol] { protocol->transport().abortConnection(); });
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
  CHECK(protocol->lostBy<ConnectionAborted>());
  CHECK_FALSE(protocol->transport().isConnected());
}

FIBER_TEST_ON("sim", "an abort inside dataReceived() takes effect when it returns [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().abortConnection();
    self.transport().abortConnection();
    self.transport().write("never");
    sleep(1s);
    self.calls.emplace_back("data returns");
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("one");
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "data", "data returns", "lost"});
  CHECK(protocol->lostBy<ConnectionAborted>());
}

FIBER_TEST_ON("sim", "connectionMade() may abort [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder& self) { self.transport().abortConnection(); };

  net::SocketStream peer = connecting(protocol);
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
  CHECK(endsByReset(peer));
}

FIBER_TEST_ON("sim", "an abort ends a close that waits for its peer [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  protocol->transport().write(longText(900'000));
  protocol->transport().loseConnection();
  sleep(1s);

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
}

FIBER_TEST_ON("sim", "an abort wakes another fiber that waits in write() [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  auto writer = spawn([&protocol] {
    protocol->transport().write(longText(1'200'000));
    protocol->transport().write(longText(1'200'000));
  });
  settle();
  REQUIRE_FALSE(writer.isReady());

  protocol->transport().abortConnection();
  writer.join();
  protocol->over.wait();

  CHECK(writer.isSuccessful());
}

FIBER_TEST_ON("sim", "a paused connection closes when told to [PROTOCOL-8] [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().pauseProducing();
  settle();
  protocol->transport().loseConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "a paused connection is aborted [PROTOCOL-9] [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().pauseProducing();
  settle();
  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
}

}  // namespace
}  // namespace plait::test
