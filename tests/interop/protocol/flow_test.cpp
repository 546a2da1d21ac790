// How much waits on either side: pausing the input, and the bound of the output.

#include "protocol_support.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

FIBER_TEST_EACH("while it is paused a protocol gets nothing, and then everything [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  settle();

  protocol->transport().pauseProducing();
  peer.writeAll("held ");
  settle();
  peer.writeAll("back");
  settle();
  CHECK(protocol->received.empty());
  protocol->transport().resumeProducing();

  CHECK(protocol->awaitBytes(9) == "held back");
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "what comes to a paused protocol holds its sender up [PROTOCOL-12]") {
  const std::string text = longText(2'000'000);
  const auto protocol = std::make_shared<Recorder>();
  protocol->onMade = [](Recorder& self) { self.transport().pauseProducing(); };
  net::SocketStream peer = connected(protocol);

  auto sender = spawn([&] {
    peer.writeAll(text);
    peer.close();
  });
  sleep(1h);
  CHECK_FALSE(sender.isReady());
  CHECK(protocol->calls == Calls{"made"});
  protocol->transport().resumeProducing();
  protocol->over.wait();

  CHECK((protocol->received == text));
}

FIBER_TEST_ON("sim", "a pause inside dataReceived() holds back the next data [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->onData = [](Recorder& self, std::string_view) { self.transport().pauseProducing(); };
  net::SocketStream peer = connected(protocol);

  peer.writeAll("one");
  protocol->awaitBytes(3);
  peer.writeAll("two");
  peer.close();
  sleep(1s);
  CHECK(protocol->received == "one");
  CHECK_FALSE(protocol->reason);
  protocol->transport().resumeProducing();
  protocol->awaitBytes(6);
  protocol->transport().resumeProducing();
  protocol->over.wait();

  CHECK(protocol->received == "onetwo");
}

FIBER_TEST_ON("sim", "a paused protocol writes on [PROTOCOL-12]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().pauseProducing();
  protocol->transport().write("out");

  CHECK(readCount(peer, 3) == "out");
  protocol->transport().resumeProducing();
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_EACH("what is written comes in order, from several fibers and pieces [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);

  protocol->transport().write("a");
  spawn([&protocol] {
    protocol->transport().writeSequence(std::vector<std::string>{"b", "", "c"});
    protocol->transport().write("");
    protocol->transport().write("d");
  }).join();
  protocol->transport().write("e");

  CHECK(readCount(peer, 5) == "abcde");
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "write() returns at once while little waits [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  bool hasRun = false;
  auto other = spawn([&hasRun] { hasRun = true; });

  for (int i = 0; i < 10; ++i) protocol->transport().write(longText(100'000));

  CHECK_FALSE(hasRun);
  CHECK(readCount(peer, 1'000'000).size() == 1'000'000);
  other.join();
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim", "write() parks while more than the buffer's limit waits [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  std::size_t written = 0;
  auto writer = spawn([&] {
    for (int i = 0; i < 100; ++i) {
      protocol->transport().write(longText(100'000));
      written += 100'000;
    }
  });

  sleep(1h);
  const std::size_t bound = written;
  const std::string got = readCount(peer, 10'000'000);
  writer.join();

  CHECK(bound < 3 * kWriteBufferMax);
  CHECK(got.size() == 10'000'000);
  peer.close();
  protocol->over.wait();
}

FIBER_TEST_ON("sim",
              "a writer killed while it is parked leaves the transport usable [PROTOCOL-7]") {
  const auto protocol = std::make_shared<Recorder>();
  net::SocketStream peer = connected(protocol);
  auto writer = spawn([&] {
    for (;;) protocol->transport().write(longText(1'000'000));
  });
  sleep(1s);

  writer.kill();
  protocol->transport().loseConnection();
  const std::string got = readToEnd(peer);
  protocol->over.wait();

  CHECK(got.size() % 1'000'000 == 0);
  CHECK(got.substr(0, 1000) == longText(1000));
}

FIBER_TEST_SIM(SimOptions::hostile(seed()), "nothing is lost in either direction [PROTOCOL-2]") {
  const std::string text = longText(400'000);
  const auto one = std::make_shared<Recorder>();
  const auto two = std::make_shared<Recorder>();
  for (const auto& each : {one, two}) {
    each->onMade = [&text](Recorder& self) {
      for (std::size_t i = 0; i < text.size(); i += 10'000) {
        self.transport().write(std::string_view(text).substr(i, 10'000));
      }
    };
    each->onData = [&text](Recorder& self, std::string_view) {
      // Now and then it takes a rest.
      if (self.calls.size() % 3 != 0 || self.received.size() == text.size()) return;
      self.transport().pauseProducing();
      spawnLater(1ms, [&self] { self.transport().resumeProducing(); });
    };
  }
  auto [ours, theirs] = tcpPair();

  detail::serveInBackground(std::move(ours), one, std::source_location::current());
  detail::serveInBackground(std::move(theirs), two, std::source_location::current());
  one->awaitBytes(text.size());
  two->awaitBytes(text.size());
  one->transport().loseConnection();
  one->over.wait();
  two->over.wait();
  sleep(1s);

  CHECK((one->received == text));
  CHECK((two->received == text));
  CHECK(one->lostBy<ConnectionDone>());
  CHECK(two->lostBy<ConnectionDone>());
}

}  // namespace
}  // namespace plait::test
