// Children of the program's own beside plait's, and a program that waits for all of them.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "child_process.h"
#include "plait/fork.h"
#include "plait/greenlet.h"
#include "process_support.h"

using namespace plait;
using namespace plait::test;

namespace {

// The status of a child that somebody else reaped can be had from its pidfd since then.
bool knowsStolen() {
  const os::RunProcessOptions options;
  const std::string release = os::run({"uname", "-r"}, options).output;
  const int major = std::stoi(release);
  const int minor = std::stoi(release.substr(release.find('.') + 1));
  return major > 6 || (major == 6 && minor >= 15);
}

}  // namespace

FIBER_TEST_ON("uring", "waiting takes no child of the program's [PROCESS-6]") {
  const NoChildrenLeft check;
  const pid_t mine = ::fork();
  if (mine == 0) ::_exit(9);
  std::vector<os::Process> children;
  children.reserve(10);
  for (int i = 0; i < 10; ++i) children.push_back(os::Process::start({"true"}));

  for (os::Process& each : children) CHECK(each.wait().isSuccess());

  CHECK(endOf(mine) == 9);
}

FIBER_TEST_ON("uring", "a waitpid(-1) of the program steals children, but no status [PROCESS-6]") {
  if (!knowsStolen()) return;
  const NoChildrenLeft check;
  constexpr int kChildren = 20;
  std::vector<os::Process> children;
  std::vector<Greenlet<int>> waiters;
  children.reserve(kChildren);
  waiters.reserve(kChildren);
  for (int i = 0; i < kChildren; ++i) {
    children.push_back(shell("read line; exit " + std::to_string(i)));
  }
  for (os::Process& each : children) {
    waiters.push_back(spawn([&each] { return each.wait().code; }));
  }
  settle();

  // Without a switch: no waiter can be faster.
  for (os::Process& each : children) CHECK(::write(each.input().descriptor(), "go\n", 3) == 3);
  int stolen = 0;
  while (hasChildren()) {
    if (::waitpid(-1, nullptr, WNOHANG) > 0) ++stolen;
  }

  CHECK(stolen == kChildren);
  for (int i = 0; i < kChildren; ++i) CHECK(waiters[static_cast<std::size_t>(i)].get() == i);
}

FIBER_TEST_ON("uring", "a thief and a waiter at once: every status is right [PROCESS-6]") {
  if (!knowsStolen()) return;
  const NoChildrenLeft check;
  bool isOver = false;
  auto thief = spawn([&isOver] {
    while (!isOver) {
      ::waitpid(-1, nullptr, WNOHANG);
      yield();
    }
  });

  for (int i = 0; i < 50; ++i) CHECK(shell("exit " + std::to_string(i)).wait().code == i);

  isOver = true;
  thief.join();
}

TEST_CASE("with SIGCHLD ignored every status is known all the same [PROCESS-6]") {
  const NoChildrenLeft check;
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGCHLD, &ignore, &before);

  runFiberTest(onKernel("uring"), [] {
    if (!knowsStolen()) return;
    CHECK(shell("exit 3").wait().code == 3);
    CHECK(os::Process::start({"sleep", "1000"}).terminate().signal == SIGTERM);
  });

  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("a SIGCHLD handler of the program that waits for all may be there [PROCESS-6]") {
  const NoChildrenLeft check;
  struct sigaction before{};
  struct sigaction waits{};
  waits.sa_handler = [](int) {
    const int number = errno;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    errno = number;
  };
  ::sigaction(SIGCHLD, &waits, &before);

  runFiberTest(onKernel("uring"), [] {
    if (!knowsStolen()) return;
    for (int i = 0; i < 20; ++i) CHECK(shell("exit 3").wait().code == 3);
  });

  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("who did not start a child can wait for it until its parent has reaped it [PROCESS-6]") {
  const NoChildrenLeft check;
  runFiberTest(onKernel("uring"), [] {
    if (!knowsStolen()) return;
    os::Process process = shell("read line; exit 5");
    const pid_t forked = ::fork();
    if (forked == 0) {
      ::alarm(kChildPatience);
      afterForkInChild();
      int code = 99;
      spawn([&] { code = process.wait().code; }).join();
      ::_exit(code);
    }
    // It is parked now, or will find the child reaped.
    process.input().writeAll("go\n");

    CHECK(process.wait().code == 5);
    CHECK(endOf(forked) == 5);
  });
}
