#include "plait/process.h"

#include <signal.h>
#include <string.h>

#include <stdexcept>

#include "plait/timeout.h"
#include "process_state.h"

namespace plait::os {

using detail::Child;
using detail::ProcessState;

namespace {

constexpr std::size_t kQuotedMax = 2000;  // bytes of the error output in a message

class ExitCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "exit status"; }
  std::string message(int code) const override { return "exit status " + std::to_string(code); }
};

const std::error_category& exitCategory() noexcept {
  static const ExitCategory category;
  return category;
}

// As shells show it.
std::error_code codeOf(const ExitStatus& status) noexcept {
  return {status.signal == 0 ? status.code : 128 + status.signal, exitCategory()};
}

std::string failure(const std::string& command, const ExitStatus& status,
                    const std::string& errorOutput) {
  std::string text = "'" + command + "' failed: " + status.describe();
  std::string_view quoted = errorOutput;
  while (quoted.ends_with('\n')) quoted.remove_suffix(1);
  if (quoted.empty()) return text;
  const bool isCut = quoted.size() > kQuotedMax;
  if (isCut) quoted.remove_prefix(quoted.size() - kQuotedMax);
  return text + "; its error output" + (isCut ? " ends with:\n" : ":\n") + std::string(quoted);
}

ProcessState& require(const std::unique_ptr<ProcessState>& state, const char* what) {
  if (state) return *state;
  throw std::logic_error(std::string("Process::") + what + " of no process");
}

// A Process without a child has closed streams.
PipeStream& noStream() noexcept {
  static PipeStream none;
  return none;
}

}  // namespace

std::string ExitStatus::describe() const {
  if (signal == 0) return "exit status " + std::to_string(code);
  const char* const name = ::sigabbrev_np(signal);
  std::string text = "ended by ";
  text += name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
  return dumped ? text + " (core dumped)" : text;
}

ProcessFailed::ProcessFailed(const std::string& command, ExitStatus status,
                             const std::string& errorOutput)
    : Error(codeOf(status), failure(command, status, errorOutput)), status_(status) {}

Process::Process() noexcept = default;
Process::Process(Process&& other) noexcept = default;
Process::~Process() = default;

Process& Process::operator=(Process&& other) noexcept = default;

Process Process::start(std::vector<std::string> arguments, ProcessOptions options) {
  Process process;
  process.state_ = detail::startProcess(std::move(arguments), options);
  return process;
}

PipeStream& Process::input() noexcept { return state_ ? state_->input : noStream(); }
PipeStream& Process::output() noexcept { return state_ ? state_->output : noStream(); }
PipeStream& Process::error() noexcept { return state_ ? state_->error : noStream(); }

ExitStatus Process::wait() {
  // Its own share: the handle may go meanwhile, and kill it.
  const std::shared_ptr<Child> child = require(state_, "wait").child;
  child->waitUntilOver();
  return child->status();
}

std::optional<ExitStatus> Process::tryWait() {
  Child& child = *require(state_, "tryWait").child;
  if (!child.tryReap()) return std::nullopt;
  return child.status();
}

Process::Output Process::communicate(std::string_view input, std::size_t limit) {
  ProcessState& state = require(state_, "communicate");
  if (!input.empty() && !state.input.isOpen()) {
    throw std::logic_error("Process::communicate: an input for " + state.child->describe() +
                           ", which has no pipe for it");
  }
  return detail::communicate(state, input, limit);
}

bool Process::signal(int number) { return require(state_, "signal").child->send(number); }

bool Process::signalGroup(int number) {
  ProcessState& state = require(state_, "signalGroup");
  if (!state.leadsGroup) {
    throw std::logic_error("Process::signalGroup: " + state.child->describe() +
                           " has no group of its own; start it with newGroup or newSession");
  }
  return state.child->sendToGroup(number);
}

bool Process::kill() { return signal(SIGKILL); }

ExitStatus Process::terminate() {
  const ProcessState& state = require(state_, "terminate");
  const std::shared_ptr<Child> child = state.child;
  const Duration grace = state.grace;
  child->send(SIGTERM);
  const detail::KillUnlessOver guard(child);
  const bool isOver = withTimeout(
      grace,
      [&child] {
        child->waitUntilOver();
        return true;
      },
      false);
  if (!isOver) {
    child->kill();
    child->waitUntilOver();
  }
  return child->status();
}

void Process::detach() noexcept {
  if (!state_ || std::exchange(state_->detached, true) || state_->child->tryReap()) return;
  detail::leaveToBackground(state_->child, false);
}

bool Process::isRunning() { return state_ && !state_->child->tryReap(); }

std::int32_t Process::id() const noexcept { return state_ ? state_->child->id() : -1; }

std::string Process::describe() const { return state_ ? state_->child->describe() : "no process"; }

Process::Output run(std::vector<std::string> arguments, RunProcessOptions options) {
  ProcessOptions& how = options.process;
  if (how.input.kind() == Redirect::Kind::inherit) {
    how.input = options.input.empty() ? Redirect::null() : Redirect::pipe();
  }
  for (Redirect* const each : {&how.output, &how.error}) {
    if (each->kind() == Redirect::Kind::inherit) *each = Redirect::pipe();
  }
  std::string command = detail::describeCommand(arguments);
  Process process = Process::start(std::move(arguments), std::move(how));
  Process::Output result = process.communicate(options.input, options.outputMax);
  if (options.check && !result.status.isSuccess()) {
    throw ProcessFailed(command, result.status, result.error);
  }
  return result;
}

}  // namespace plait::os
