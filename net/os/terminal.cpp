#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "plait/detail/raw.h"
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

// In a list of all that live, for the end of the process.
struct RawTerminal::Saved {
  int descriptor;
  termios before{};
  Saved* next = nullptr;

  void restore() const noexcept { ::tcsetattr(descriptor, TCSANOW, &before); }

  static plait::detail::raw::Lock lock;
  static Saved* first;  // the newest: restored first
  static void restoreAll() noexcept;
};

plait::detail::raw::Lock RawTerminal::Saved::lock;
RawTerminal::Saved* RawTerminal::Saved::first = nullptr;

void RawTerminal::Saved::restoreAll() noexcept {
  const plait::detail::raw::Locked locked(lock);
  for (const Saved* each = first; each != nullptr; each = each->next) each->restore();
}

RawTerminal::RawTerminal(int descriptor) : saved_(std::make_unique<Saved>()) {
  saved_->descriptor = descriptor;
  termios settings{};
  if (::tcgetattr(descriptor, &settings) != 0) {
    throw IoError(errno, "making a raw terminal of descriptor " + std::to_string(descriptor));
  }
  saved_->before = settings;
  ::cfmakeraw(&settings);
  static const int registered = std::atexit([] { Saved::restoreAll(); });
  static_cast<void>(registered);
  const plait::detail::raw::Locked locked(Saved::lock);
  if (::tcsetattr(descriptor, TCSANOW, &settings) != 0) {
    throw IoError(errno, "making a raw terminal of descriptor " + std::to_string(descriptor));
  }
  saved_->next = std::exchange(Saved::first, saved_.get());
}

RawTerminal::~RawTerminal() {
  const plait::detail::raw::Locked locked(Saved::lock);
  Saved** link = &Saved::first;
  while (*link != saved_.get()) link = &(*link)->next;
  *link = saved_->next;
  saved_->restore();
}

}  // namespace plait::os
