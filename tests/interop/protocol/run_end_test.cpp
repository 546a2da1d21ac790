// The run ends while ports, clients and connections are there.

#include "factories.h"
#include "plait/run.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Calls = std::vector<std::string>;

// Runs `body` on each kernel, on a loop of its own, and checks that nothing is reported or left.
void runOnEach(const std::function<void()>& body) {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    Calls reports;
    RunOptions options = onKernel(kernel);
    options.errorSink = [&reports](const ErrorReport& report) {
      reports.push_back(report.context + ": " + describe(report.error));
    };

    run(options, body);

    CHECK(reports == Calls{});
  }
}

TEST_CASE("at the end of the run connections are aborted [PROTOCOL-6]") {
  const auto serving = std::make_shared<Recorder>();
  const auto client = std::make_shared<Recorder>();

  run(onKernel("sim"), [&] {
    const ListeningPort port = listenHere(always(serving));
    connectTCP("127.0.0.1", port.getHost().port(), always(client));
    serving->made.wait();
    client->made.wait();
    client->transport().write("hello");
    serving->awaitBytes(5);
  });

  CHECK(serving->calls == Calls{"made", "data", "lost"});
  CHECK(serving->lostBy<ConnectionAborted>());
  CHECK(client->calls == Calls{"made", "lost"});
  CHECK_FALSE(client->transport().isConnected());
}

TEST_CASE("a run ends with connections in every state, and leaves nothing [PROTOCOL-6]") {
  runOnEach([] {
    auto held = std::make_shared<std::vector<std::shared_ptr<Recorder>>>();
    const auto begin = [&held](auto prepare) {
      held->push_back(std::make_shared<Recorder>());
      prepare(*held->back());
      auto peer = std::make_shared<net::SocketStream>(connecting(held->back()));
      return peer;
    };
    const auto blocked = begin([](Recorder& protocol) {
      protocol.onData = [](Recorder&, std::string_view) { sleep(1h); };
    });
    const auto inMade =
        begin([](Recorder& protocol) { protocol.onMade = [](Recorder&) { sleep(1h); }; });
    const auto writing = begin([](Recorder& protocol) {
      protocol.onMade = [](Recorder& self) {
        for (;;) self.transport().write(longText(1'000'000));
      };
    });
    const auto closing = begin([](Recorder& protocol) {
      protocol.onMade = [](Recorder& self) {
        self.transport().write(longText(1'000'000));
        self.transport().loseConnection();
      };
    });
    const auto paused = begin([](Recorder& protocol) {
      protocol.onMade = [](Recorder& self) { self.transport().pauseProducing(); };
    });
    blocked->writeAll("x");
    paused->writeAll("x");

    settle();
    sleep(10ms);

    CHECK(held->size() == 5);
  });
}

TEST_CASE("a handler that waits for ever is killed, and its connection lost [PROTOCOL-6]") {
  const auto protocol = std::make_shared<Recorder>();
  bool wasUnwound = false;
  protocol->onData = [&wasUnwound](Recorder&, std::string_view) {
    struct Unwound {
      bool& flag;
      ~Unwound() { flag = true; }
    };
    const Unwound unwound{wasUnwound};
    Event never;
    never.wait();
  };

  run(onKernel("sim"), [&] {
    net::SocketStream peer = connected(protocol);
    peer.writeAll("x");
    protocol->awaitBytes(1);
  });

  CHECK(wasUnwound);
  CHECK(protocol->calls == Calls{"made", "data", "lost"});
  CHECK(protocol->lostBy<ConnectionAborted>());
}

TEST_CASE("ports and their factories are stopped at the end of the run [PROTOCOL-6]") {
  struct Server final : Factory {
    Calls calls;
    std::shared_ptr<Protocol> buildProtocol(const net::Address&) override { return nullptr; }
    void startFactory() override { calls.emplace_back("start"); }
    void stopFactory() override { calls.emplace_back("stop"); }
  };
  const auto server = std::make_shared<Server>();

  run(onKernel("sim"), [&] {
    const ListeningPort port = listenHere(server);
    settle();
  });

  CHECK(server->calls == Calls{"start", "stop"});
  CHECK(server.use_count() == 1);
}

TEST_CASE("a port, a client and a udp port that never began leave nothing [PROTOCOL-6]") {
  struct Nothing final : DatagramProtocol {
    void datagramReceived(std::string_view, const net::Address&) override {}
  };

  runOnEach([] {
    const auto factory = Factory::forProtocol<Recorder>();
    const ListeningPort port = listenHere(factory);
    connectTCP("127.0.0.1", port.getHost().port(), factory);
    listenUDP(0, std::make_shared<Nothing>(), "127.0.0.1");
  });
}

TEST_CASE("an attempt to connect ends with the run [PROTOCOL-6]") {
  const auto protocol = std::make_shared<Recorder>();
  const auto factory = always(protocol);

  run(onKernel("sim"), [&factory] {
    connectTCP("192.0.2.1", 80, factory);
    settle();
  });

  CHECK(protocol->calls.empty());
  CHECK(factory.use_count() == 1);
}

TEST_CASE("a transport that outlives its run is harmless [PROTOCOL-5] [PROTOCOL-6]") {
  const auto protocol = std::make_shared<Recorder>();
  run(onKernel("sim"), [&protocol] { net::SocketStream peer = connected(protocol); });

  Transport& transport = protocol->transport();
  transport.write("late");
  transport.loseConnection();
  transport.abortConnection();
  transport.pauseProducing();
  transport.resumeProducing();

  CHECK_FALSE(transport.isConnected());
  CHECK(transport.getPeer().port() != 0);
  CHECK(protocol.use_count() == 1);
}

TEST_CASE("clients that connect again whenever they are lost end with the run [PROTOCOL-6]") {
  const auto factory = std::make_shared<Client>();
  factory->onLost = [](const Connector& connector) { connector.connect(); };

  runOnEach([&factory] {
    const auto serving = std::make_shared<Recorder>();
    const ListeningPort port = listenHere(always(serving));
    connectTCP("127.0.0.1", port.getHost().port(), factory);
    serving->made.wait();
    factory->protocol->made.wait();
    factory->protocol->made.clear();
  });

  CHECK(factory->reason->check<ConnectionAborted>() != nullptr);
}

}  // namespace
}  // namespace plait::test
