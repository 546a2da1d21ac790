// A child begins as vfork(2) does it: in the parent's memory, on a stack of its own, while the
// calling thread waits until the program is executed. Nothing is copied, however large the parent
// is. The child does nothing but system calls: locks, the heap and whatever else the parent's other
// threads use meanwhile are not its own. All signals are blocked until it has reset their actions,
// or a handler of the parent's would run in the parent's memory under another process id.

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>

#include "child_plan.h"
#include "plait/detail/raw.h"
#include "plait/detail/sanitizer.h"

namespace plait::os::detail {
namespace {

using plait::detail::raw::systemCall;

constexpr std::size_t kStackBytes = 32 << 10;
constexpr int kSignalsMax = 64;
constexpr long kMaskBytes = kSignalsMax / 8;
constexpr int kStandardStreams = 3;

long address(const void* value) noexcept { return reinterpret_cast<long>(value); }

// The kernel's struct sigaction, whose default is all zero.
struct KernelAction {
  unsigned long words[4];
};

// --- in the child ---

PLAIT_UNINSTRUMENTED void fail(ChildOrders& orders, StartStep step, long result) noexcept {
  orders.failed = step;
  orders.reason = static_cast<int>(-result);
  for (;;) systemCall(SYS_exit_group, 127);
}

PLAIT_UNINSTRUMENTED void resetSignals() noexcept {
  const KernelAction standard{};
  // Those of SIGKILL and SIGSTOP cannot be set, and need not be.
  for (int number = 1; number <= kSignalsMax; ++number) {
    systemCall(SYS_rt_sigaction, number, reinterpret_cast<long>(&standard), 0, kMaskBytes);
  }
}

PLAIT_UNINSTRUMENTED long setCloseOnExec(int descriptor, bool on) noexcept {
  return systemCall(SYS_fcntl, descriptor, F_SETFD, on ? FD_CLOEXEC : 0);
}

// A source that is itself a standard stream may be overwritten before its turn: it moves away
// first.
PLAIT_UNINSTRUMENTED void redirect(ChildOrders& orders) noexcept {
  int sources[kStandardStreams];
  for (int i = 0; i < kStandardStreams; ++i) {
    sources[i] = orders.sources[i];
    if (sources[i] < 0 || sources[i] >= kStandardStreams || sources[i] == i) continue;
    const long moved = systemCall(SYS_fcntl, sources[i], F_DUPFD_CLOEXEC, kStandardStreams);
    if (moved < 0) fail(orders, StartStep::redirect, moved);
    sources[i] = static_cast<int>(moved);
  }
  for (int i = 0; i < kStandardStreams; ++i) {
    long result = 0;
    if (sources[i] < 0) {
      systemCall(SYS_close, i);
    } else if (sources[i] == i) {
      result = setCloseOnExec(i, false);
    } else {
      result = systemCall(SYS_dup3, sources[i], i, 0);
    }
    if (result < 0) fail(orders, StartStep::redirect, result);
  }
}

PLAIT_UNINSTRUMENTED void closeOthersAtExec(ChildOrders& orders) noexcept {
  const long result =
      systemCall(SYS_close_range, kStandardStreams, ~0U, static_cast<long>(CLOSE_RANGE_CLOEXEC));
  if (result < 0) {
    for (int each = kStandardStreams; each < orders.descriptorsMax; ++each) {
      setCloseOnExec(each, true);
    }
  }
  for (std::size_t i = 0; i < orders.keptCount; ++i) {
    const long kept = setCloseOnExec(orders.kept[i], false);
    if (kept < 0) fail(orders, StartStep::keep, kept);
  }
}

// As execvp(3) does it, but without a shell for what has no known format.
PLAIT_UNINSTRUMENTED void execute(ChildOrders& orders) noexcept {
  long reason = -ENOENT;
  for (char* const* each = orders.programs; *each != nullptr; ++each) {
    const long result = systemCall(SYS_execve, reinterpret_cast<long>(*each),
                                   reinterpret_cast<long>(orders.arguments),
                                   reinterpret_cast<long>(orders.environment));
    if (result == -ENOENT || result == -ENOTDIR) continue;
    reason = result;
    // Another folder may have one that may be executed.
    if (result != -EACCES) break;
  }
  fail(orders, StartStep::execute, reason);
}

PLAIT_UNINSTRUMENTED void runChild(void* argument) noexcept {
  ChildOrders& orders = *static_cast<ChildOrders*>(argument);
  resetSignals();
  if (orders.endWithParent) {
    const long result = systemCall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (result < 0) fail(orders, StartStep::endWithParent, result);
    // It may have ended before.
    if (systemCall(SYS_getppid) != orders.parent) fail(orders, StartStep::endWithParent, -ESRCH);
  }
  if (orders.newSession) {
    const long result = systemCall(SYS_setsid);
    if (result < 0) fail(orders, StartStep::session, result);
  } else if (orders.newGroup) {
    const long result = systemCall(SYS_setpgid, 0, 0);
    if (result < 0) fail(orders, StartStep::group, result);
  }
  redirect(orders);
  closeOthersAtExec(orders);
  if (orders.directory != nullptr) {
    const long result = systemCall(SYS_chdir, reinterpret_cast<long>(orders.directory));
    if (result < 0) fail(orders, StartStep::directory, result);
  }
  const unsigned long none = 0;
  systemCall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&none), 0, kMaskBytes);
  execute(orders);
}

// --- in the parent ---

// clone(2) into `f` on another stack. Not libc's: ThreadSanitizer takes that for a fork with a
// memory of its own, and unlocks its locks in both. Returns the child's id or negative errno.
[[gnu::noinline]] PLAIT_UNINSTRUMENTED long cloneInto(unsigned long flags, std::byte* stackTop,
                                                      int* pidfd, void (*f)(void*) noexcept,
                                                      void* argument) noexcept {
  long result = 0;
#if defined(__x86_64__)
  register auto function asm("r12") = f;
  register void* data asm("r13") = argument;
  register long childId asm("r10") = 0;
  register long threadLocals asm("r8") = 0;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(stackTop), "d"(pidfd), "r"(childId), "r"(threadLocals),
        "r"(function), "r"(data)
      : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 asm("x8") = SYS_clone;
  register auto x0 asm("x0") = flags;
  register auto x1 asm("x1") = stackTop;
  register auto x2 asm("x2") = pidfd;
  register long x3 asm("x3") = 0;
  register long x4 asm("x4") = 0;
  register auto x19 asm("x19") = f;
  register void* x20 asm("x20") = argument;
  asm volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "brk #1\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19), "r"(x20)
      : "memory");
  result = static_cast<long>(x0);
#else
#error "plait knows the clone call of x86-64 and aarch64 only"
#endif
  return result;
}

// Of one that has failed. It is a matter of microseconds: it has left our memory already.
void reap(long id) noexcept {
  while (systemCall(SYS_wait4, id, 0, __WALL, 0) == -EINTR) continue;
}

}  // namespace

StartedChild startChild(ChildPlan& plan) {
  // 16 bytes of alignment are what a call wants, and what new gives.
  const std::unique_ptr<std::byte[]> stack(new std::byte[kStackBytes]);
  const unsigned long all = ~0UL;
  unsigned long before = 0;
  int descriptor = -1;

  systemCall(SYS_rt_sigprocmask, SIG_SETMASK, address(&all), address(&before), kMaskBytes);
  // Without an exit signal it is invisible to the program's own waits until it executes.
  const long id = cloneInto(CLONE_VM | CLONE_VFORK | CLONE_PIDFD, stack.get() + kStackBytes,
                            &descriptor, &runChild, &plan.orders);
  systemCall(SYS_rt_sigprocmask, SIG_SETMASK, address(&before), 0, kMaskBytes);

  if (id < 0) plan.throwFailure(static_cast<int>(-id));
  if (plan.orders.failed != StartStep::none) {
    reap(id);
    if (descriptor >= 0) plait::detail::raw::close(descriptor);
    plan.throwFailure(plan.orders.reason);
  }
  if (descriptor >= 0) return {static_cast<int>(id), descriptor};
  // Before Linux 5.2, or under something that only looks like Linux.
  systemCall(SYS_kill, id, SIGKILL);
  reap(id);
  plan.throwFailure(ENOSYS);
}

}  // namespace plait::os::detail
