// Child processes: pidfds, exit signals, and what is left of a child that somebody else reaped.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cstdint>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

struct Child {
  pid_t id = -1;
  Fd pidfd;
};

// As fork, with a pidfd and without an exit signal; the child runs /bin/sh with `script`, or ends
// by itself if there is none.
Child start(const char* script) {
  int pidfd = -1;
  const long id = syscall(SYS_clone, CLONE_PIDFD, nullptr, &pidfd, nullptr, nullptr);
  REQUIRE(id >= 0);
  if (id == 0) {
    alarm(20);
    if (script != nullptr) execl("/bin/sh", "sh", "-c", script, nullptr);
    _exit(7);
  }
  return {static_cast<pid_t>(id), Fd(pidfd)};
}

short waitFor(const Child& child, short events) {
  pollfd each{child.pidfd.get(), events, 0};
  while (poll(&each, 1, -1) < 0) {
  }
  return each.revents;
}

int reap(const Child& child, int options, siginfo_t& info) {
  return waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED | options) == 0
             ? 0
             : errno;
}

struct ExitInfo {
  std::uint64_t mask = 1 << 3;  // PIDFD_INFO_EXIT
  std::uint64_t controlGroup = 0;
  std::uint32_t ids[11] = {};
  std::int32_t status = 0;
};

// The wait status that the pidfd knows; -1 if it knows none, -2 if the kernel has no such thing.
int exitInfo(const Child& child) {
  ExitInfo info;
  const int result = ioctl(child.pidfd.get(), _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, 64), &info);
  if (result != 0) return -2;
  return (info.mask & (1 << 3)) != 0 ? info.status : -1;
}

class IgnoreChildren final {
 public:
  IgnoreChildren() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGCHLD, &ignore, &before_);
  }
  ~IgnoreChildren() { sigaction(SIGCHLD, &before_, nullptr); }

 private:
  struct sigaction before_{};
};

}  // namespace

TEST_CASE("a pidfd can be read when its process has ended, and waited for by __WALL") {
  Child child = start("exit 3");

  CHECK(waitFor(child, POLLIN) == POLLIN);
  siginfo_t info{};
  CHECK(reap(child, WNOHANG | __WALL, info) == 0);
  CHECK(info.si_pid == child.id);
  CHECK(info.si_code == CLD_EXITED);
  CHECK(info.si_status == 3);
  CHECK((waitFor(child, POLLIN) & POLLIN) != 0);
}

TEST_CASE("a child without an exit signal is invisible to waitpid until it executes a program") {
  Child fails = start(nullptr);
  CHECK(waitFor(fails, POLLIN) == POLLIN);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
  siginfo_t info{};
  CHECK(reap(fails, __WALL, info) == 0);
  CHECK(info.si_status == 7);

  Child executes = start("exit 3");
  CHECK(waitFor(executes, POLLIN) == POLLIN);
  CHECK(waitpid(-1, nullptr, WNOHANG) == executes.id);
}

TEST_CASE("of a child that somebody else reaped the pidfd knows the status") {
  Child child = start("exit 3");
  if (exitInfo(child) == -2) {
    waitpid(child.id, nullptr, 0);
    return;
  }
  CHECK(waitFor(child, POLLIN) == POLLIN);
  CHECK(exitInfo(child) == -1);  // a zombie

  CHECK(waitpid(-1, nullptr, 0) == child.id);

  siginfo_t info{};
  CHECK(reap(child, WNOHANG | __WALL, info) == ECHILD);
  const int status = exitInfo(child);
  if (status == -2) return;  // before 6.15
  CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE("a child of a process that ignores SIGCHLD leaves its status with the pidfd") {
  const IgnoreChildren ignore;
  Child child = start("exit 3");
  if (exitInfo(child) == -2) return;

  CHECK((waitFor(child, 0) & POLLHUP) != 0);

  siginfo_t info{};
  CHECK(reap(child, WNOHANG | __WALL, info) == ECHILD);
  const int status = exitInfo(child);
  if (status == -2) return;
  CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE("the ring polls a pidfd, for its end and for its being reaped") {
  if (isRingMissing()) return;
  Ring ring;
  Child child = start("exit 3");
  const bool hangsUp = exitInfo(child) != -2;
  io_uring_prep_poll_add(ring.queue(1), child.pidfd.get(), POLLIN);
  std::vector<Completion> completions;
  ring.submit();
  while (completions.empty()) {
    ring.enterFor(std::chrono::seconds(1), 1);
    completions = ring.takeAll();
  }
  CHECK(completions[0].result == POLLIN);

  io_uring_prep_poll_add(ring.queue(2), child.pidfd.get(), 0);
  ring.submit();
  CHECK(ring.takeAll().empty());
  CHECK(waitpid(-1, nullptr, 0) == child.id);
  if (!hangsUp) return;
  for (completions.clear(); completions.empty(); completions = ring.takeAll()) {
    ring.enterFor(std::chrono::seconds(1), 1);
  }
  CHECK((completions[0].result & POLLHUP) != 0);
}

TEST_CASE("a signal by pidfd reaches a group whose leader was reaped") {
  Child child = start("kill -STOP $$");
  setpgid(child.id, child.id);
  siginfo_t info{};
  CHECK(waitid(P_PID, static_cast<id_t>(child.id), &info, WSTOPPED | __WALL) == 0);
  const pid_t member = fork();
  if (member == 0) {
    setpgid(0, child.id);
    alarm(20);
    for (;;) pause();
  }
  while (getpgid(member) != child.id) sched_yield();
  kill(child.id, SIGKILL);
  CHECK(waitpid(child.id, nullptr, __WALL) == child.id);

  const long result = syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 1 << 2);
  const bool isKnown = result == 0 || errno != EINVAL;
  if (!isKnown) kill(member, SIGKILL);  // before 6.9
  if (isKnown) CHECK(result == 0);

  int status = 0;
  CHECK(waitpid(member, &status, 0) == member);
  CHECK(WTERMSIG(status) == SIGKILL);
}

// TSan makes a fork of a vfork.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FORKS_FOR_VFORK
#endif
#endif
#ifndef FORKS_FOR_VFORK
TEST_CASE("a child in its parent's memory has signal actions and descriptors of its own") {
  Fd open(dup(2));
  static volatile int shared = 0;

  const pid_t child = vfork();
  if (child == 0) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    syscall(SYS_rt_sigaction, SIGUSR2, &ignore, nullptr, 8);
    syscall(SYS_close_range, 3, ~0U, 1U << 2);
    shared = 1;
    _exit(0);
  }

  CHECK(waitpid(child, nullptr, 0) == child);
  CHECK(shared == 1);
  struct sigaction after{};
  sigaction(SIGUSR2, nullptr, &after);
  CHECK((after.sa_handler == SIG_DFL));
  CHECK((fcntl(open.get(), F_GETFD) & FD_CLOEXEC) == 0);
}
#endif
