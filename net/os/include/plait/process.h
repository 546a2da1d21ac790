// Child processes. A child is waited for by its pidfd and only so: plait takes no child of the
// program's. The kernel lets none be hidden from the program: its SIGCHLD handler is called for
// plait's too, and its waitpid(-1), or SIGCHLD set to SIG_IGN, may reap one. The status is known
// all the same from Linux 6.15 on; before, wait() throws then. No zombie stays of a child that is
// dropped, or whose waiter in communicate(), terminate() or run() is killed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/error.h"
#include "plait/pipe.h"
#include "plait/time.h"

namespace plait::os {

namespace detail {
class ProcessState;
}

inline constexpr std::size_t kCommunicateMax = 64 << 20;  // bytes of each output
inline constexpr Duration kTerminateGrace = std::chrono::seconds(5);

// How a process ended.
struct ExitStatus {
  int code = 0;         // of exit(); meaningless after a signal
  int signal = 0;       // that ended it; 0: it exited
  bool dumped = false;  // core
  bool isSuccess() const noexcept { return signal == 0 && code == 0; }
  std::string describe() const;  // "exit status 3", "ended by SIGKILL"
};

// What run() throws when it was asked to check: code() is the exit status.
class ProcessFailed : public Error {
 public:
  ProcessFailed(const std::string& command, ExitStatus status, const std::string& errorOutput);
  const ExitStatus& status() const noexcept { return status_; }

 private:
  ExitStatus status_;
};

// Where one of the child's three standard streams leads.
class Redirect final {
 public:
  static Redirect inherit() { return Redirect(Kind::inherit); }
  static Redirect null() { return Redirect(Kind::null); }
  static Redirect pipe() { return Redirect(Kind::pipe); }
  static Redirect toOutput() { return Redirect(Kind::output); }  // standard error only
  // A descriptor of the caller's, which stays open here.
  static Redirect to(int descriptor) { return Redirect(Kind::descriptor, descriptor); }

  enum class Kind : std::uint8_t { inherit, null, pipe, output, descriptor };
  Kind kind() const noexcept { return kind_; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  explicit Redirect(Kind kind, int descriptor = -1) noexcept
      : kind_(kind), descriptor_(descriptor) {}
  Kind kind_;
  int descriptor_;
};

struct ProcessOptions {
  Redirect input = Redirect::inherit();
  Redirect output = Redirect::inherit();
  Redirect error = Redirect::inherit();
  std::string directory;  // its working directory; empty: ours
  bool clearEnvironment = false;
  // Set on top of ours, or alone with clearEnvironment; no value: unset. The child's PATH is where
  // it is looked for.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;
  // Other descriptors it shall have, under the same numbers; everything else is closed at exec.
  std::vector<int> descriptors;
  bool newSession = false;  // setsid(): signals of our terminal do not reach it
  bool newGroup = false;  // a process group of its own; then signalGroup() reaches its children too
  bool endWithParent = false;  // the kernel kills it when the thread that started it ends
  Duration terminateGrace = kTerminateGrace;  // between SIGTERM and SIGKILL
};

// A child. It starts with the default actions of all signals and none blocked, whatever our program
// did with its own.
class Process final {
 public:
  Process() noexcept;  // none
  // Starts `arguments[0]`, looked up in PATH; the thread waits until it runs, some 0.1 ms. May
  // switch. Throws: IoError naming the program and the step that failed (ENOENT, EACCES, EAGAIN;
  // EOPNOTSUPP on the sim kernel), std::invalid_argument for no arguments or a zero byte in one.
  static Process start(std::vector<std::string> arguments,
                       ProcessOptions options = ProcessOptions());
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  // A child that still runs is killed, and reaped in the background. detach() for those that shall
  // stay.
  ~Process();

  // Our ends of the redirections that are Redirect::pipe(); closed streams otherwise.
  PipeStream& input() noexcept;   // we write
  PipeStream& output() noexcept;  // we read
  PipeStream& error() noexcept;

  // Until it has ended; then always the same at once. Several fibers may wait. A kill of the waiter
  // leaves the child alone. May switch. Throws: IoError (ECHILD) if somebody else reaped it after
  // all.
  ExitStatus wait();
  std::optional<ExitStatus> tryWait();  // Never switches.

  struct Output {
    std::string output;
    std::string error;
    ExitStatus status;
  };
  // Writes `input` and closes it, reads both outputs to their ends, all at once, and waits. A
  // killed or timed-out caller kills the child, reaps it, and gets the kill or TimeoutError. May
  // switch. Throws: LimitError for more than `limit` bytes of one output (the child is killed);
  // std::logic_error for an input without Redirect::pipe().
  Output communicate(std::string_view input = {}, std::size_t limit = kCommunicateMax);

  // To this child and no other, even if its number was given anew. False if it has ended.
  // Never switches. Throws: IoError.
  bool signal(int number);
  // Its process group, also after its own end. Throws also: std::logic_error if it was started
  // without newGroup or newSession.
  bool signalGroup(int number);
  bool kill();  // SIGKILL
  // SIGTERM, and SIGKILL after the grace. May switch; a kill of the caller kills the child at once.
  ExitStatus terminate();

  // It goes on without us and is reaped in the background while the run goes on; one that outlives
  // the run is left to the program.
  void detach() noexcept;
  bool isRunning();                  // Never switches.
  std::int32_t id() const noexcept;  // -1: none
  std::string describe() const;      // "process 1234 (sleep 10)"

 private:
  std::unique_ptr<detail::ProcessState> state_;
};

struct RunProcessOptions {
  ProcessOptions process;
  std::string input;  // empty: it reads /dev/null, unless process.input leads elsewhere
  std::size_t outputMax = kCommunicateMax;
  bool check = true;  // a failure is ProcessFailed
};

// Starts, communicates and waits: os::run({"git", "status"}).output. Both outputs are collected
// unless the options lead them elsewhere. Killed or timed out (withTimeout) it kills the child and
// reaps it. May switch. Throws: IoError, LimitError, ProcessFailed.
Process::Output run(std::vector<std::string> arguments,
                    RunProcessOptions options = RunProcessOptions());

}  // namespace plait::os
