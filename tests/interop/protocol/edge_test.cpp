// Corners that connections, ports and AMP once got wrong.

#include <algorithm>
#include <atomic>
#include <semaphore>
#include <sstream>

#include "plait/amp.h"
#include "plait/file_sender.h"
#include "plait/receivers.h"
#include "plait/reconnecting_client_factory.h"
#include "plait/timeout.h"
#include "plait/udp.h"
#include "protocol_support.h"
#include "string_transport.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

class HalfRecorder final : public Recorder, public HalfCloseableProtocol {
 public:
  std::function<void(Recorder&)> onReadLost = [](Recorder&) {};
  std::function<void(Recorder&)> onWriteLost = [](Recorder&) {};
  Event readLost;
  void readConnectionLost() override {
    calls.emplace_back("read lost");
    readLost.set();
    onReadLost(*this);
  }
  void writeConnectionLost() override {
    calls.emplace_back("write lost");
    onWriteLost(*this);
  }
};

FIBER_TEST_ON("sim", "an abort wakes the connection's own fiber in write() [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().write(longText(1'200'000));
    self.transport().write(longText(1'200'000));
    self.transport().write(longText(1'200'000));
  };
  net::SocketStream peer = connected(protocol);
  peer.writeAll("x");
  settle();
  REQUIRE(protocol->received == "x");

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionAborted>());
}

FIBER_TEST_ON("sim",
              "a reset while dataReceived() is in write() ends the connection [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    for (int i = 0; i < 5; ++i) self.transport().write(longText(1'200'000));
  };
  net::SocketStream peer = connected(protocol);
  peer.writeAll("x");
  settle();

  peer.setResetOnClose(true);
  peer.close();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionLost>());
}

FIBER_TEST_ON("sim", "a failed write ends a paused connection [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  protocol->transport().pauseProducing();
  peer.writeAll("x");
  settle();

  peer.setResetOnClose(true);
  peer.close();
  for (int i = 0; i < 4; ++i) {
    protocol->transport().write("anybody?");
    settle();
  }
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionLost>());
}

FIBER_TEST_ON("sim", "nothing is received after an abort of a paused connection [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  settle();
  protocol->transport().pauseProducing();
  peer.writeAll("held back");
  settle();

  protocol->transport().abortConnection();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
}

FIBER_TEST_ON("sim",
              "nothing is received after loseConnection() of a paused connection [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  settle();
  protocol->transport().pauseProducing();
  peer.writeAll("held back");
  settle();

  protocol->transport().loseConnection();
  protocol->over.wait();

  CHECK(protocol->calls == Calls{"made", "lost"});
}

FIBER_TEST_ON("sim", "a pause after an abort does not keep the connection [PROTOCOL-9]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().abortConnection();
    self.transport().pauseProducing();
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "a pause after a close does not keep the connection [PROTOCOL-8]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().loseConnection();
    sleep(1s);
    self.transport().pauseProducing();
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  protocol->over.wait();
}

FIBER_TEST_ON("sim",
              "the end of the peer's output does not cut a close that still sends [PROTOCOL-8]") {
  const std::string text = longText(900'000);
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [&text](Recorder& self, std::string_view) {
    self.transport().write(text);
    self.transport().loseConnection();
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("request");
  peer.shutdownWrite();
  const std::string got = readToEnd(peer);
  protocol->over.wait();

  CHECK(got.size() == text.size());
  CHECK((got == text));
}

FIBER_TEST_ON("sim", "writeConnectionLost() may close the connection [PROTOCOL-10]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  protocol->onWriteLost = [](Recorder& self) { self.transport().loseConnection(); };
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseWriteConnection();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionDone>());
}

FIBER_TEST_ON("sim", "writeConnectionLost() does not come while dataReceived() runs [PROTOCOL-1]") {
  const auto protocol = std::make_shared<HalfRecorder>();
  protocol->onData = [](Recorder& self, std::string_view) {
    self.transport().loseWriteConnection();
    sleep(1s);
    self.calls.emplace_back("data returns");
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  peer.shutdownWrite();
  protocol->over.wait();

  CHECK(protocol->calls[2] == "data returns");
}

FIBER_TEST_ON("sim", "what writeConnectionLost() throws ends the connection [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<HalfRecorder>();
  protocol->onWriteLost = [](Recorder&) { throw std::runtime_error("no"); };
  net::SocketStream peer = connected(protocol);

  protocol->transport().loseWriteConnection();
  protocol->over.wait();

  CHECK(errors.take().size() == 1);
  CHECK(protocol->lostBy<std::runtime_error>());
}

FIBER_TEST_ON("sim", "another connection's end that a protocol throws is reported [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder&, std::string_view) {
    throw ConnectionDone(std::make_error_code(std::errc::not_connected), "the other one");
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  const bool isReset = endsByReset(peer);
  protocol->over.wait();

  CHECK(isReset);
  CHECK(errors.take().size() == 1);
}

class Pieces final : public Producer {
 public:
  Transport* transport = nullptr;
  int left = 3;
  int resumed = 0;
  int stopped = 0;
  std::size_t bytes = 100'000;
  void resumeProducing() override {
    ++resumed;
    if (left-- > 0) return transport->write(longText(bytes));
    transport->unregisterProducer();
  }
  void pauseProducing() override {}
  void stopProducing() override { ++stopped; }
};

FIBER_TEST_ON("sim",
              "a pull producer goes on after loseConnection() until it unregisters [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Pieces pieces;
  pieces.transport = &protocol->transport();

  protocol->transport().registerProducer(pieces, false);
  protocol->transport().loseConnection();
  const std::string got = readToEnd(peer);
  protocol->over.wait();

  CHECK(got.size() == 300'000);
  CHECK(pieces.stopped == 0);
}

FIBER_TEST_ON("sim",
              "a pull producer may be followed by another inside resumeProducing() [PROTOCOL-14]") {
  struct First final : Producer {
    Transport* transport = nullptr;
    Producer* next = nullptr;
    void resumeProducing() override {
      transport->unregisterProducer();
      transport->registerProducer(*next, false);
    }
    void pauseProducing() override {}
    void stopProducing() override {}
  };
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Pieces second;
  second.transport = &protocol->transport();
  First first;
  first.transport = &protocol->transport();
  first.next = &second;

  protocol->transport().registerProducer(first, false);
  const std::string got = readCount(peer, 300'000);

  CHECK(got.size() == 300'000);
  peer.close();
  protocol->over.wait();
}

FIBER_TEST("a file may be followed by the next in the Deferred's callback [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream one("one");
  std::istringstream two("two");
  FileSender first;
  FileSender second;

  auto done = first.beginFileTransfer(one, protocol->transport()).addCallback([&](char) {
    return second.beginFileTransfer(two, protocol->transport());
  });
  const std::string got = withTimeout(5s, [&] { return readCount(peer, 6); }, std::string("?"));

  CHECK(got == "onetwo");
  peer.close();
  protocol->over.wait();
  done.addErrback([](const Failure&) { return 'x'; });
}

FIBER_TEST_ON("sim", "what resumeProducing() throws ends the connection [PROTOCOL-4]") {
  struct Broken final : Producer {
    bool stopped = false;
    void resumeProducing() override { throw std::runtime_error("no more"); }
    void pauseProducing() override {}
    void stopProducing() override { stopped = true; }
  };
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Broken broken;

  protocol->transport().registerProducer(broken, false);
  protocol->over.wait();

  CHECK(errors.take().size() == 1);
  CHECK(broken.stopped);
}

FIBER_TEST("a transform that throws fails the transfer [PROTOCOL-33]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file("text");
  FileSender sender;

  auto done = sender.beginFileTransfer(file, protocol->transport(), [](std::string) -> std::string {
    throw std::runtime_error("cannot");
  });

  CHECK_THROWS_AS(waitForDeferred(done, 2s, OnWaitEnd::detach), std::runtime_error);
  peer.close();
  protocol->over.wait();
  errors.take();
}

FIBER_TEST("a transform may leave nothing of a piece [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::istringstream file(longText(40'000));
  FileSender sender;
  int pieces = 0;

  auto done = sender.beginFileTransfer(file, protocol->transport(), [&pieces](std::string piece) {
    return ++pieces == 1 ? std::string() : piece;
  });

  CHECK_NOTHROW(waitForDeferred(done, 2s, OnWaitEnd::detach));
  peer.close();
  protocol->over.wait();
}

class Gate final : public std::streambuf {
 public:
  std::binary_semaphore inside{0};
  std::binary_semaphore goOn{0};
  std::atomic<bool> reading{false};
  std::streamsize xsgetn(char*, std::streamsize) override {
    reading = true;
    inside.release();
    goOn.acquire();
    reading = false;
    return 0;
  }
};

FIBER_TEST("a transfer that ends early ends when the file is no longer used [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Gate gate;
  std::istream file(&gate);
  FileSender sender;
  bool wasInUse = false;
  auto done = sender.beginFileTransfer(file, protocol->transport()).addErrback([&](const Failure&) {
    wasInUse = gate.reading;
    return 'x';
  });
  while (!gate.inside.try_acquire()) yield();

  protocol->transport().abortConnection();
  settle();
  gate.goOn.release();
  protocol->over.wait();

  CHECK_FALSE(wasInUse);
}

FIBER_TEST_ON("sim", "a port may be stopped at once [PROTOCOL-17]") {
  const ListeningPort port = listenHere(Factory::forProtocol<Recorder>());

  auto stopped = port.stopListening();

  waitForDeferred(stopped);
}

class Echo final : public DatagramProtocol {
 public:
  std::function<void(std::string_view)> onDatagram = [](std::string_view) {};
  Event stopped;
  int refused = 0;
  std::function<void()> onRefused = [] {};
  void datagramReceived(std::string_view datagram, const net::Address&) override {
    onDatagram(datagram);
  }
  void connectionRefused() override {
    ++refused;
    onRefused();
  }
  void stopProtocol() override { stopped.set(); }
};

FIBER_TEST_ON("sim", "a udp port may be stopped at once [PROTOCOL-27]") {
  const DatagramTransport port = listenUDP(0, std::make_shared<Echo>(), "127.0.0.1");

  auto stopped = port.stopListening();

  waitForDeferred(stopped);
}

FIBER_TEST_ON("sim",
              "a refusal elsewhere that datagramReceived() throws is reported [PROTOCOL-26]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Echo>();
  protocol->onDatagram = [](std::string_view) { throw IoError(ECONNREFUSED, "asking a database"); };
  const DatagramTransport port = listenUDP(0, protocol, "127.0.0.1");
  settle();

  port.write("x", port.getHost());
  settle();

  CHECK(protocol->refused == 0);
  CHECK(errors.take().size() == 1);
  waitForDeferred(port.stopListening());
}

FIBER_TEST_ON("sim", "stopFactory() that throws is reported [PROTOCOL-16]") {
  struct Bad final : Factory {
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void stopFactory() override { throw std::runtime_error("no"); }
  };
  ExpectedErrors errors;
  const ListeningPort port = listenHere(std::make_shared<Bad>());
  settle();

  waitForDeferred(port.stopListening());

  CHECK(errors.take().size() == 1);
}

class Client : public ClientFactory {
 public:
  std::vector<std::string> calls;
  std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
  std::optional<Connector> connector;
  bool stopsInBuild = false;
  std::optional<Failure> reason;
  Event over;
  void startFactory() override { calls.emplace_back("start"); }
  void stopFactory() override { calls.emplace_back("stop"); }
  void startedConnecting(const Connector& c) override {
    calls.emplace_back("connecting");
    connector.emplace(c);
  }
  std::shared_ptr<Protocol> buildProtocol(const net::Address&) override {
    calls.emplace_back("build");
    if (stopsInBuild) connector->stopConnecting();
    return protocol;
  }
  void clientConnectionFailed(const Connector&, const Failure& why) override {
    calls.emplace_back("failed");
    reason = why;
    connector.reset();
    over.set();
  }
  void clientConnectionLost(const Connector&, const Failure& why) override {
    calls.emplace_back("lost");
    reason = why;
    connector.reset();
    over.set();
  }
};

FIBER_TEST_ON("sim", "stopConnecting() inside buildProtocol() fails the attempt [PROTOCOL-20]") {
  const ListeningPort port = listenHere(Factory::forProtocol<Recorder>());
  const auto factory = std::make_shared<Client>();
  factory->stopsInBuild = true;

  connectTCP("127.0.0.1", port.getHost().port(), factory);
  factory->over.wait();
  settle();

  CHECK(factory->calls == Calls{"start", "connecting", "build", "failed", "stop"});
  CHECK(factory->reason->check<CancelledError>() != nullptr);
  stop(port);
}

FIBER_TEST_ON("sim", "stopTrying() stops the first attempt [PROTOCOL-23]") {
  struct Trying final : ReconnectingClientFactory {
    Event failed;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void clientConnectionFailed(const Connector& c, const Failure& why) override {
      failed.set();
      ReconnectingClientFactory::clientConnectionFailed(c, why);
    }
  };
  const auto factory = std::make_shared<Trying>();
  connectTCP("192.0.2.1", 7, factory);
  sleep(1s);

  factory->stopTrying();

  CHECK(factory->failed.wait(1s));
  factory->failed.wait();
  settle();
}

FIBER_TEST_ON("sim",
              "a factory that has stopped trying is destroyed with its last user [PROTOCOL-22]") {
  struct Trying final : ReconnectingClientFactory {
    int failures = 0;
    Event done;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void clientConnectionFailed(const Connector& c, const Failure& why) override {
      if (++failures == 2) {
        stopTrying();
        done.set();
      }
      ReconnectingClientFactory::clientConnectionFailed(c, why);
    }
  };
  auto factory = std::make_shared<Trying>();
  const std::weak_ptr<Trying> watch = factory;
  net::Listener nobody = net::listen("tcp:127.0.0.1:0");
  const auto port = nobody.address().port();
  nobody.close();
  connectTCP("127.0.0.1", port, factory);
  factory->done.wait();
  settle();

  factory.reset();

  CHECK(watch.expired());
}

FIBER_TEST_ON("sim", "resetDelay() while it waits does not end the attempts [PROTOCOL-23]") {
  struct Trying final : ReconnectingClientFactory {
    using ReconnectingClientFactory::ReconnectingClientFactory;
    int failures = 0;
    Event changed;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void clientConnectionFailed(const Connector& c, const Failure& why) override {
      ++failures;
      changed.set();
      ReconnectingClientFactory::clientConnectionFailed(c, why);
    }
  };
  Clock clock;
  auto factory = std::make_shared<Trying>(ReconnectOptions(), clock);
  net::Listener nobody = net::listen("tcp:127.0.0.1:0");
  const auto port = nobody.address().port();
  nobody.close();
  connectTCP("127.0.0.1", port, factory);
  factory->changed.wait();
  settle();

  factory->resetDelay();
  clock.advance(1h);
  settle();

  CHECK(factory->failures == 2);
  factory->stopTrying();
}

FIBER_TEST("createConnection() that is killed closes what it began [PROTOCOL-24]") {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder&) { sleep(1h); };
  auto waiter = spawn([&] {
    createConnection([&protocol] { return protocol; }, "tcp:" + listener.address().toString());
  });
  net::SocketStream peer = listener.accept();
  protocol->made.wait();

  waiter.kill();
  const bool ended = protocol->over.wait(2s);

  CHECK(ended);
}

FIBER_TEST_EACH("a client that has gone before it is served is no error [PROTOCOL-16]") {
  const auto factory = Factory::forProtocol<Recorder>();
  const ListeningPort port = listenHere(factory);

  net::SocketStream client = net::connect(port.getHost());
  client.setResetOnClose(true);
  client.close();
  settle();

  stop(port);
}

struct Lines final : LineReceiver {
  Calls lines;
  std::function<void(Lines&)> onLine = [](Lines&) {};
  void lineReceived(std::string_view line) override {
    lines.emplace_back(line);
    onLine(*this);
  }
};

FIBER_TEST_ON("sim", "no line is received after a line has closed the connection [PROTOCOL-29]") {
  const auto protocol = std::make_shared<Lines>();
  protocol->onLine = [](Lines& self) { self.transport().loseConnection(); };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("quit\r\nrm -rf\r\n");
  readToEnd(peer);
  settle();

  CHECK(protocol->lines == Calls{"quit"});
}

FIBER_TEST_ON("sim", "no line is received after a line has aborted the connection [PROTOCOL-29]") {
  const auto protocol = std::make_shared<Lines>();
  protocol->onLine = [](Lines& self) { self.transport().abortConnection(); };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("quit\r\nrm -rf\r\n");
  endsByReset(peer);
  settle();

  CHECK(protocol->lines == Calls{"quit"});
}

TEST_CASE("connectionLost() that blocks does not keep the run from ending [PROTOCOL-6]") {
  const auto protocol = std::make_shared<Recorder>();
  Event never;
  protocol->onLost = [&never](Recorder&, const Failure&) { never.wait(); };

  run(onKernel("sim"), [&protocol] {
    net::SocketStream peer = connected(protocol);
    peer.close();
    protocol->over.wait();
  });
}

using Ask = amp::Command<"Ask", amp::Arguments<amp::Argument<"text", std::string>>,
                         amp::Response<amp::Argument<"text", std::string>>>;

struct Ends {
  std::shared_ptr<amp::AMP> a = std::make_shared<amp::AMP>();
  std::shared_ptr<amp::AMP> b = std::make_shared<amp::AMP>();
};
Ends ampPair() {
  Ends ends;
  auto [one, two] = tcpPair();
  detail::serveInBackground(std::move(one), ends.a, std::source_location::current());
  detail::serveInBackground(std::move(two), ends.b, std::source_location::current());
  return ends;
}

FIBER_TEST_ON("sim", "an answer that is too long fails the question [PROTOCOL-38]") {
  ExpectedErrors errors;
  auto [a, b] = ampPair();
  b->respond<Ask>([](const std::string&) { return std::string(70'000, 'x'); });

  const auto answer = a->callRemote<Ask>(std::string("?"));
  CHECK_THROWS(waitForDeferred(answer));
  a->transport().loseConnection();
  settle();
  errors.take();
}

FIBER_TEST_ON("sim", "a fiber killed while it asks does not end the connection [PROTOCOL-40]") {
  ExpectedErrors errors;
  auto [a, b] = ampPair();
  b->respond<Ask>([](const std::string& text) { return text; });
  b->transport().pauseProducing();
  std::vector<Deferred<std::string>> answers;
  auto asker = spawn([&, asked = a] {
    for (int i = 0; i < 100; ++i)
      answers.push_back(asked->callRemote<Ask>(std::string(60'000, 'x')));
  });
  settle();
  REQUIRE_FALSE(asker.isReady());

  asker.kill();
  b->transport().resumeProducing();
  for (auto& each : answers) CHECK_NOTHROW(waitForDeferred(each));
  settle();

  CHECK(a->transport().isConnected());
  CHECK(errors.take(0).empty());
  a->transport().loseConnection();
  settle();
}

TEST_CASE("an answer after the AMP has been destroyed is dropped [PROTOCOL-40]") {
  Deferred<std::string> late;
  auto amp = std::make_shared<amp::AMP>();
  amp->respond<Ask>([&late](const std::string&) { return late; });
  attach(*amp);
  using namespace std::string_literals;
  amp->dataReceived(
      "\0\4_ask\0\1"
      "1"
      "\0\10_command\0\3"
      "Ask"
      "\0\4text\0\1"
      "x"
      "\0\0"s);

  amp.reset();
  late.callback("too late");
}

FIBER_TEST_ON("sim", "the close of a peer that reads no more is a lost connection [PROTOCOL-3]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write(longText(900'000));
  protocol->transport().loseConnection();
  readPiece(peer);
  peer.setResetOnClose(true);
  peer.close();
  protocol->over.wait();

  CHECK(protocol->lostBy<ConnectionLost>());
}

FIBER_TEST_ON("sim", "an attempt is stopped before it has begun [PROTOCOL-20]") {
  const auto factory = std::make_shared<Client>();

  connectTCP("192.0.2.1", 80, factory).disconnect();
  factory->over.wait();

  CHECK(factory->calls == Calls{"start", "connecting", "failed", "stop"});
}

FIBER_TEST_ON("sim", "a second transfer that is refused does not harm the first [PROTOCOL-33]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  FileSender sender;
  std::istringstream one(longText(300'000));
  std::istringstream two("two");

  auto done = sender.beginFileTransfer(one, protocol->transport());
  CHECK_THROWS_AS(sender.beginFileTransfer(two, protocol->transport()), std::logic_error);
  const std::string got = readCount(peer, 300'000);

  CHECK(got.size() == 300'000);
  CHECK_NOTHROW(waitForDeferred(done));
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON(
    "sim",
    "a push producer's data is sent until it unregisters, also while closing [PROTOCOL-15]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  Pieces pieces;
  pieces.transport = &protocol->transport();

  protocol->transport().registerProducer(pieces, true);
  protocol->transport().loseConnection();
  protocol->transport().write("tail");
  protocol->transport().unregisterProducer();

  CHECK(readToEnd(peer) == "tail");
  protocol->over.wait();
}

FIBER_TEST_ON("sim",
              "clientConnectionFailed() that throws leaves the factory stopped [PROTOCOL-18]") {
  struct Bad final : ClientFactory {
    bool stopped = false;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void clientConnectionFailed(const Connector&, const Failure&) override {
      throw std::runtime_error("no");
    }
    void stopFactory() override { stopped = true; }
  };
  ExpectedErrors errors;
  const auto factory = std::make_shared<Bad>();

  connectTCP("192.0.2.1", 80, factory, 1s);
  sleep(2s);
  settle();

  CHECK(errors.take().size() == 1);
  CHECK(factory->stopped);
}

FIBER_TEST_ON("sim",
              "what connectionRefused() throws is reported, and the port goes on [PROTOCOL-27]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Echo>();
  protocol->onRefused = [] { throw std::runtime_error("no"); };
  const DatagramTransport port = listenUDP(0, protocol, "127.0.0.1");
  settle();
  {
    net::UdpSocket nobody(net::Address::loopback(0));
    port.connect(nobody.localAddress());
  }

  port.write("x");
  CHECK(errors.take().size() == 1);

  CHECK_FALSE(protocol->stopped.isSet());
  waitForDeferred(port.stopListening());
}

FIBER_TEST_ON("sim", "the end of output on a connection that was reset is no error [PROTOCOL-10]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  protocol->transport().pauseProducing();
  peer.writeAll("x");
  settle();
  peer.setResetOnClose(true);
  peer.close();
  settle();

  protocol->transport().loseWriteConnection();
  settle();
  protocol->transport().resumeProducing();
  protocol->over.wait();
}

struct Only final : LineOnlyReceiver {
  Only() : LineOnlyReceiver("\r\n", 5) {}
  int lines = 0;
  bool exceeded = false;
  void lineReceived(std::string_view) override {
    ++lines;
    transport().abortConnection();
  }
  void lineLengthExceeded(std::string_view) override { exceeded = true; }
};

TEST_CASE("lines that were not delivered after the end are not too long [PROTOCOL-30]") {
  Only only;
  const auto transport = attach(only);

  only.dataReceived("a\r\nb\r\nc\r\nd\r\ne\r\n");

  CHECK(only.lines == 1);
  CHECK_FALSE(only.exceeded);
}

FIBER_TEST_ON(
    "sim", "an expired Timeout that leaves dataReceived() is reported as the reason [PROTOCOL-4]") {
  ExpectedErrors errors;
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder&, std::string_view) {
    const Timeout timeout(1s);
    sleep(2s);
  };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("x");
  protocol->over.wait();

  CHECK(protocol->lostBy<TimeoutError>());
  CHECK(errors.take().size() == 1);
}

struct Counting final : amp::AMP {
  int asked = 0;
  Event over;
  Counting() {
    respond<Ask>([this](const std::string& text) {
      ++asked;
      if (text == "bad") throw std::runtime_error("bad");
      return text;
    });
  }
  void connectionLost(const Failure& why) override {
    AMP::connectionLost(why);
    over.set();
  }
};

FIBER_TEST_ON("sim",
              "no command is carried out after the one that closed the connection [PROTOCOL-36]") {
  ExpectedErrors errors;
  auto a = std::make_shared<Counting>();
  auto b = std::make_shared<Counting>();
  auto [one, two] = tcpPair();
  detail::serveInBackground(std::move(one), a, std::source_location::current());
  detail::serveInBackground(std::move(two), b, std::source_location::current());

  auto bad = a->callRemote<Ask>(std::string("bad"));
  auto next = a->callRemote<Ask>(std::string("next"));
  a->over.wait();
  b->over.wait();

  CHECK(b->asked == 1);
  CHECK_THROWS(waitForDeferred(bad));
  CHECK_THROWS(waitForDeferred(next));
  errors.take();
}

FIBER_TEST_ON("sim", "a reset wakes every fiber that waits in write() [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  protocol->transport().pauseProducing();
  peer.writeAll("x");
  auto writer = spawn([&protocol] {
    for (int i = 0; i < 5; ++i) protocol->transport().write(longText(1'200'000));
  });
  settle();

  peer.setResetOnClose(true);
  peer.close();
  CHECK(writer.join(1s));
  CHECK(protocol->over.wait(1s));

  protocol->transport().abortConnection();
  protocol->transport().resumeProducing();
  writer.kill();
  settle();
}

FIBER_TEST_ON(
    "sim", "a protocol may be served with its transport closed by the peer already [PROTOCOL-1]") {
  ExpectedErrors errors;
  auto [ours, theirs] = tcpPair();
  theirs.setResetOnClose(true);
  theirs.close();
  settle();
  const auto protocol = std::make_shared<Recorder>();

  try {
    detail::serveInBackground(std::move(ours), protocol, std::source_location::current());
  } catch (const std::exception&) {
  }
  CHECK(protocol->over.wait(1s));
  errors.take(0);
}

FIBER_TEST_ON("sim",
              "clientConnectionLost() that throws leaves the factory stopped [PROTOCOL-18]") {
  struct Bad final : ClientFactory {
    bool stopped = false;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override {
      return std::make_shared<Recorder>();
    }
    void clientConnectionLost(const Connector&, const Failure&) override {
      throw std::runtime_error("no");
    }
    void stopFactory() override { stopped = true; }
  };
  ExpectedErrors errors;
  const auto serving = std::make_shared<Recorder>();
  const ListeningPort port = listenHere(always(serving));
  const auto factory = std::make_shared<Bad>();
  connectTCP("127.0.0.1", port.getHost().port(), factory);
  serving->made.wait();
  settle();

  serving->transport().loseConnection();
  serving->over.wait();
  settle();

  CHECK(errors.take().size() == 1);
  CHECK(factory->stopped);
  stop(port);
}

TEST_CASE("connectionLost() that sleeps is ended with the run [PROTOCOL-6]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onLost = [](Recorder&, const Failure&) { sleep(1h); };
  int reports = 0;
  RunOptions options = onKernel("sim");
  options.errorSink = [&reports](const ErrorReport&) { ++reports; };

  run(options, [&protocol] {
    net::SocketStream peer = connected(protocol);
    peer.close();
    protocol->over.wait();
  });

  CHECK(reports == 0);
  CHECK(protocol.use_count() == 1);
}

FIBER_TEST_ON("sim", "startFactory() that throws leaves nothing behind [PROTOCOL-16]") {
  struct Bad final : Factory {
    bool throws = true;
    int started = 0;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void startFactory() override {
      ++started;
      if (throws) throw std::runtime_error("no");
    }
  };
  const auto factory = std::make_shared<Bad>();
  CHECK_THROWS_AS(listenHere(factory), std::runtime_error);
  settle();

  factory->throws = false;
  const ListeningPort port = listenHere(factory);
  settle();

  CHECK(factory->started == 2);
  stop(port);
}

TEST_CASE("setRawMode() takes effect at once, also for what has come [PROTOCOL-29]") {
  struct Raw final : LineReceiver {
    std::string raw;
    void lineReceived(std::string_view) override {}
    void rawDataReceived(std::string_view data) override { raw += data; }
  };
  Raw lines;
  const auto transport = attach(lines);

  lines.dataReceived("come already");
  lines.setRawMode();

  CHECK(lines.raw == "come already");
}

FIBER_TEST_ON("sim", "a factory that remembers its protocol goes with it [PROTOCOL-16]") {
  auto protocol = std::make_shared<Recorder>();
  const std::weak_ptr<Recorder> watch = protocol;
  {
    const ListeningPort port =
        listenHere(std::make_shared<FunctionFactory>([protocol] { return protocol; }));
    net::SocketStream client = net::connect(port.getHost());
    client.close();
    protocol->over.wait();
    settle();
    stop(port);
  }

  protocol.reset();
  settle();

  CHECK(watch.expired());
}

}  // namespace
}  // namespace plait::test
