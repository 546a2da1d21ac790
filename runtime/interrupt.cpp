#include "plait/detail/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>

#include "plait/detail/process.h"
#include "signal_actions.h"

namespace plait::detail {
namespace {

constexpr std::size_t kListenersMax = 1024;  // runs at once; those beyond are not told
constexpr int kExitStatus = 128 + SIGINT;    // as shells show it

constinit std::array<std::atomic<Interruption*>, kListenersMax> listeners{};
constinit std::atomic<int> members{0};  // changed under actions::lock
constinit std::atomic<bool> arrived{false};

struct sigaction actionOf(void (*handler)(int)) noexcept {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  return action;
}

void setDefault() noexcept {
  const struct sigaction action = actionOf(SIG_DFL);
  ::sigaction(SIGINT, &action, nullptr);
}

void onInterrupt(int) noexcept {
  const actions::HandlerScope scope;
  setDefault();
  if (members.load() == 0) {
    // Somebody has put this handler back after the last run: it stands for the default action.
    ::raise(SIGINT);
    return;
  }
  arrived.store(true, std::memory_order_seq_cst);
  for (std::atomic<Interruption*>& place : listeners) {
    Interruption* const listener = place.load(std::memory_order_seq_cst);
    if (listener != nullptr) listener->post();
  }
}

bool isOurs(const struct sigaction& action) noexcept { return action.sa_handler == &onInterrupt; }

[[noreturn]] void endProcess() noexcept {
  // What the destructors printed; a signal ends the process without it.
  std::fflush(stdout);
  setDefault();
  sigset_t interrupt;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  ::raise(SIGINT);
  // The first process of a container is not ended by its own signals.
  ::_exit(kExitStatus);
}

[[noreturn]] void waitForEnd() noexcept {
  const std::atomic<std::uint32_t> never{0};
  for (;;) raw::futexWait(never, 0);
}

// The runs are the parent's. Only this thread is left, whoever holds the lock.
[[maybe_unused]] const int kRegistered = ::pthread_atfork(nullptr, nullptr, [] {
  if (members.exchange(0) == 0) return;
  if (isOurs(actions::base(SIGINT))) actions::setBase(SIGINT, actionOf(SIG_DFL));
  arrived.store(false);
  for (std::atomic<Interruption*>& place : listeners) place.store(nullptr);
});

}  // namespace

Interruption::Interruption(bool wanted, Run onTold) noexcept
    : Task(onTold), forkGeneration_(process::forkGeneration()) {
  if (!wanted) return;
  const raw::Locked locked(actions::lock);
  // Once the signal has come, the next one takes the default action, and this run ends at once.
  if (members.load() == 0 && !arrived.load()) {
    const struct sigaction present = actions::base(SIGINT);
    if (present.sa_handler != SIG_DFL && !isOurs(present)) return;
    actions::setBase(SIGINT, actionOf(&onInterrupt));
  }
  members.fetch_add(1);
  takesPart_ = true;
}

Interruption::~Interruption() { leave(); }

void Interruption::listen(std::shared_ptr<Inbox> inbox) noexcept {
  if (!takesPart_) return;
  inbox_ = std::move(inbox);
  const raw::Locked locked(actions::lock);
  for (std::atomic<Interruption*>& place : listeners) {
    if (place.load(std::memory_order_relaxed) != nullptr) continue;
    place.store(this, std::memory_order_seq_cst);
    break;
  }
  // Either the handler has found it in its place, or it has left its mark before.
  if (arrived.load(std::memory_order_seq_cst)) post();
}

void Interruption::post() noexcept {
  if (!posted_.exchange(true)) inbox_->post(*this);
}

bool Interruption::hasArrived() const noexcept {
  return takesPart_ && arrived.load() && forkGeneration_ == process::forkGeneration();
}

void Interruption::finish() noexcept {
  const bool tookPart = takesPart_ && forkGeneration_ == process::forkGeneration();
  leave();
  if (!tookPart || !arrived.load()) return;
  if (members.load() == 0) endProcess();
  waitForEnd();
}

void Interruption::leave() noexcept {
  if (!takesPart_) return;
  takesPart_ = false;
  if (forkGeneration_ != process::forkGeneration()) return;
  {
    const raw::Locked locked(actions::lock);
    for (std::atomic<Interruption*>& place : listeners) {
      if (place.load(std::memory_order_relaxed) == this) place.store(nullptr);
    }
    // The program may have set an action of its own meanwhile.
    if (members.load() == 1 && isOurs(actions::base(SIGINT))) {
      actions::setBase(SIGINT, actionOf(SIG_DFL));
    }
    members.fetch_sub(1);
  }
  actions::waitForHandlers();
}

}  // namespace plait::detail
