// A program of its own for the tests of Ctrl-C: a forked child with a pipe as standard output.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "child_process.h"

namespace plait::test {

struct Ended {
  int status;  // minus the signal that ended it
  std::string output;
};

inline void say(std::string_view text) {
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) ::_exit(98);
}

struct SaysWhenUnwound {
  std::string_view text;
  ~SaysWhenUnwound() { say(text); }
};

inline void interruptMyself() { ::kill(::getpid(), SIGINT); }

// SIGINT has its default action in it.
template <class F>
Ended asProgram(F f) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    for (const int each : ends) ::close(each);
    for (const int each : {SIGABRT, SIGSEGV, SIGTERM, SIGINT}) ::signal(each, SIG_DFL);
    ::alarm(kChildPatience);
    int status = 99;
    try {
      status = f();
    } catch (...) {
      say("(an exception)");
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  Ended ended{0, ""};
  std::array<char, 256> buffer{};
  while (const ssize_t count = ::read(ends[0], buffer.data(), buffer.size())) {
    if (count > 0) ended.output.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  ended.status = endOf(child);
  return ended;
}

}  // namespace plait::test
