#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "plait/error.h"
#include "plait/pipe.h"

namespace plait::os {

bool isTerminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

TerminalSize terminalSize(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) {
    throw IoError(errno, "asking the terminal size of descriptor " + std::to_string(descriptor));
  }
  return {size.ws_col, size.ws_row};
}

}  // namespace plait::os
