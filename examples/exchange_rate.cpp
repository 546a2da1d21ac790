// An ordinary program whose main thread blocks, with a runtime in the background that asks a server
// for an exchange rate every 30 seconds (crochet's example).
//
//   exchange_rate ENDPOINT ROUNDS [--virtual]     --virtual: half a minute passes at once
#include <iostream>
#include <string_view>
#include <thread>

#include <plait/interop.h>

using namespace plait;

// Lives on the reactor; other threads call value() alone.
class ExchangeRate {
 public:
  ExchangeRate(std::string endpoint, TimeSource& time)
      : endpoint_(std::move(endpoint)), updates_([this] { update(); }, time) {
    updates_.start(30s).addErrback([](const Failure& failure) {
      std::cerr << "no more updates: " << failure.message() << std::endl;
    });
  }

  static std::string value(const std::shared_ptr<ExchangeRate>& rate) {
    return waitFor(1s, [rate] { return rate->value_; });
  }

 private:
  // On a fiber of the reactor: it may block there, and only there.
  void update() {
    net::SocketStream server = net::connect(endpoint_);
    value_ = net::BufferedStream(server).readLine().value_or("no rate");
  }

  std::string endpoint_;
  std::string value_;
  LoopingCall updates_;
};

int main(int argc, char** argv) {
  const bool isVirtual = argc > 3 && std::string_view(argv[3]) == "--virtual";
  Clock clock;  // of the reactor's thread, whoever says that it moves
  setup();
  const auto rate = waitFor(1min, [&] {
    return std::make_shared<ExchangeRate>(argv[1], isVirtual ? clock : loopTime());
  });
  for (int round = 0; round < std::stoi(argv[2]); ++round) {
    std::cout << "EUR/USD: " << ExchangeRate::value(rate) << std::endl;
    if (isVirtual) {
      waitFor(1min, [&] { clock.advance(30s); });
    } else {
      std::this_thread::sleep_for(30s);
    }
  }
  shutdown();
}
