// A test in a process of its own: for what may crash, hang or end the process.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>

namespace plait::test {

constexpr unsigned kChildPatience = 30;  // seconds; reached only by a child that hangs

// How the child ended: its exit status, or minus the signal that ended it.
inline int endOf(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Runs `f` in a forked child; what it returns is the exit status, 99 stands for an exception. A
// child that hangs ends by SIGALRM.
template <class F>
int inChild(F f) {
  const pid_t child = ::fork();
  if (child != 0) return endOf(child);
  // The test framework's handlers would tell of a failure of the whole program.
  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM}) {
    ::signal(fatal, SIG_DFL);
  }
  ::alarm(kChildPatience);
  int status = 99;
  try {
    status = f();
  } catch (...) {
    status = 99;
  }
  ::_exit(status);
}

}  // namespace plait::test
