// A signal handler may touch only atomics and make syscalls. So the watches stand in a fixed table
// of atomic pointers; the handler posts each matching watch to its loop's inbox, lock-free. Taking
// a watch out: clear its place, then wait until no handler that may have seen it is still running.

#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/error.h"
#include "plait/signal.h"
#include "signal_actions.h"

namespace plait {
namespace detail {

class SignalWatch final : public Task {
 public:
  SignalWatch(int number, UniqueFunction<void()> f, const std::source_location& place)
      : Task(&arrived),
        signal(number),
        inbox(Loop::current()->inbox()),
        function(std::move(f)),
        at(place) {}

  void post() noexcept {
    if (state.exchange(State::posted, std::memory_order_acq_rel) != State::idle) return;
    if (!inbox->post(*this)) state.store(State::idle, std::memory_order_release);
  }

  static void arrived(Task& task) {
    auto& self = static_cast<SignalWatch&>(task);
    if (self.orphan) {
      delete &self;
      return;
    }
    self.state.store(State::idle, std::memory_order_release);
    // The handler may cancel itself: the function moves out for the call.
    if (!self.function) {
      // The call before this one is parked: it will call again.
      self.again = true;
      return;
    }
    const std::shared_ptr<bool> alive = self.alive;
    // Not through `self`: a call that cancels its own handle frees it, and may park after that.
    const std::source_location place = self.at;
    UniqueFunction<void()> function = std::move(self.function);
    do {
      self.again = false;
      runCallback(*Loop::current(), function, place);
    } while (*alive && self.again);
    if (*alive) self.function = std::move(function);
  }

  enum class State : int { idle, posted };
  const int signal;
  const std::shared_ptr<Inbox> inbox;  // shared with the loop; the watch may outlive it
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // shared with a running call
  std::atomic<State> state{State::idle};
  bool orphan = false;
  bool again = false;  // it arrived while its function was parked
  UniqueFunction<void()> function;
  std::source_location at;
};

namespace {

constexpr std::size_t kWatchesMax = 256;
constexpr int kSignals = 65;

std::array<std::atomic<SignalWatch*>, kWatchesMax> watches;
[[maybe_unused]] const bool kHeld = process::holdAcrossFork(actions::lock);
struct Installed {
  int watches = 0;
  struct sigaction before{};
};
std::array<Installed, kSignals> installed;

void onArrival(int signal) noexcept {
  const actions::HandlerScope scope;
  for (std::atomic<SignalWatch*>& place : watches) {
    SignalWatch* const watch = place.load(std::memory_order_seq_cst);
    if (watch != nullptr && watch->signal == signal) watch->post();
  }
}

void install(int signal) {
  if (signal <= 0 || signal >= kSignals)
    throw IoError(EINVAL, "handling signal " + std::to_string(signal));
  Installed& entry = installed[static_cast<std::size_t>(signal)];
  if (entry.watches == 0) {
    struct sigaction action{};
    action.sa_handler = &onArrival;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    if (::sigaction(signal, &action, &entry.before) != 0) {
      throw IoError(errno, "handling signal " + std::to_string(signal));
    }
  }
  ++entry.watches;
}

void uninstall(int signal) noexcept {
  Installed& entry = installed[static_cast<std::size_t>(signal)];
  if (--entry.watches == 0) ::sigaction(signal, &entry.before, nullptr);
}

void remove(std::unique_ptr<SignalWatch> watch) noexcept {
  {
    const raw::Locked locked(actions::lock);
    for (std::atomic<SignalWatch*>& place : watches) {
      if (place.load(std::memory_order_relaxed) == watch.get()) place.store(nullptr);
    }
    uninstall(watch->signal);
  }
  actions::waitForHandlers();
  *watch->alive = false;
  Loop* const loop = Loop::current();
  if (loop != nullptr && loop->inbox() == watch->inbox) loop->addExternal(-1);
  if (watch->state.load(std::memory_order_acquire) == SignalWatch::State::idle) return;
  // It stands in the loop's queue: it frees itself when its turn comes.
  watch->orphan = true;
  watch->function.reset();
  static_cast<void>(watch.release());
}

}  // namespace

namespace actions {

struct sigaction base(int signal) noexcept {
  const Installed& entry = installed[static_cast<std::size_t>(signal)];
  if (entry.watches > 0) return entry.before;
  struct sigaction action{};
  ::sigaction(signal, nullptr, &action);
  return action;
}

void setBase(int signal, const struct sigaction& action) noexcept {
  Installed& entry = installed[static_cast<std::size_t>(signal)];
  if (entry.watches > 0) {
    entry.before = action;
  } else {
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace actions

SignalHandle watchSignal(int signal, UniqueFunction<void()> f, std::source_location at) {
  Loop& loop = Loop::require("onSignal()");
  auto watch = std::make_unique<SignalWatch>(signal, std::move(f), at);
  const raw::Locked locked(actions::lock);
  for (std::atomic<SignalWatch*>& place : watches) {
    if (place.load(std::memory_order_relaxed) != nullptr) continue;
    install(signal);
    place.store(watch.get(), std::memory_order_seq_cst);
    loop.addExternal(1);
    return SignalHandle(std::move(watch));
  }
  throw LimitError("onSignal: more than 256 handlers at once");
}

}  // namespace detail

SignalHandle::SignalHandle() noexcept = default;
SignalHandle::SignalHandle(std::unique_ptr<detail::SignalWatch> watch) noexcept
    : watch_(std::move(watch)) {}
SignalHandle::SignalHandle(SignalHandle&& other) noexcept = default;
SignalHandle& SignalHandle::operator=(SignalHandle&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  watch_ = std::move(other.watch_);
  return *this;
}
SignalHandle::~SignalHandle() { cancel(); }

void SignalHandle::cancel() noexcept {
  if (watch_) detail::remove(std::move(watch_));
}

}  // namespace plait
