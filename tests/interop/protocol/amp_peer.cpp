// One end of AMP, for twisted_test.py to talk to.
//
//   amp_peer serve       answers until SIGTERM; says "listening on HOST:PORT"
//   amp_peer ask PORT    asks a server of the same commands and says what it answers, a line each

#include <csignal>
#include <functional>
#include <iostream>
#include <string>
#include <tuple>
#include <vector>

#include "amp_commands.h"
#include "plait/event.h"
#include "plait/listen.h"
#include "plait/report.h"
#include "plait/run.h"
#include "plait/signal.h"
#include "plait/wait_for_deferred.h"

using namespace plait;
using namespace plait::test;

namespace {

class Peer final : public amp::AMP {
 public:
  Event over;

  Peer() {
    respond<Divide>([](int numerator, int denominator) {
      if (denominator == 0) throw DivisionByZero("geteilt durch \xc3\xbc");
      return static_cast<double>(numerator) / denominator;
    });
    respond<Mirror>([](auto&&... values) { return std::make_tuple(std::move(values)...); });
    respond<Gather>([this](const std::string& name, int count) { return gather(name, count); });
    respond<Fail>([] { throw std::logic_error("a secret of the server"); });
  }

  void connectionLost(const Failure& why) override {
    AMP::connectionLost(why);
    over.set();
  }

 private:
  Deferred<std::string> gather(const std::string& name, int count) {
    const Deferred<std::string> answer;
    gathered_.emplace_back(name, answer);
    if (gathered_.size() == static_cast<std::size_t>(count)) {
      const auto all = std::exchange(gathered_, {});
      for (auto each = all.rbegin(); each != all.rend(); ++each) each->second.callback(each->first);
    }
    return answer;
  }

  std::vector<std::pair<std::string, Deferred<std::string>>> gathered_;
};

void serve() {
  Event stop;
  const SignalHandle onTerminate = onSignal(SIGTERM, [&stop] { stop.set(); });
  const ListeningPort port = createServer([] { return std::make_shared<Peer>(); }, "127.0.0.1", 0);
  std::cout << "listening on " << port.getHost().toString() << std::endl;
  stop.wait();
  waitForDeferred(port.stopListening());
}

void say(const std::string& what, const std::function<std::string()>& ask) {
  try {
    const std::string answer = ask();
    std::cout << what << ": " << answer << std::endl;
  } catch (const DivisionByZero& error) {
    std::cout << what << ": DivisionByZero " << error.what() << std::endl;
  } catch (const amp::RemoteError& error) {
    std::cout << what << ": RemoteError " << error.errorCode() << std::endl;
  } catch (const std::exception&) {
    std::cout << what << ": " << describe(std::current_exception()) << std::endl;
  }
}

std::string mirror(Peer& peer) {
  const auto values =
      std::make_tuple(std::int64_t{-9'007'199'254'740'993}, true, 0.1,
                      std::string("na\xc3\xafve \xe2\x98\x83"), std::string("\0\xff\r\n\0", 5),
                      std::vector<int>{3, -1, 0}, std::vector<std::string>{"", "\xc3\xbc", "z"});
  const auto answer = std::apply(
      [&peer](const auto&... each) { return waitForDeferred(peer.callRemote<Mirror>(each...)); },
      values);
  return answer == values ? "the same" : "another";
}

std::string gather(Peer& peer) {
  std::string order;
  std::vector<Deferred<void>> all;
  for (const char* const name : {"one", "two", "three"}) {
    all.push_back(
        peer.callRemote<Gather>(std::string(name), 3).addCallback([&order](const std::string& own) {
          order += own + ' ';
        }));
  }
  for (auto& each : all) waitForDeferred(std::move(each));
  return order;
}

void ask(const std::string& port) {
  const auto peer =
      createConnection([] { return std::make_shared<Peer>(); }, "tcp:127.0.0.1:" + port);
  const auto divide = [&peer](int numerator, int denominator) {
    return std::to_string(waitForDeferred(peer->callRemote<Divide>(numerator, denominator)));
  };
  say("divide", [&divide] { return divide(1, 4); });
  say("by zero", [&divide] { return divide(1, 0); });
  say("mirror", [&peer] { return mirror(*peer); });
  say("gather", [&peer] { return gather(*peer); });
  say("unknown", [&peer] { return waitForDeferred(peer->callRemote<Unknown>()), "answered"; });
  say("still there", [&divide] { return divide(3, 2); });
  say("fail", [&peer] { return waitForDeferred(peer->callRemote<Fail>()), "answered"; });
  peer->over.wait();
  say("too late", [&divide] { return divide(1, 1); });
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "serve") return run([] { serve(); });
  if (words.size() == 2 && words[0] == "ask") return run([&words] { ask(words[1]); });
  std::cerr << "amp_peer serve | amp_peer ask PORT\n";
  return 2;
}
