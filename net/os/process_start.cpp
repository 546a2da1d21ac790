// The standard streams of a child, made in the parent before it starts.

#include <fcntl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "plait/detail/loop.h"
#include "plait/detail/raw.h"
#include "plait/detail/waiter.h"
#include "process_state.h"

namespace plait::os::detail {
namespace {

using plait::detail::raw::systemCall;

// A descriptor that closes itself: of the child's side, which the child has as its own.
class Number final {
 public:
  Number() = default;
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  ~Number() {
    if (value_ >= 0) plait::detail::raw::close(value_);
  }

  int set(int value) noexcept { return value_ = value; }

 private:
  int value_ = -1;
};

class Streams final {
 public:
  // The child's sources of its standard streams, and our ends of those that are pipes.
  Streams(ProcessState& state, const ProcessOptions& options, int (&sources)[3]) {
    // Looked at first: what is made below may get the number of one that is closed here.
    std::array<bool, 3> isOpenHere{};
    for (int i = 0; i < 3; ++i) isOpenHere[i] = systemCall(SYS_fcntl, i, F_GETFD) >= 0;
    const std::array<const Redirect*, 3> how{&options.input, &options.output, &options.error};
    const std::array<PipeStream*, 3> ours{&state.input, &state.output, &state.error};
    for (int i = 0; i < 3; ++i) {
      switch (how[i]->kind()) {
        case Redirect::Kind::inherit:
          sources[i] = isOpenHere[i] ? i : -1;
          break;
        case Redirect::Kind::null:
          sources[i] = openNull(theirs_[i]);
          break;
        case Redirect::Kind::pipe:
          sources[i] = makePipe(*ours[i], i == 0, theirs_[i]);
          break;
        case Redirect::Kind::output:
          if (i != 2)
            throw std::invalid_argument("Redirect::toOutput() is for standard error only");
          sources[i] = sources[1];
          break;
        case Redirect::Kind::descriptor:
          if (how[i]->descriptor() < 0) throw IoError(EBADF, "redirecting a standard stream");
          sources[i] = how[i]->descriptor();
          break;
      }
    }
  }

 private:
  static int openNull(Number& theirs) {
    const long result =
        systemCall(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/dev/null"), O_RDWR | O_CLOEXEC);
    if (result < 0) throw IoError(static_cast<int>(-result), "opening /dev/null");
    return theirs.set(static_cast<int>(result));
  }

  static int makePipe(PipeStream& ours, bool weWrite, Number& theirs) {
    auto [reader, writer] = pipe();
    ours = std::move(weWrite ? writer : reader);
    return theirs.set((weWrite ? reader : writer).detach());
  }

  std::array<Number, 3> theirs_;
};

}  // namespace

ProcessState::~ProcessState() {
  if (!child || detached || !child->isMine() || child->tryReap()) return;
  const bool killed = child->kill();
  leaveToBackground(std::move(child), killed);
}

std::unique_ptr<ProcessState> startProcess(std::vector<std::string> arguments,
                                           const ProcessOptions& options) {
  plait::detail::checkpoint();
  ChildPlan plan(std::move(arguments), options);
  plait::detail::Loop& loop = plait::detail::Loop::require("os::Process::start()");
  // A simulated kernel has no processes, nor pipes that one could be given.
  if (loop.kernel().info().name == "sim") plan.throwFailure(EOPNOTSUPP);
  auto state = std::make_unique<ProcessState>(options);
  // Before the start: nothing may fail after it.
  auto child = std::make_shared<Child>(plan.describe());
  const Streams streams(*state, options, plan.orders.sources);
  child->begin(startChild(plan));
  state->child = std::move(child);
  return state;
}

}  // namespace plait::os::detail
