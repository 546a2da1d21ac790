// Many children at once, and kills at any point of a child's life.
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "plait/error.h"
#include "plait/timeout.h"
#include "process_support.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// What one can do with a child; whoever does it may be killed in the middle.
void useChild(std::uint64_t kind) {
  switch (kind % 6) {
    case 0:
      os::run({"sh", "-c", "cat; exit 0"}, {.process = {}, .input = std::string(200'000, 'x')});
      return;
    case 1:
      os::Process::start({"sleep", "0.01"}).wait();
      return;
    case 2:
      os::Process::start({"sleep", "1000"}).terminate();
      return;
    case 3:
      os::Process::start({"sleep", "1000"});
      return;
    case 4: {
      os::Process process = shell("echo line; cat");
      readLine(process.output());
      process.input().close();
      process.wait();
      return;
    }
    default:
      try {
        withTimeout(3ms, [] { os::run({"sleep", "1000"}); });
      } catch (const TimeoutError&) {
      }
  }
}

}  // namespace

FIBER_TEST_ON("uring", "200 children at once [PROCESS-5]") {
  const NoChildrenLeft check;
  std::vector<Greenlet<std::string>> runs;
  runs.reserve(200);

  for (int i = 0; i < 200; ++i) {
    runs.push_back(spawn([i] { return os::run({"echo", std::to_string(i)}).output; }));
  }

  for (std::size_t i = 0; i < runs.size(); ++i) CHECK(runs[i].get() == std::to_string(i) + "\n");
}

FIBER_TEST_ON("uring", "kills at random points leave neither child nor descriptor [PROCESS-8]") {
  const NoChildrenLeft check;
  std::mt19937_64 random(seed());

  for (int round = 0; round < 10; ++round) {
    std::vector<AnyGreenlet> users;
    users.reserve(20);
    for (int i = 0; i < 20; ++i) {
      users.push_back(spawn([kind = random()] { useChild(kind); }));
    }
    while (!users.empty()) {
      sleep(std::chrono::microseconds(random() % 1000));
      const std::size_t at = random() % users.size();
      users[at].kill();
      users.erase(users.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }

  untilNoChildren();
}
