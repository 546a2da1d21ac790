#include "happy_eyeballs.h"

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/run.h"
#include "plait/timeout.h"

using namespace plait;
using namespace std::chrono_literals;
using net::Address;
using net::detail::connectFirst;
using net::detail::interleaveFamilies;

namespace {

constexpr Duration kDelay = 250ms;

const Address kA = Address::ip("192.0.2.1", 80);
const Address kB = Address::ip("192.0.2.2", 80);
const Address kC = Address::ip("192.0.2.3", 80);
const Address kV = Address::ip("2001:db8::1", 80);
const Address kW = Address::ip("2001:db8::2", 80);

int openSockets = 0;

// Stands for a descriptor: counted while it is open.
class Socket final {
 public:
  explicit Socket(const Address& peer) : peer_(peer), open_(true) { ++openSockets; }
  Socket(Socket&& other) noexcept : peer_(other.peer_), open_(std::exchange(other.open_, false)) {}
  ~Socket() {
    if (open_) --openSockets;
  }
  const Address& peer() const { return peer_; }

 private:
  Address peer_;
  bool open_;
};

Socket refuse(const Address& address) {
  throw IoError(ECONNREFUSED, "connecting to " + address.toString());
}

// A connect to a host that never answers.
Socket hang(const Address& address) {
  Socket socket(address);
  sleep(kForever);
  return socket;
}

// What the attempts did, and when after the beginning.
struct Log {
  struct Start {
    Address address;
    Duration at;
    bool operator==(const Start&) const = default;
  };
  TimePoint begin = now();
  std::vector<Start> starts;
  int running = 0;
};

// Logs around the attempt of each address.
template <class F>
auto logged(Log& log, F attempt) {
  return [&log, attempt](const Address& address) {
    struct Running {
      Log& log;
      explicit Running(Log& l) : log(l) { ++log.running; }
      ~Running() { --log.running; }
    } running(log);
    log.starts.push_back({address, now() - log.begin});
    return attempt(address);
  };
}

template <class F>
void runOnSim(F f) {
  openSockets = 0;
  RunOptions options;
  options.kernel = "sim";
  run(options, f);
  CHECK(openSockets == 0);
}

}  // namespace

TEST_CASE("families take turns, beginning with that of the first address [IO-21]") {
  CHECK(interleaveFamilies(std::vector{kA, kB, kC, kV, kW}) == std::vector{kA, kV, kB, kW, kC});
  CHECK(interleaveFamilies(std::vector{kV, kA, kB, kC}) == std::vector{kV, kA, kB, kC});
  CHECK(interleaveFamilies(std::vector{kV, kW, kA, kB}) == std::vector{kV, kA, kW, kB});
  CHECK(interleaveFamilies(std::vector{kA, kB}) == std::vector{kA, kB});
  CHECK(interleaveFamilies(std::vector<Address>()).empty());
}

TEST_CASE("an address that answers at once is the only one tried") {
  runOnSim([] {
    Log log;

    const Socket socket =
        connectFirst(std::vector{kA, kB}, kDelay, logged(log, [](const Address& address) {
                       sleep(kDelay - 1ms);
                       return Socket(address);
                     }));

    CHECK(socket.peer() == kA);
    CHECK(log.starts == std::vector<Log::Start>{{kA, 0ms}});
  });
}

TEST_CASE("a dead first address delays by the attempt delay and no more [IO-21]") {
  runOnSim([] {
    Log log;

    const Socket socket =
        connectFirst(std::vector{kA, kV}, kDelay, logged(log, [](const Address& address) {
                       return address == kA ? hang(address) : Socket(address);
                     }));

    CHECK(socket.peer() == kV);
    CHECK(now() - log.begin == kDelay);
    CHECK(openSockets == 1);
    CHECK(log.running == 0);
  });
}

TEST_CASE("the next address is tried at once when one has failed [IO-21]") {
  runOnSim([] {
    Log log;

    const Socket socket =
        connectFirst(std::vector{kA, kB, kC}, kDelay, logged(log, [](const Address& address) {
                       if (address == kB) sleep(100ms);
                       return address == kC ? Socket(address) : refuse(address);
                     }));

    CHECK(socket.peer() == kC);
    CHECK(log.starts == std::vector<Log::Start>{{kA, 0ms}, {kB, 0ms}, {kC, 100ms}});
  });
}

TEST_CASE("an address of the other family is tried second [IO-21]") {
  runOnSim([] {
    Log log;

    CHECK_THROWS_AS(connectFirst(std::vector{kA, kB, kV}, kDelay, logged(log, refuse)), IoError);

    CHECK(log.starts == std::vector<Log::Start>{{kA, 0ms}, {kV, 0ms}, {kB, 0ms}});
  });
}

TEST_CASE("a slow address that answers before the later ones wins [IO-21]") {
  runOnSim([] {
    Log log;

    const Socket socket =
        connectFirst(std::vector{kA, kB, kC}, kDelay, logged(log, [](const Address& address) {
                       if (address == kA) sleep(600ms);
                       return address == kA ? Socket(address) : hang(address);
                     }));

    CHECK(socket.peer() == kA);
    CHECK(log.starts == std::vector<Log::Start>{{kA, 0ms}, {kB, kDelay}, {kC, 2 * kDelay}});
    CHECK(log.running == 0);
  });
}

TEST_CASE("an attempt that succeeds although it was killed is closed [IO-21]") {
  runOnSim([] {
    const Socket socket = connectFirst(std::vector{kA, kB}, kDelay, [](const Address& address) {
      if (address == kA) {
        // As an operation whose cancel comes too late.
        const CancelShield shield;
        sleep(2 * kDelay);
      }
      return Socket(address);
    });

    CHECK(socket.peer() == kB);
    CHECK(openSockets == 1);
  });
}

TEST_CASE("of two that succeed in one turn the first wins and the other is closed [IO-21]") {
  runOnSim([] {
    const Socket socket = connectFirst(std::vector{kA, kB}, kDelay, [](const Address& address) {
      sleep(address == kA ? 2 * kDelay : kDelay);
      return Socket(address);
    });

    CHECK(socket.peer() == kA);
    CHECK(openSockets == 1);
  });
}

TEST_CASE("if no address answers, one error says what failed for each [IO-20] [IO-25]") {
  runOnSim([] {
    std::string message;
    try {
      connectFirst(std::vector{kA, kV, kB}, kDelay, [](const Address& address) -> Socket {
        if (address == kB) return refuse(address);
        throw IoError(address == kA ? ENETUNREACH : ETIMEDOUT, "connecting");
      });
    } catch (const IoError& error) {
      message = error.what();
      CHECK(error.code() == std::errc::connection_refused);
      CHECK(error.notes().size() == 3);
    }

    CHECK(message ==
          "connecting to 192.0.2.2:80: Connection refused\n"
          "  192.0.2.1:80: Network is unreachable\n"
          "  [2001:db8::1]:80: Connection timed out\n"
          "  192.0.2.2:80: Connection refused");
  });
}

TEST_CASE("a late failure of an early address is waited for [IO-20]") {
  runOnSim([] {
    const TimePoint begin = now();

    CHECK_THROWS_WITH_AS(connectFirst(std::vector{kA, kB}, kDelay,
                                      [](const Address& address) {
                                        if (address == kA) sleep(10s);
                                        return refuse(address);
                                      }),
                         doctest::Contains("connecting to 192.0.2.2:80"), IoError);
    CHECK(now() - begin == 10s);
  });
}

TEST_CASE("the error of a single address has no notes") {
  runOnSim([] {
    CHECK_THROWS_WITH_AS(connectFirst(std::vector{kA}, kDelay, refuse),
                         "connecting to 192.0.2.1:80: Connection refused", IoError);
  });
}

TEST_CASE("what is no error of plait counts as a failure too [IO-20]") {
  runOnSim([] {
    const auto broken = [](const Address& address) -> Socket {
      if (address == kA) throw std::runtime_error("broken");
      return refuse(address);
    };

    CHECK_THROWS_WITH_AS(connectFirst(std::vector{kA, kB}, kDelay, broken),
                         doctest::Contains("192.0.2.1:80: std::runtime_error: broken"), IoError);
    CHECK_THROWS_WITH_AS(connectFirst(std::vector{kB, kA}, kDelay, broken), "broken",
                         std::runtime_error);
  });
}

TEST_CASE("a kill leaves no socket open and no attempt running [IO-22]") {
  for (const Duration after : {0ms, 100ms, 300ms, 1000ms}) {
    runOnSim([after] {
      Log log;
      auto connecting =
          spawn([&log] { connectFirst(std::vector{kA, kB, kC}, kDelay, logged(log, hang)); });
      sleep(after);

      connecting.kill();

      CHECK(connecting.isKilled());
      CHECK(log.running == 0);
      CHECK(openSockets == 0);
    });
  }
}

TEST_CASE("a timeout leaves no socket open and no attempt running [IO-22]") {
  runOnSim([] {
    Log log;

    CHECK_THROWS_AS(
        withTimeout(300ms,
                    [&log] { connectFirst(std::vector{kA, kB}, kDelay, logged(log, hang)); }),
        TimeoutError);

    CHECK(log.starts.size() == 2);
    CHECK(log.running == 0);
    CHECK(openSockets == 0);
  });
}

TEST_CASE(
    "a kill waits for an attempt that cannot stop at once, and its socket is closed [IO-22]") {
  runOnSim([] {
    auto connecting = spawn([] {
      connectFirst(std::vector{kA, kB}, kDelay, [](const Address& address) {
        const CancelShield shield;
        sleep(5s);
        return Socket(address);
      });
    });
    sleep(1ms);
    const TimePoint begin = now();

    connecting.kill();

    CHECK(now() - begin == 5s - 1ms);
    CHECK(openSockets == 0);
  });
}

TEST_CASE("without a delay all addresses are tried at once") {
  runOnSim([] {
    Log log;

    CHECK_THROWS_AS(
        withTimeout(1ms, [&log] { connectFirst(std::vector{kA, kB, kC}, 0ms, logged(log, hang)); }),
        TimeoutError);

    CHECK(log.starts.size() == 3);
  });
}
