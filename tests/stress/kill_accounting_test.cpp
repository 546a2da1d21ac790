// Bytes and connections are counted while readers, writers and accepters are struck at random: by
// kills, by kills with an error, by timeouts and by close().
//
// PLAIT_SEED says where the random numbers begin, PLAIT_SEEDS how many schedules the sim kernel
// plays.

#include "kill_accounting.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>

#include "fiber_test.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSeedsDefault = 50;
constexpr std::size_t kKillsPerSeed = 200;

std::uint64_t seedsWanted() {
  const char* const given = std::getenv("PLAIT_SEEDS");
  return given == nullptr ? kSeedsDefault : std::strtoull(given, nullptr, 0);
}

std::string commandFor(std::uint64_t chosen) {
  char program[512] = "";
  const auto length = ::readlink("/proc/self/exe", program, sizeof program - 1);
  const std::string name(program, length < 0 ? 0 : static_cast<std::size_t>(length));
  return "PLAIT_SEED=" + std::to_string(chosen) + " PLAIT_SEEDS=1 " + name + " -tc='" +
         doctest::getContextOptions()->currentTest->m_name + "'";
}

// Says the command also when the process is ended in the middle, by an assertion for example.
class CommandAtCrash final {
 public:
  explicit CommandAtCrash(const std::string& command) {
    text_ = "\nto repeat it: " + command + "\n";
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action{};
      action.sa_handler = &say;
      action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_ONSTACK;
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  CommandAtCrash(const CommandAtCrash&) = delete;
  CommandAtCrash& operator=(const CommandAtCrash&) = delete;
  ~CommandAtCrash() { restore(); }

 private:
  static constexpr std::array kSignals = {SIGABRT, SIGTERM};

  static void say(int signal) {
    static_cast<void>(!::write(STDERR_FILENO, text_.data(), text_.size()));
    restore();
    ::raise(signal);
  }
  static void restore() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
  }

  inline static std::string text_;
  inline static std::array<struct sigaction, kSignals.size()> before_;
};

// What every run must have seen, or it has tested nothing.
void checkAccount(const Account& account, std::size_t kills) {
  CHECK(account.kills() >= kills);
  CHECK(account.accepted == account.connected);
  CHECK(account.bytes > 0);
}

// Small flows over small buffers: short schedules, in which much waits for room.
void playSchedule(std::uint64_t chosen, std::string endpoint) {
  SimOptions options = SimOptions::hostile(chosen);
  options.socketBytes = 4096;
  // Two endpoints shall not play the same game.
  const std::uint64_t game = chosen * 2 + (endpoint.starts_with("unix:") ? 1 : 0);
  const AccountingPlan plan{.endpoint = std::move(endpoint),
                            .seed = game,
                            .kills = kKillsPerSeed,
                            .connections = 4,
                            .flowBytes = 20'000,
                            .writeBytes = 12'000,
                            .pause = 2ms};
  runFiberTest(onKernel("sim", options),
               [&plan] { checkAccount(runAccounting(plan), plan.kills); });
}

void playSchedules(const std::string& endpoint) {
  for (std::uint64_t i = 0; i < seedsWanted(); ++i) {
    const std::uint64_t chosen = seed() + i;
    const std::string command = commandFor(chosen);
    const CommandAtCrash atCrash(command);
    INFO("to repeat it: ", command);
    try {
      playSchedule(chosen, endpoint);
    } catch (...) {
      FAIL(describe(std::current_exception()));
    }
  }
}

void runOnKernel(const std::string& endpoint) {
  const std::string command = commandFor(seed());
  const CommandAtCrash atCrash(command);
  INFO("to repeat it: ", command);
  const AccountingPlan plan{.endpoint = endpoint, .seed = seed()};
  runFiberTest(onKernel("uring"), [&plan] {
    const Account account = runAccounting(plan);

    checkAccount(account, plan.kills);
    CHECK(account.readerKills > 1000);
    CHECK(account.writerKills > 1000);
    CHECK(account.accepterKills > 1000);
    CHECK(account.timeouts > 0);
    CHECK(account.closes > 0);
    CHECK(account.broken > 0);
  });
}

TEST_CASE("10,000 kills over tcp lose no byte and no connection [IO-8] [IO-10] [IO-11]") {
  runOnKernel("tcp:127.0.0.1:0");
}

TEST_CASE("10,000 kills over unix sockets lose no byte and no connection [IO-8] [IO-10] [IO-11]") {
  runOnKernel("unix:@plait-kills-" + std::to_string(::getpid()));
}

TEST_CASE("no schedule of kills over tcp loses a byte or a connection [IO-8] [IO-10] [IO-11]") {
  playSchedules("tcp:127.0.0.1:0");
}

TEST_CASE("no schedule of kills over unix sockets loses anything [IO-8] [IO-10] [IO-11]") {
  playSchedules("unix:@kills");
}

}  // namespace
}  // namespace plait::test
