// The handler only adds a sentence: afterwards the handler before it is in place again and the
// fault recurs, so that a debugger, a crash reporter or the core dump sees what it would see
// without plait.
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "plait/detail/raw.h"
#include "stack_pool.h"
#include "stack_slab.h"

namespace plait::detail {
namespace {

constexpr std::size_t kAlternateStackBytes = 64 * 1024;

raw::Lock installing;
int reporters = 0;
bool isInstalled = false;
struct sigaction previousSegv;
struct sigaction previousBus;

struct sigaction& previousOf(int signal) noexcept {
  return signal == SIGBUS ? previousBus : previousSegv;
}

// Text in a fixed buffer; what does not fit is cut off.
class Line final {
 public:
  void add(std::string_view text) noexcept {
    const std::size_t bytes = std::min(text.size(), sizeof text_ - length_);
    std::copy_n(text.data(), bytes, text_ + length_);
    length_ += bytes;
  }
  void add(std::size_t number) noexcept {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    add({digits, static_cast<std::size_t>(end - digits)});
  }
  void add(const Fiber& fiber) noexcept {
    length_ += std::min(describeForSignal(fiber, text_ + length_, kFiberMax), kFiberMax);
  }
  void write() const noexcept { raw::write(2, text_, length_); }

 private:
  static constexpr std::size_t kFiberMax = 512;

  std::size_t length_ = 0;
  char text_[kFiberMax + 256];
};

void report(const GuardHit& hit) noexcept {
  Line line;
  line.add("plait: ");
  if (hit.owner != nullptr) {
    line.add(*hit.owner);
  } else {
    line.add("a fiber");
  }
  line.add(" overflowed its ");
  line.add(hit.stackBytes / 1024);
  line.add(" KiB stack; give it more with SpawnOptions::stackBytes\n");
  line.write();
}

// As if plait's handler were not there.
void passOn(int signal, siginfo_t* info, void* context) noexcept {
  struct sigaction& previous = previousOf(signal);
  const struct sigaction action = previous;
  const bool isSent = info->si_code <= 0;  // by kill() and the like: it will not recur by itself
  const bool isHandler = action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
  if (isHandler && (action.sa_flags & SA_RESETHAND) != 0) previous.sa_handler = SIG_DFL;
  if ((action.sa_flags & SA_SIGINFO) != 0 && isHandler) {
    action.sa_sigaction(signal, info, context);
    return;
  }
  if (isHandler) {
    action.sa_handler(signal);
    return;
  }
  if (isSent && action.sa_handler == SIG_IGN) return;
  ::sigaction(signal, &action, nullptr);
  if (isSent) ::raise(signal);  // blocked here; strikes when the handler returns
}

void onFault(int signal, siginfo_t* info, void* context) noexcept {
  const int savedErrno = errno;
  const GuardHit hit = info->si_code > 0 ? findGuard(info->si_addr) : GuardHit{};
  if (hit.isGuard) {
    report(hit);
    ::sigaction(signal, &previousOf(signal), nullptr);
  } else {
    passOn(signal, info, context);
  }
  errno = savedErrno;
}

void installFor(int signal) noexcept {
  // In two steps: the handler may run as soon as it is there, and needs what was before it.
  struct sigaction& previous = previousOf(signal);
  ::sigaction(signal, nullptr, &previous);
  struct sigaction action{};
  action.sa_sigaction = onFault;
  action.sa_mask = previous.sa_mask;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & (SA_NODEFER | SA_RESTART));
  ::sigaction(signal, &action, nullptr);
}

struct sigaction currentOf(int signal) noexcept {
  struct sigaction current{};
  ::sigaction(signal, nullptr, &current);
  return current;
}

bool isDefault(int signal) noexcept { return currentOf(signal).sa_handler == SIG_DFL; }
bool isOurs(int signal) noexcept { return currentOf(signal).sa_sigaction == onFault; }

// A handler installed after plait's may chain to it: on top of that one, plait's would run in
// circles.
void addReporter() noexcept {
  const raw::Locked locked(installing);
  ++reporters;
  if (!isInstalled || isDefault(SIGSEGV)) installFor(SIGSEGV);
  if (!isInstalled || isDefault(SIGBUS)) installFor(SIGBUS);
  isInstalled = true;
}

void removeReporter() noexcept {
  const raw::Locked locked(installing);
  if (--reporters > 0 || !isOurs(SIGSEGV) || !isOurs(SIGBUS)) return;
  ::sigaction(SIGSEGV, &previousSegv, nullptr);
  ::sigaction(SIGBUS, &previousBus, nullptr);
  isInstalled = false;
}

}  // namespace

OverflowReporter::OverflowReporter() {
  addReporter();
  stack_t current{};
  ::sigaltstack(nullptr, &current);
  if ((current.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer's, or the program's
  void* const memory = ::mmap(nullptr, kAlternateStackBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;  // an overflow still ends the process, only without a word
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kAlternateStackBytes;
  ::sigaltstack(&stack, nullptr);
  alternateStack_ = memory;
}

OverflowReporter::~OverflowReporter() {
  removeReporter();
  if (alternateStack_ == nullptr) return;
  stack_t current{};
  ::sigaltstack(nullptr, &current);
  if (current.ss_sp == alternateStack_) {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  ::munmap(alternateStack_, kAlternateStackBytes);
}

}  // namespace plait::detail
