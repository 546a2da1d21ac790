// Tests that need a process of their own: the test program starts itself anew and runs one case of
// it, with nothing of this process but its environment and standard streams. The child's case is
// written in the same file with CHILD_CASE, which an ordinary run of the tests skips.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace plait::test {

struct ChildResult {
  int status = -1;     // what it exited with; -signal if that ended it
  std::string output;  // standard output and error

  bool hasPassed() const { return status == 0; }
};

// Runs the case named `name` with these environment variables. Blocks the thread.
ChildResult runChild(const std::string& name,
                     const std::vector<std::pair<std::string, std::string>>& environment = {});

}  // namespace plait::test

#define CHILD_CASE(name) TEST_CASE("child: " name* doctest::skip())
