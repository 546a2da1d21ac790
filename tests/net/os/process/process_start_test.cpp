// How a child begins, and what is said if it cannot.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "../os_support.h"
#include "child_process.h"
#include "plait/error.h"
#include "process_support.h"

using namespace plait;
using namespace plait::test;

namespace {

// The error of a start that has to fail.
std::string refusal(std::vector<std::string> arguments, int reason,
                    const os::ProcessOptions& options = {}) {
  try {
    os::Process::start(std::move(arguments), options);
  } catch (const IoError& error) {
    CHECK(error.code().value() == reason);
    return error.what();
  }
  FAIL("it has started");
  return "";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

std::string field(const std::string& status, const std::string& name) {
  const std::size_t at = status.find(name + ":\t");
  if (at == std::string::npos) return "missing";
  const std::size_t begin = at + name.size() + 2;
  return status.substr(begin, status.find('\n', begin) - begin);
}

os::ProcessOptions inFolder(const std::string& folder) {
  os::ProcessOptions options;
  options.directory = folder;
  return options;
}

}  // namespace

FIBER_TEST_ON("uring",
              "a program is found in PATH, by a path, and by a relative path [PROCESS-1]") {
  const NoChildrenLeft check;
  const Folder folder;
  fill(folder / "mine", "#!/bin/sh\necho mine $1\n");
  ::chmod((folder / "mine").c_str(), 0700);
  os::RunProcessOptions found;
  found.process.environment = {{"PATH", "/nonexistent:" + folder.path() + ":/bin"}};
  os::RunProcessOptions relative;
  relative.process.directory = folder.path();

  CHECK(os::run({"true"}).status.isSuccess());
  CHECK(os::run({folder / "mine", "a"}).output == "mine a\n");
  CHECK(os::run({"mine", "b"}, found).output == "mine b\n");
  CHECK(os::run({"./mine", "c"}, relative).output == "mine c\n");
}

FIBER_TEST_ON("uring", "a program that cannot be started is named, with the reason [PROCESS-1]") {
  const NoChildrenLeft check;
  const Folder folder;
  fill(folder / "plain", "no program");
  fill(folder / "strange", "no format that is known");
  ::chmod((folder / "strange").c_str(), 0700);

  CHECK(contains(refusal({"no-such-program"}, ENOENT), "starting 'no-such-program'"));
  CHECK(contains(refusal({folder / "none"}, ENOENT), "none'"));
  CHECK(contains(refusal({folder / "plain"}, EACCES), "plain'"));
  CHECK(contains(refusal({folder / "strange"}, ENOEXEC), "strange'"));
  CHECK(contains(refusal({folder.path()}, EACCES), "starting"));
  CHECK(contains(refusal({""}, ENOENT), "starting ''"));
  CHECK(contains(refusal({"true", std::string(4 << 20, 'x')}, E2BIG), "starting 'true'"));
  CHECK(contains(refusal({"true"}, ENOENT, inFolder("/no/such")), "the directory '/no/such'"));
  CHECK(contains(refusal({"true"}, ENOTDIR, inFolder(folder / "plain")), "the directory"));
}

FIBER_TEST_ON("uring",
              "a descriptor that is not open is refused, and what it was for [PROCESS-1]") {
  const NoChildrenLeft check;
  os::ProcessOptions redirected;
  redirected.output = os::Redirect::to(999);
  os::ProcessOptions kept;
  kept.descriptors = {999};
  os::ProcessOptions swapped;
  swapped.input = os::Redirect::toOutput();

  CHECK(contains(refusal({"true"}, EBADF, redirected), "standard stream"));
  CHECK(contains(refusal({"true"}, EBADF, kept), "descriptors it shall have"));
  CHECK_THROWS_AS(os::Process::start({"true"}, swapped), std::invalid_argument);
}

FIBER_TEST_ON("uring", "nonsense is refused before anything is started [PROCESS-1]") {
  const NoChildrenLeft check;
  os::ProcessOptions options;
  options.environment = {{"A=B", "c"}};

  CHECK_THROWS_AS(os::Process::start({}), std::invalid_argument);
  CHECK_THROWS_AS(os::Process::start({std::string("a\0b", 3)}), std::invalid_argument);
  CHECK_THROWS_AS(os::Process::start({"true"}, options), std::invalid_argument);
}

FIBER_TEST_ON("sim", "a simulated kernel has no processes, and says so [PROCESS-1]") {
  CHECK(contains(refusal({"true"}, EOPNOTSUPP), "starting 'true'"));
}

FIBER_TEST_ON("uring", "a killed starter starts nothing [PROCESS-1]") {
  const NoChildrenLeft check;
  auto starter = spawn([] {
    current().requestKill();
    os::Process::start({"sleep", "1000"});
    FAIL_CHECK("it has started");
  });

  starter.join();
  CHECK(starter.isKilled());
}

TEST_CASE("a child has default actions of all signals and none blocked [PROCESS-2]") {
  const NoChildrenLeft check;
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGHUP, &ignore, &before);
  sigset_t blocked;
  sigset_t mask;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR2);
  ::sigaddset(&blocked, SIGRTMIN + 3);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);

  std::string status;
  runFiberTest(onKernel("uring"), [&] { status = os::run({"cat", "/proc/self/status"}).output; });

  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, &mask, &after);
  struct sigaction mine{};
  ::sigaction(SIGHUP, &before, &mine);
  for (const char* each : {"SigIgn", "SigBlk", "SigCgt"}) {
    CAPTURE(each);
    CHECK(field(status, each) == std::string(16, '0'));
  }
  // Ours have stayed.
  CHECK((mine.sa_handler == SIG_IGN));
  CHECK(::sigismember(&after, SIGUSR2) == 1);
  CHECK(::sigismember(&after, SIGTERM) == 0);
}

FIBER_TEST_ON("uring", "a child has the standard streams and no other descriptor [PROCESS-3]") {
  const NoChildrenLeft check;
  const int leaky = ::open("/dev/null", O_RDONLY);  // as a library without close-on-exec has it
  const int wanted = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  os::ProcessOptions options;
  options.descriptors = {wanted};

  CHECK(outputOf("ls /proc/$$/fd") == "0\n1\n2\n");
  CHECK(outputOf("ls /proc/$$/fd", options) == "0\n1\n2\n" + std::to_string(wanted) + "\n");
  // Not ours: they are as they were.
  CHECK(::fcntl(leaky, F_GETFD) == 0);
  CHECK(::fcntl(wanted, F_GETFD) == FD_CLOEXEC);
  ::close(leaky);
  ::close(wanted);
}

FIBER_TEST_ON("uring", "standard streams lead where they were asked to [PROCESS-3]") {
  const NoChildrenLeft check;
  const Folder folder;
  fill(folder / "in", "input\n");
  const int in = ::open((folder / "in").c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  os::ProcessOptions options;
  options.input = os::Redirect::to(in);
  options.output = os::Redirect::to(out);
  options.error = os::Redirect::toOutput();
  os::ProcessOptions nothing;
  nothing.input = nothing.error = os::Redirect::null();
  nothing.output = os::Redirect::pipe();

  CHECK(shell("cat; echo output; echo error >&2", options).wait().isSuccess());
  CHECK(contentOf(folder / "out") == "input\noutput\nerror\n");
  CHECK(::fcntl(in, F_GETFD) == FD_CLOEXEC);
  ::close(in);
  ::close(out);
  os::Process silent = shell("cat; readlink /proc/$$/fd/0 /proc/$$/fd/2", nothing);
  CHECK(silent.communicate().output == "/dev/null\n/dev/null\n");
}

TEST_CASE("standard streams may be swapped, doubled and closed here [PROCESS-3]") {
  const NoChildrenLeft check;
  const Folder folder;
  // In a process of its own, whose standard streams can be changed.
  const int status = inChild([&folder] {
    for (const char* name : {"a", "b"}) fill(folder / name, "");
    ::close(0);
    ::close(1);
    ::close(2);
    ::open((folder / "a").c_str(), O_RDWR | O_APPEND);
    ::open((folder / "b").c_str(), O_RDWR | O_APPEND);
    return run(onKernel("uring"), [] {
      os::ProcessOptions swapped;
      swapped.input = os::Redirect::null();
      swapped.output = os::Redirect::to(0);
      swapped.error = os::Redirect::to(1);
      if (!shell("echo to-a; echo to-b >&2", swapped).wait().isSuccess()) return 1;
      swapped.output = os::Redirect::to(1);
      if (!shell("echo one; echo two >&2", swapped).wait().isSuccess()) return 2;
      // Number 2 is closed here, so one of the pipe's ends gets it.
      os::ProcessOptions missing;
      missing.input = missing.output = os::Redirect::pipe();
      os::Process process = shell("cat; test -e /proc/$$/fd/2 && echo open", missing);
      return process.communicate("text\n").output == "text\n" ? 0 : 3;
    });
  });

  CHECK(status == 0);
  CHECK(contentOf(folder / "a") == "to-a\n");
  CHECK(contentOf(folder / "b") == "to-b\none\ntwo\n");
}

FIBER_TEST_ON("uring",
              "the environment is ours with what was set and unset, or only that [PROCESS-4]") {
  const NoChildrenLeft check;
  ::setenv("PLAIT_TEST_MINE", "mine", 1);
  ::setenv("PLAIT_TEST_GONE", "gone", 1);
  os::ProcessOptions options;
  options.environment = {{"PLAIT_TEST_NEW", "a=b"}, {"PLAIT_TEST_GONE", std::nullopt}};
  os::RunProcessOptions alone;
  alone.process.clearEnvironment = true;
  alone.process.environment = {{"A", "1"}, {"B", ""}, {"A", "2"}};

  CHECK(outputOf("echo $PLAIT_TEST_MINE,$PLAIT_TEST_NEW,$PLAIT_TEST_GONE,", options) ==
        "mine,a=b,,\n");
  CHECK(os::run({"env"}, alone).output == "B=\nA=2\n");
  ::unsetenv("PLAIT_TEST_MINE");
  ::unsetenv("PLAIT_TEST_GONE");
}

FIBER_TEST_ON("uring", "directory, session and group are as asked [PROCESS-4]") {
  const NoChildrenLeft check;
  const Folder folder;
  os::ProcessOptions session;
  session.newSession = true;
  os::ProcessOptions group;
  group.newGroup = true;
  // Fields 5 and 6 of its stat: the group and the session.
  const std::string script = "set -- $(cat /proc/$$/stat); echo $(($5 == $$)) $(($6 == $$))";

  CHECK(outputOf("pwd", inFolder(folder.path())) == folder.path() + "\n");
  CHECK(outputOf(script, session) == "1 1\n");
  CHECK(outputOf(script, group) == "1 0\n");
  CHECK(outputOf(script) == "0 0\n");
}

TEST_CASE("a child that shall end with its parent does [PROCESS-4]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  // The parent is killed: no destructor helps.
  const int status = inChild([&ends] {
    return run(onKernel("uring"), [&ends] {
      os::ProcessOptions options;
      options.endWithParent = true;
      options.output = os::Redirect::to(ends[1]);
      os::Process process = os::Process::start({"sleep", "1000"}, options);
      ::raise(SIGKILL);
      return 0;
    });
  });
  ::close(ends[1]);

  CHECK(status == -SIGKILL);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);  // nobody holds the other end any more
  ::close(ends[0]);
}
