#include "plait/reactor.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/deferred_list.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/event.h"
#include "plait/report.h"
#include "plait/signal.h"

namespace plait {
namespace {

constexpr std::string_view kPhases[] = {"before", "during", "after"};
constexpr std::string_view kEvents[] = {"startup", "shutdown"};

struct Entry {
  Reactor::TriggerId id;
  std::string_view phase;
  std::string_view event;
  std::shared_ptr<Reactor::Trigger> call;
};

detail::raw::Lock stateLock;
[[maybe_unused]] const bool kHeld = detail::process::holdAcrossFork(stateLock);

// Under the lock, but what the loop's thread alone uses.
struct State {
  std::optional<LoopHandle> loop;
  bool running = false;
  unsigned forkGeneration = 0;
  std::vector<std::pair<detail::UniqueFunction<void()>, std::source_location>> whenRunning;
  std::vector<Entry> triggers;
  Reactor::TriggerId lastId = 0;
  std::shared_ptr<Event> stopAsked;  // the loop's thread
};

State& state() {
  static auto* made = new State;  // threads may ask while the process exits
  return *made;
}

// Under the lock: a forked child has none of what its memory says.
void forgetParents(State& all) {
  if (all.forkGeneration == detail::process::forkGeneration()) return;
  all.forkGeneration = detail::process::forkGeneration();
  // Its handle would count in the parent's books.
  if (all.loop) new std::optional<LoopHandle>(std::move(all.loop));
  all.loop.reset();
  all.running = false;
  all.stopAsked.reset();
  all.whenRunning.clear();
}

template <std::size_t N>
std::string_view known(const std::string_view (&names)[N], std::string_view name,
                       const char* what) {
  const auto* const place = std::find(std::begin(names), std::end(names), name);
  if (place != std::end(names)) return *place;
  throw std::invalid_argument("addSystemEventTrigger: no " + std::string(what) + " '" +
                              std::string(name) + "'");
}

}  // namespace

Reactor& reactor() noexcept {
  static Reactor one;
  return one;
}

bool Reactor::isRunning() const {
  State& all = state();
  const detail::raw::Locked locked(stateLock);
  forgetParents(all);
  return all.loop.has_value();
}

LoopHandle Reactor::loop() const {
  State& all = state();
  const detail::raw::Locked locked(stateLock);
  forgetParents(all);
  if (!all.loop) {
    throw ReactorStopped(detail::process::forkGeneration() == 0
                             ? "the reactor does not run"
                             : "the reactor does not run in this forked process");
  }
  return *all.loop;
}

void Reactor::whenRunning(detail::UniqueFunction<void()> f, const std::source_location& at) {
  State& all = state();
  std::optional<LoopHandle> running;
  {
    const detail::raw::Locked locked(stateLock);
    forgetParents(all);
    running = all.loop;
    if (!running) {
      all.whenRunning.emplace_back(std::move(f), at);
      return;
    }
  }
  running->callFromThread(std::move(f), at);
}

void Reactor::suggestThreadPoolSize(std::size_t threads) {
  if (threads == 0) throw std::invalid_argument("suggestThreadPoolSize(0)");
  defaultPool().setThreadsMax(threads);
}

Reactor::TriggerId Reactor::addTrigger(std::string_view phase, std::string_view event,
                                       Trigger trigger) {
  const std::string_view knownPhase = known(kPhases, phase, "phase");
  const std::string_view knownEvent = known(kEvents, event, "event");
  State& all = state();
  const detail::raw::Locked locked(stateLock);
  all.triggers.push_back(
      {++all.lastId, knownPhase, knownEvent, std::make_shared<Trigger>(std::move(trigger))});
  return all.lastId;
}

void Reactor::removeSystemEventTrigger(TriggerId id) {
  State& all = state();
  const detail::raw::Locked locked(stateLock);
  if (std::erase_if(all.triggers, [id](const Entry& each) { return each.id == id; }) == 0) {
    throw std::out_of_range("removeSystemEventTrigger: there is no trigger " + std::to_string(id));
  }
}

// Triggers are used up, as in Twisted: the next run has its own.
void Reactor::fireEvent(std::string_view event) {
  for (const std::string_view phase : kPhases) {
    std::vector<Entry> called;
    {
      State& all = state();
      const detail::raw::Locked locked(stateLock);
      std::vector<Entry> others;
      for (Entry& each : all.triggers) {
        const bool isMine = each.event == event && each.phase == phase;
        (isMine ? called : others).push_back(std::move(each));
      }
      all.triggers = std::move(others);
    }
    std::vector<Deferred<void>> waits;
    waits.reserve(called.size());
    for (const Entry& each : called) waits.push_back((*each.call)());
    // Only "before" holds the event up; the others' ends are their own affair.
    if (phase != "before") continue;
    for (const Result<void>& each : waitForDeferred(deferredList(waits))) {
      if (!each.isValue()) {
        reportError("a system event trigger before " + std::string(event),
                    each.failure().exception());
      }
    }
  }
}

void Reactor::run(bool installSignalHandlers, const RunOptions& options) {
  State& all = state();
  {
    const detail::raw::Locked locked(stateLock);
    forgetParents(all);
    if (all.running) throw std::logic_error("reactor().run(): it runs already");
    all.running = true;
  }
  struct Ended {
    State& all;
    ~Ended() {
      const detail::raw::Locked locked(stateLock);
      all.running = false;
      all.loop.reset();
    }
  };
  const Ended ended{all};
  plait::run(options, [this, &all, installSignalHandlers] {
    const auto stopAsked = std::make_shared<Event>();
    std::vector<SignalHandle> signals;
    if (installSignalHandlers) {
      for (const int each : {SIGINT, SIGTERM}) {
        signals.push_back(onSignal(each, [stopAsked] { stopAsked->set(); }));
      }
    }
    {
      const detail::raw::Locked locked(stateLock);
      all.loop.emplace();
      all.stopAsked = stopAsked;
    }
    fireEvent("startup");
    decltype(all.whenRunning) begin;
    {
      const detail::raw::Locked locked(stateLock);
      begin.swap(all.whenRunning);
    }
    for (auto& [f, at] : begin) callSoon(std::move(f), at);
    stopAsked->wait();
    fireEvent("shutdown");
    const detail::raw::Locked locked(stateLock);
    all.loop.reset();
    all.stopAsked.reset();
  });
}

void Reactor::stopIfRunning() noexcept {
  try {
    stop();
  } catch (const ReactorStopped&) {
    // Which is what was wanted.
  }
}

void Reactor::stop() {
  const LoopHandle running = loop();
  running.callFromThread([&all = state()] {
    if (all.stopAsked) all.stopAsked->set();
  });
}

}  // namespace plait
