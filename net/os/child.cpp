#include "child.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/detail/waiter.h"

namespace plait::os::detail {
namespace {

using plait::detail::Op;
using plait::detail::OpKind;
using plait::detail::raw::systemCall;

constexpr unsigned long kSignalProcessGroup = 1 << 2;  // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9
constexpr std::uint64_t kInfoExit = 1 << 3;            // PIDFD_INFO_EXIT, Linux 6.15

// The first version of the kernel's struct pidfd_info.
struct ExitInfo {
  std::uint64_t mask = kInfoExit;
  std::uint64_t controlGroup = 0;
  std::uint32_t ids[11] = {};
  std::int32_t waitStatus = 0;
};
constexpr unsigned long kGetInfo = _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, sizeof(ExitInfo));

ExitStatus fromInfo(const siginfo_t& info) noexcept {
  ExitStatus status;
  (info.si_code == CLD_EXITED ? status.code : status.signal) = info.si_status;
  status.dumped = info.si_code == CLD_DUMPED;
  return status;
}

ExitStatus fromWaitStatus(int number) noexcept {
  ExitStatus status;
  if (WIFEXITED(number)) status.code = WEXITSTATUS(number);
  if (WIFSIGNALED(number)) {
    status.signal = WTERMSIG(number);
    status.dumped = WCOREDUMP(number);
  }
  return status;
}

}  // namespace

Child::~Child() {
  if (descriptor_ >= 0) plait::detail::raw::close(descriptor_);
}

void Child::begin(const StartedChild& started) noexcept {
  id_ = started.id;
  descriptor_ = started.descriptor;
  forkGeneration_ = plait::detail::process::forkGeneration();
}

void Child::waitUntilOver() {
  plait::detail::checkpoint();
  while (!tryReap()) {
    Op op(OpKind::poll, descriptor_);
    // A hang-up is told without being asked for.
    op.flags = beingTaken_ ? 0 : POLLIN;
    const std::int32_t result = plait::detail::await(op, "Process::wait");
    if (result < 0 && result != -EINTR && result != -ECANCELED) lost_ = -result;
  }
}

bool Child::tryReap() noexcept {
  if (status_ || lost_ != 0) return true;
  const long result = reap(WNOHANG);
  if (result == -ECHILD) return recoverStatus();
  if (result < 0) lost_ = static_cast<int>(-result);
  return status_ || lost_ != 0;
}

// P_PIDFD: no other child is looked at, and a number given anew is not mistaken for this one.
long Child::reap(int options) noexcept {
  siginfo_t info{};
  const long result = systemCall(SYS_waitid, P_PIDFD, descriptor_, reinterpret_cast<long>(&info),
                                 WEXITED | __WALL | options, 0);
  if (result == 0 && info.si_pid != 0) status_ = fromInfo(info);
  return result;
}

// A waitpid(-1) of the program was faster, or its SIGCHLD is ignored. The pidfd may know the status
// still.
bool Child::recoverStatus() noexcept {
  ExitInfo info;
  const long result = systemCall(SYS_ioctl, descriptor_, static_cast<long>(kGetInfo),
                                 reinterpret_cast<long>(&info));
  beingTaken_ = result == 0 && (info.mask & kInfoExit) == 0;
  if (beingTaken_) return false;
  if (result == 0) {
    status_ = fromWaitStatus(info.waitStatus);
  } else {
    lost_ = ECHILD;
  }
  return true;
}

ExitStatus Child::status() const {
  if (!status_) {
    throw IoError(lost_, "waiting for " + describe() + ", whose status somebody else has taken");
  }
  return *status_;
}

bool Child::send(int number) {
  if (tryReap()) return false;
  return checkSent(systemCall(SYS_pidfd_send_signal, descriptor_, number), number);
}

bool Child::sendToGroup(int number) {
  const long result = systemCall(SYS_pidfd_send_signal, descriptor_, number, 0,
                                 static_cast<long>(kSignalProcessGroup));
  if (result != -EINVAL) return checkSent(result, number);
  // An older kernel. As long as the child is not reaped its number is nobody else's.
  if (tryReap()) return false;
  return checkSent(systemCall(SYS_kill, -id_, number), number);
}

bool Child::checkSent(long result, int number) const {
  if (result == 0 || result == -ESRCH) return result == 0;
  throw IoError(static_cast<int>(-result),
                "sending signal " + std::to_string(number) + " to " + describe());
}

bool Child::kill() noexcept {
  return !tryReap() && systemCall(SYS_pidfd_send_signal, descriptor_, SIGKILL) == 0;
}

void Child::killAndReap() noexcept {
  if (!kill()) return;
  while (!tryReap()) {
    if (reap(0) == -ECHILD) return;
  }
}

bool Child::isMine() const noexcept {
  return forkGeneration_ == plait::detail::process::forkGeneration();
}

std::string Child::describe() const {
  return "process " + std::to_string(id_) + " (" + command_ + ")";
}

KillUnlessOver::~KillUnlessOver() {
  if (child_->tryReap()) return;
  if (!child_->kill()) {
    leaveToBackground(std::move(child_), false);
    return;
  }
  const CancelShield shield;
  child_->waitUntilOver();
}

}  // namespace plait::os::detail
