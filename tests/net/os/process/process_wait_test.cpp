// Waiting for children, and those that nobody waits for.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "child_process.h"
#include "plait/error.h"
#include "plait/timeout.h"
#include "process_support.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

os::Process sleeper() { return os::Process::start({"sleep", "1000"}); }

bool exists(int process) { return ::kill(process, 0) == 0; }

}  // namespace

FIBER_TEST_ON("uring", "wait tells how a child ended, again and again [PROCESS-5]") {
  const NoChildrenLeft check;
  os::Process fails = shell("exit 3");
  os::Process killed = shell("kill -TERM $$");

  CHECK(fails.wait().code == 3);
  CHECK(fails.wait().describe() == "exit status 3");
  CHECK(fails.tryWait()->code == 3);
  CHECK_FALSE(fails.isRunning());
  CHECK(killed.wait().signal == SIGTERM);
  CHECK(killed.wait().describe() == "ended by SIGTERM");
  CHECK(os::Process::start({"true"}).wait().isSuccess());
  CHECK(os::Process::start({"false"}).wait().code == 1);
}

FIBER_TEST_ON("uring", "all who wait get the same status [PROCESS-5]") {
  const NoChildrenLeft check;
  os::Process process = shell("read line; exit 5");
  std::vector<Greenlet<int>> waiters;
  waiters.reserve(10);
  for (int i = 0; i < 10; ++i) waiters.push_back(spawn([&process] { return process.wait().code; }));
  settle();
  CHECK(process.isRunning());
  CHECK_FALSE(process.tryWait());

  process.input().writeAll("go\n");

  for (auto& each : waiters) CHECK(each.get() == 5);
}

FIBER_TEST_ON("uring",
              "a killed waiter and one whose time is up leave the child alone [PROCESS-5]") {
  const NoChildrenLeft check;
  os::Process process = shell("read line; exit 5");
  auto waiter = spawn([&process] { process.wait(); });
  auto other = spawn([&process] { return process.wait().code; });
  settle();

  waiter.kill();
  CHECK_THROWS_AS(withTimeout(1ms, [&process] { process.wait(); }), TimeoutError);
  CHECK(process.isRunning());

  process.input().writeAll("go\n");
  CHECK(other.get() == 5);
}

FIBER_TEST_ON("uring", "a kill strikes at a wait that need not wait [PROCESS-5]") {
  const NoChildrenLeft check;
  os::Process process = os::Process::start({"true"});
  process.wait();

  auto waiter = spawn([&process] {
    current().requestKill();
    process.wait();
  });

  waiter.join();
  CHECK(waiter.isKilled());
}

FIBER_TEST_ON("uring", "a handle that goes while somebody waits kills the child [PROCESS-11]") {
  const NoChildrenLeft check;
  std::optional<os::Process> process = sleeper();
  auto waiter = spawn([&process] { return process->wait().signal; });
  settle();

  process.reset();

  CHECK(waiter.get() == SIGKILL);
  untilNoChildren();
}

FIBER_TEST_ON("uring", "no process: what needs one refuses, the rest has answers [PROCESS-5]") {
  os::Process none;

  CHECK(none.id() == -1);
  CHECK_FALSE(none.isRunning());
  CHECK_FALSE(none.output().isOpen());
  CHECK_THROWS_AS(none.wait(), std::logic_error);
  CHECK_THROWS_AS(none.kill(), std::logic_error);
}

FIBER_TEST_ON("uring", "a signal reaches the child, and nobody once it has ended [PROCESS-9]") {
  const NoChildrenLeft check;
  os::Process process =
      shell("trap 'exit 7' USR1; echo ready; while :; do read line || exit; done");
  readLine(process.output());

  CHECK(process.signal(SIGUSR1));
  CHECK(process.signal(0));

  CHECK(process.wait().code == 7);
  CHECK_FALSE(process.signal(SIGUSR1));
  CHECK_FALSE(process.kill());
  CHECK_THROWS_AS(sleeper().signal(1000), IoError);
  untilNoChildren();
}

FIBER_TEST_ON("uring", "signalGroup reaches the child's children, also after its end [PROCESS-9]") {
  const NoChildrenLeft check;
  os::ProcessOptions options = withPipes();
  options.newGroup = true;
  os::Process process = shell("sleep 1000 & echo $!", options);
  const int grandchild = std::stoi(readLine(process.output()));
  CHECK(process.wait().isSuccess());
  CHECK(exists(grandchild));

  CHECK(process.signalGroup(SIGKILL));

  // The grandchild had the pipe, too: its end is the pipe's.
  CHECK(readLine(process.output()).empty());
  CHECK_THROWS_AS(shell("exit 0", os::ProcessOptions()).signalGroup(SIGTERM), std::logic_error);
  untilNoChildren();
}

FIBER_TEST_ON("uring", "terminate: SIGTERM is enough for one that obeys [PROCESS-10]") {
  const NoChildrenLeft check;
  os::Process process =
      shell("trap 'exit 4' TERM; echo ready; while :; do read line || exit; done");
  readLine(process.output());

  CHECK(process.terminate().code == 4);
  CHECK(process.terminate().code == 4);
  CHECK(sleeper().terminate().signal == SIGTERM);
}

FIBER_TEST_ON("uring",
              "terminate: one that ignores SIGTERM is killed after the grace [PROCESS-10]") {
  const NoChildrenLeft check;
  os::ProcessOptions options = withPipes();
  options.terminateGrace = 5ms;
  os::Process process =
      shell("trap '' TERM; echo ready; while :; do read line || exit; done", options);
  readLine(process.output());
  const TimePoint begin = now();

  CHECK(process.terminate().signal == SIGKILL);
  CHECK(now() - begin >= 5ms);
}

FIBER_TEST_ON("uring", "a killed terminate kills the child at once, and reaps it [PROCESS-8]") {
  const NoChildrenLeft check;
  os::ProcessOptions options = withPipes();
  options.terminateGrace = kForever;
  os::Process process =
      shell("trap '' TERM; echo ready; while :; do read line || exit; done", options);
  readLine(process.output());
  auto terminator = spawn([&process] { process.terminate(); });
  settle();

  terminator.kill();

  CHECK_FALSE(hasChildren());
  CHECK(process.wait().signal == SIGKILL);
}

FIBER_TEST_ON("uring", "a dropped child is killed and reaped in the background [PROCESS-11]") {
  const NoChildrenLeft check;
  os::Process moved;
  {
    const os::Process dropped = sleeper();
    os::Process assigned = sleeper();
    assigned = sleeper();
    moved = std::move(assigned);
    CHECK(exists(dropped.id()));
    CHECK(moved.isRunning());
  }
  moved = os::Process();

  untilNoChildren();
}

FIBER_TEST_ON("uring", "a detached child goes on, and is reaped when it ends [PROCESS-11]") {
  const NoChildrenLeft check;
  os::PipeStream input;
  {
    os::Process process = shell("read line");
    input = std::move(process.input());
    process.detach();
    process.detach();
  }
  settle();
  CHECK(hasChildren());

  input.writeAll("go\n");

  untilNoChildren();
}

TEST_CASE("when run() has returned no killed child is left, however its handle went [PROCESS-11]") {
  const NoChildrenLeft check;
  {
    os::Process outlivesRun;
    run(onKernel("uring"), [&outlivesRun] {
      static_cast<void>(sleeper());
      // Unwound while the run closes, where no fiber can be started any more.
      spawn([] {
        const os::Process mine = sleeper();
        sleep(kForever);
      });
      spawn([] { sleeper().wait(); });
      spawn([] { os::run({"sleep", "1000"}); });
      spawn([] { sleeper().terminate(); });
      settle();
      outlivesRun = sleeper();
    });
    CHECK(outlivesRun.isRunning());
    CHECK(outlivesRun.signal(SIGSTOP));
  }
}

TEST_CASE("a detached child outlives the run, and is the program's then [PROCESS-11]") {
  const NoChildrenLeft check;
  int id = 0;
  run(onKernel("uring"), [&id] {
    os::Process process = sleeper();
    id = process.id();
    process.detach();
  });

  CHECK(exists(id));
  ::kill(id, SIGKILL);
  CHECK(endOf(id) == -SIGKILL);
}

TEST_CASE("a forked child of the program does not touch its parent's children [PROCESS-11]") {
  const NoChildrenLeft check;
  run(onKernel("uring"), [] {
    std::optional<os::Process> process = sleeper();
    CHECK(inChild([&process] {
            process.reset();
            return 5;
          }) == 5);

    CHECK(process->isRunning());
    CHECK(process->kill());
    process->wait();
  });
}
