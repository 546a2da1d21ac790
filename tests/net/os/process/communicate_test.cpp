// All streams of a child at once, and os::run.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "plait/error.h"
#include "plait/timeout.h"
#include "process_support.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t state = 1;
  for (char& each : text) each = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

}  // namespace

FIBER_TEST_ON("uring", "input, output and errors go through a child [PROCESS-7]") {
  const NoChildrenLeft check;
  os::Process process = shell("cat; echo wrong >&2; exit 3");

  const os::Process::Output result = process.communicate("some input");

  CHECK(result.output == "some input");
  CHECK(result.error == "wrong\n");
  CHECK(result.status.code == 3);
  CHECK_FALSE(process.output().isOpen());
}

FIBER_TEST_ON("uring", "64 MiB through cat and back are whole [PROCESS-7]") {
  const NoChildrenLeft check;
  const std::string data = pattern(64 << 20);

  const os::Process::Output result =
      os::Process::start({"cat"}, withPipes()).communicate(data, data.size());

  CHECK((result.output == data));
  CHECK(result.error.empty());
}

FIBER_TEST_ON("uring", "much of both outputs at once, and an unread input [PROCESS-7]") {
  const NoChildrenLeft check;
  os::Process process =
      shell("head -c 1000000 /dev/zero >&2 & head -c 2000000 /dev/zero; wait; exit 0");

  const os::Process::Output result = process.communicate(pattern(3 << 20));

  CHECK(result.output.size() == 2'000'000);
  CHECK(result.error.size() == 1'000'000);
  CHECK(result.status.isSuccess());
}

FIBER_TEST_ON("uring", "an output over the limit kills the child [PROCESS-7]") {
  const NoChildrenLeft check;
  os::Process process = os::Process::start({"yes"}, withPipes());
  os::Process wordy = shell("yes >&2");

  CHECK_THROWS_AS(process.communicate({}, 100'000), LimitError);
  CHECK_THROWS_AS(wordy.communicate({}, 0), LimitError);

  CHECK(process.wait().signal == SIGKILL);
  CHECK(wordy.wait().signal == SIGKILL);
}

FIBER_TEST_ON("uring", "exactly the limit is allowed [PROCESS-7]") {
  const NoChildrenLeft check;

  CHECK(shell("head -c 1000 /dev/zero").communicate({}, 1000).output.size() == 1000);
  CHECK_THROWS_AS(shell("head -c 1001 /dev/zero").communicate({}, 1000), LimitError);
  CHECK(shell("exit 0").communicate({}, 0).output.empty());
}

FIBER_TEST_ON("uring", "an input for a child without a pipe for it is refused [PROCESS-7]") {
  const NoChildrenLeft check;
  os::ProcessOptions options;
  options.input = os::Redirect::null();
  os::Process process = os::Process::start({"true"}, options);

  CHECK_THROWS_AS(process.communicate("x"), std::logic_error);
  CHECK(process.communicate().status.isSuccess());
}

FIBER_TEST_ON("uring", "a killed communicate kills and reaps the child first [PROCESS-8]") {
  const NoChildrenLeft check;
  // Parked in all three streams, and in the wait after their ends.
  for (const char* script : {"sleep 1000", "exec <&- >&- 2>&-; sleep 1000"}) {
    CAPTURE(script);
    os::Process process = shell(std::string("echo ready; ") + script);
    readLine(process.output());
    auto caller = spawn([&process] { process.communicate(pattern(1 << 20)); });
    settle();

    caller.kill();

    CHECK_FALSE(process.isRunning());
    CHECK(process.wait().signal == SIGKILL);
    untilNoChildren();
  }
}

FIBER_TEST_ON("uring", "a run whose time is up kills and reaps its child first [PROCESS-8]") {
  const NoChildrenLeft check;

  CHECK_THROWS_AS(withTimeout(5ms, [] { os::run({"sleep", "1000"}); }), TimeoutError);
  CHECK_FALSE(hasChildren());
  auto caller = spawn([] { os::run({"sleep", "1000"}); });
  settle();
  caller.kill();
  CHECK_FALSE(hasChildren());
}

FIBER_TEST_ON("uring", "run collects both outputs, and a failure with its text [PROCESS-12]") {
  const NoChildrenLeft check;
  os::RunProcessOptions options;
  options.input = "in";
  os::RunProcessOptions unchecked;
  unchecked.check = false;

  const os::Process::Output result = os::run({"sh", "-c", "cat; echo err >&2"}, options);
  CHECK(result.output == "in");
  CHECK(result.error == "err\n");
  CHECK(os::run({"cat"}).output.empty());
  CHECK(os::run({"false"}, unchecked).status.code == 1);

  try {
    os::run({"sh", "-c", "echo the reason >&2; exit 3"});
    FAIL_CHECK("no failure");
  } catch (const os::ProcessFailed& error) {
    const std::string text = error.what();
    CHECK(error.status().code == 3);
    CHECK(error.code().value() == 3);
    CHECK(text.find("exit status 3") != std::string::npos);
    CHECK(text.find("the reason") != std::string::npos);
    CHECK(text.find("sh -c") != std::string::npos);
  }
  CHECK_THROWS_AS(os::run({"sh", "-c", "kill -KILL $$"}), os::ProcessFailed);
}

FIBER_TEST_ON("uring", "run leaves outputs that lead elsewhere alone [PROCESS-12]") {
  const NoChildrenLeft check;
  os::RunProcessOptions options;
  options.process.output = os::Redirect::null();
  options.process.error = os::Redirect::toOutput();
  os::RunProcessOptions both;
  both.process.error = os::Redirect::toOutput();

  CHECK(os::run({"sh", "-c", "echo a; echo b >&2"}, options).output.empty());
  CHECK(os::run({"sh", "-c", "echo a; echo b >&2"}, both).output == "a\nb\n");
}

FIBER_TEST_ON("uring", "run has limits, too [PROCESS-7]") {
  const NoChildrenLeft check;
  os::RunProcessOptions options;
  options.outputMax = 1000;

  CHECK_THROWS_AS(os::run({"yes"}, options), LimitError);
  CHECK_FALSE(hasChildren());
}
