#include "server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace {

constexpr auto kStopPatience = std::chrono::seconds(60);
constexpr int kCannotRun = 127;

// In the child, between fork and exec.
[[noreturn]] void become(const char* program, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotRun);
  ::dup2(output, STDOUT_FILENO);
  ::execl(program, program, "tcp:127.0.0.1:0", "tcp:127.0.0.1:0",
          ":memory:", static_cast<char*>(nullptr));
  std::perror(program);
  ::_exit(kCannotRun);
}

std::string readLine(int descriptor) {
  std::string line;
  for (char character = 0; ::read(descriptor, &character, 1) == 1 && character != '\n';) {
    line += character;
  }
  return line;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& program) {
  std::array<int, 2> output{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const pid_t self = ::getpid();
  process_ = ::fork();
  if (process_ == 0) become(program.c_str(), output[1], self);
  ::close(output[1]);
  if (process_ < 0) {
    ::close(output[0]);
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  readAddresses(output[0]);
  ::close(output[0]);
  if (port_.empty() || page_.empty()) {
    stop();
    throw std::runtime_error(program +
                             " did not say 'listening on HOST:PORT' and 'the page is URL'");
  }
}

ServerProcess::~ServerProcess() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  wait();
}

void ServerProcess::readAddresses(int output) {
  static constexpr std::string_view kLines = "listening on ";
  static constexpr std::string_view kPage = "the page is ";
  const std::string lines = readLine(output);
  const std::size_t colon = lines.rfind(':');
  if (!lines.starts_with(kLines) || colon == lines.npos) return;
  host_ = lines.substr(kLines.size(), colon - kLines.size());
  port_ = lines.substr(colon + 1);
  const std::string page = readLine(output);
  if (page.starts_with(kPage)) page_ = page.substr(kPage.size());
}

double ServerProcess::residentMegabytes() const {
  std::ifstream status("/proc/" + std::to_string(process_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

bool ServerProcess::stop() {
  ::kill(process_, SIGTERM);
  for (const auto begin = std::chrono::steady_clock::now();
       std::chrono::steady_clock::now() - begin < kStopPatience;) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid == process_) return wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::fprintf(stderr, "the server does not end; killing it\n");
  ::kill(process_, SIGKILL);
  return wait();
}

bool ServerProcess::wait() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  process_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
