// Decides which stack runs. One per loop. The loop itself is driven by a fiber, the dispatcher: a
// parking fiber switches straight to the next ready one, and to the dispatcher only when a callback is
// next, the turn's batch is used up, or nothing is ready. If a callback parks, the dispatcher's stack is
// that callback's from then on and a new dispatcher goes on; so blocking is legal everywhere.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "machine.h"
#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"
#include "plait/detail/process.h"
#include "stack_pool.h"

namespace plait::detail {

// The running fiber; a callback runs as the dispatcher until it asks who it is. Null off a loop.
extern constinit thread_local Fiber* currentFiber;

class Scheduler final : public LoopOwner {
 public:
  Scheduler(Loop& loop, std::size_t stackBytes);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  static Scheduler* current() noexcept {
    return currentFiber == nullptr ? nullptr : currentFiber->scheduler_;
  }

  // Runs the loop on its dispatchers until stop(); called on the thread's own stack.
  void drive();
  void stop() noexcept { loop_.stop(); }

  // The caller's fiber is parked or queued; returns when somebody has resumed it.
  void switchAway() noexcept;
  void switchTo(Fiber& next) noexcept;
  void yield() noexcept;

  void add(Fiber& fiber);  // makes it ready for its first run
  void addLater(Fiber& fiber) noexcept;
  void registerFiber(Fiber& fiber) noexcept;
  void makeReady(Fiber& fiber) noexcept;
  bool isDispatcher(const Fiber& fiber) const noexcept { return &fiber == dispatcher_; }
  void giveIdentity() noexcept;

  // The process has forked and this is the child, with its parent's loop.
  bool isForked() const noexcept { return loop_.forkGeneration() != process::forkGeneration(); }

  // Uses up one of the calls that a fiber may make without ever parking.
  bool spendBudget() noexcept { return --budget_ > 0; }

  // Never the same twice on this thread's run: for fibers, links and timeouts.
  std::uint64_t nextId() noexcept { return ++lastId_; }

  Loop& loop() noexcept { return loop_; }
  StackPool& stacks() noexcept { return stacks_; }
  ExceptionState& exceptionsNow() noexcept { return *exceptions_; }
  std::size_t fiberCount() const noexcept { return fiberCount_; }  // the dispatcher not counted
  template <class F>
  void forEach(F&& f) {
    for (Fiber* fiber = first_; fiber != nullptr;) {
      Fiber* const next = fiber->next_;
      f(*fiber);
      fiber = next;
    }
  }

  // Kills every fiber but the calling one and waits until they have ended. One that swallows its kill
  // kStrikesMax times while this goes on is abandoned: reported, and never resumed again.
  void closeDown();
  // A fiber was struck again by a kill that it swallowed: it gives way first.
  void holdUp(Fiber& fiber, std::uint32_t strikes) noexcept;

  // The fiber whose end is the run's, and who is told of it; set by run().
  Fiber* main = nullptr;
  DoneNode* mainEnded = nullptr;
  std::function<std::unique_ptr<Kernel>()> makeKernel;  // once more, after a fork

  // Set when every fiber waits for something that cannot happen; taken by run().
  std::exception_ptr deadlock;

  // In a forked child: forgets all fibers but the current one.
  void forgetOthersAfterFork();

  bool onNothingLeft() override;
  void onIdle() noexcept override;
  void addTo(LoopStatistics& statistics) const noexcept override;

 private:
  friend void runFiberStack() noexcept;
  static constexpr int kBudget = 128;
  static constexpr Duration kTrimEvery = std::chrono::milliseconds(100);
  static constexpr std::uint32_t kStrikesMax = 1000;
  static constexpr int kClosingRoundsMax = 1000;

  void newDispatcher();
  void renewIdentity();
  void becomeFiber();
  void dispatch() noexcept;
  bool handOverStack() noexcept;
  [[noreturn]] void leave() noexcept;
  void begin(Fiber& next) noexcept;
  void letGo(Fiber& ended) noexcept;
  bool prepareToRun(Fiber& fiber) noexcept;
  Fiber& chooseNext() noexcept;
  void finish(Fiber& fiber) noexcept;
  void unregister(Fiber& fiber) noexcept;
  void saveState(FiberMachine& machine) noexcept;
  void loadState(const FiberMachine& machine) noexcept;
  std::string describeDeadlock();
  void abandon(Fiber& fiber, const std::string& why) noexcept;
  bool abandonUnreachable();

  Loop& loop_;
  std::size_t stackBytes_;
  ExceptionState* exceptions_;  // this thread's; looked up once, fibers never move
  int* errorNumber_;
  int budget_ = kBudget;
  Fiber* dispatcher_ = nullptr;
  Fiber* afterThis_ = nullptr;  // who runs when the fiber that has just ended leaves its stack
  Context thread_;
  Fiber* first_ = nullptr;
  std::size_t fiberCount_ = 0;
  Fiber* closer_ = nullptr;
  bool closing_ = false;
  bool reportedForeign_ = false;
  TimePoint nextTrim_{};
  std::uint64_t lastId_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t spawned_ = 0;
  OverflowReporter overflowReporter_;
  StackPool stacks_;
};


// --- the hot path, inline ---

inline void Scheduler::saveState(FiberMachine& machine) noexcept {
  machine.exceptions = *exceptions_;
  machine.errorNumber = *errorNumber_;
}

inline void Scheduler::loadState(const FiberMachine& machine) noexcept {
  *exceptions_ = machine.exceptions;
  *errorNumber_ = machine.errorNumber;
}

inline void Scheduler::makeReady(Fiber& fiber) noexcept {
  fiber.state_ = Fiber::State::ready;
  loop_.enqueue(fiber);
}

inline void Scheduler::begin(Fiber& next) noexcept {
  currentFiber = &next;
  next.state_ = Fiber::State::running;
  budget_ = kBudget;
  ++switches_;
  loadState(FiberMachine::of(next));
}

inline void Scheduler::switchTo(Fiber& next) noexcept {
  if (!FiberMachine::of(next).stack && !prepareToRun(next)) return;
  FiberMachine& machine = FiberMachine::of(*currentFiber);
  saveState(machine);
  begin(next);
  switchContext(machine.context, FiberMachine::of(next).context);
}

inline Fiber& Scheduler::chooseNext() noexcept {
  Task* const next = loop_.peekNext();
  if (next == nullptr || next->run != &Fiber::resume) return *dispatcher_;
  loop_.takeNext();
  return static_cast<Fiber&>(*next);
}

inline void Scheduler::switchAway() noexcept {
  Fiber& self = *currentFiber;
  if (&self == dispatcher_) becomeFiber();
  for (;;) {
    Fiber& next = chooseNext();
    if (&next == &self) {
      self.state_ = Fiber::State::running;
      return;
    }
    // A fiber whose stack is refused has ended, and another one is chosen.
    if (!FiberMachine::of(next).stack && !prepareToRun(next)) continue;
    switchTo(next);
    return;
  }
}

inline void Scheduler::yield() noexcept {
  Fiber& self = *currentFiber;
  if (&self == dispatcher_) becomeFiber();
  self.state_ = Fiber::State::ready;
  loop_.enqueue(self);
  switchAway();
}

}  // namespace plait::detail
