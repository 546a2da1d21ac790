#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "fiber_test.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/pipe.h"

namespace plait::test {
namespace {

struct Terminal {
  TerminalPair pair = makeTerminal();
  ~Terminal() {
    ::close(pair.master);
    ::close(pair.slave);
  }
};

bool showsKeys(int descriptor) {
  termios settings{};
  REQUIRE(::tcgetattr(descriptor, &settings) == 0);
  return (settings.c_lflag & ECHO) != 0;
}

void showKeys(int descriptor) {
  termios settings{};
  REQUIRE(::tcgetattr(descriptor, &settings) == 0);
  settings.c_lflag |= ECHO | ICANON;
  REQUIRE(::tcsetattr(descriptor, TCSANOW, &settings) == 0);
}

}  // namespace

TEST_CASE("a descriptor that is no terminal is told apart [OS-1]") {
  CHECK_FALSE(os::isTerminal(-1));
  CHECK_THROWS_AS(os::terminalSize(-1), IoError);
  CHECK_THROWS_AS(os::RawTerminal raw(-1), IoError);
}

TEST_CASE("a terminal tells its size [OS-1]") {
  const Terminal terminal;
  const winsize size{25, 80, 0, 0};
  REQUIRE(::ioctl(terminal.pair.slave, TIOCSWINSZ, &size) == 0);

  CHECK(os::isTerminal(terminal.pair.slave));
  CHECK(os::terminalSize(terminal.pair.slave).columns == 80);
  CHECK(os::terminalSize(terminal.pair.slave).rows == 25);
}

TEST_CASE("a terminal is raw as long as the object lives [OS-11]") {
  const Terminal terminal;
  showKeys(terminal.pair.slave);
  {
    const os::RawTerminal raw(terminal.pair.slave);
    CHECK_FALSE(showsKeys(terminal.pair.slave));
  }

  CHECK(showsKeys(terminal.pair.slave));
}

TEST_CASE("a process that exits in order leaves the terminal as it was [OS-11]") {
  const Terminal terminal;
  showKeys(terminal.pair.slave);

  std::fflush(nullptr);  // what is buffered would come out of the child again
  const pid_t child = ::fork();
  if (child == 0) {
    auto* const raw = new os::RawTerminal(terminal.pair.slave);
    std::exit(showsKeys(terminal.pair.slave) || raw == nullptr ? 1 : 0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);

  CHECK(status == 0);
  CHECK(showsKeys(terminal.pair.slave));
}

}  // namespace plait::test
