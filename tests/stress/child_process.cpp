#include "child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace plait::test {

ChildResult runChild(const std::string& name,
                     const std::vector<std::pair<std::string, std::string>>& environment) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const std::string filter = "--test-case=child: " + name;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    for (const auto& [variable, value] : environment) {
      ::setenv(variable.c_str(), value.c_str(), 1);
    }
    ::execl("/proc/self/exe", "child", filter.c_str(), "--no-skip", "--no-colors", nullptr);
    ::_exit(126);
  }
  ::close(pipe[1]);
  ChildResult result;
  std::array<char, 4096> text;
  for (ssize_t n = 0; (n = ::read(pipe[0], text.data(), text.size())) > 0;) {
    result.output.append(text.data(), static_cast<std::size_t>(n));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  // A filter that matches nothing would pass.
  if (result.output.find("test cases: 1 ") == std::string::npos &&
      result.output.find("test cases:  1 ") == std::string::npos) {
    result.output += "\n(the child did not run exactly one case)";
    if (result.status == 0) result.status = 125;
  }
  return result;
}

}  // namespace plait::test
