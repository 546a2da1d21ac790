// What the tests of child processes share.
#pragma once

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "fiber_test.h"
#include "plait/greenlet.h"
#include "plait/process.h"

namespace plait::test {

// Running, or a zombie, of whatever kind.
inline bool hasChildren() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

// Lets the loop go on until the background has reaped all.
inline void untilNoChildren() {
  while (hasChildren()) yield();
  settle();
}

// The test fails if it leaves a child behind, running or not.
struct NoChildrenLeft {
  NoChildrenLeft() { CHECK_FALSE(hasChildren()); }
  ~NoChildrenLeft() { CHECK_FALSE(hasChildren()); }
};

// A child that ends at once if it gets a line, and says that it has begun.
inline os::ProcessOptions withPipes() {
  os::ProcessOptions options;
  options.input = os::Redirect::pipe();
  options.output = os::Redirect::pipe();
  options.error = os::Redirect::pipe();
  return options;
}

inline os::Process shell(std::string script, os::ProcessOptions options = withPipes()) {
  return os::Process::start({"sh", "-c", std::move(script)}, std::move(options));
}

inline std::string readLine(os::PipeStream& from) {
  std::string line;
  char byte = 0;
  while (from.readSome(std::as_writable_bytes(std::span(&byte, 1))) == 1 && byte != '\n') {
    line += byte;
  }
  return line;
}

inline std::string outputOf(std::string script, os::ProcessOptions options = {}) {
  os::RunProcessOptions how;
  how.process = std::move(options);
  return os::run({"sh", "-c", std::move(script)}, std::move(how)).output;
}

}  // namespace plait::test
