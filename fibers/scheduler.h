// Decides which stack runs. One per loop. The loop itself is driven by a fiber, the dispatcher: a
// parking fiber switches straight to the next ready one, and to the dispatcher only when a callback
// is next, the turn's batch is used up, or nothing is ready. If a callback parks, the dispatcher's
// stack is that callback's from then on and a new dispatcher goes on; so blocking is legal
// everywhere.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "machine.h"
#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"
#include "plait/spawn_observer.h"
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
  // Where the callback was made that runs, or is parked, on this fiber's stack; null for a
  // greenlet.
  static const std::source_location* callbackOn(const Fiber& fiber) noexcept;
  bool isDispatcher(const Fiber& fiber) const noexcept { return &fiber == dispatcher_; }
  void giveIdentity() noexcept;
  // Before a call that may switch: a callback needs an identity, and somebody to leave the loop to.
  // Throws: Error if there is no memory for that one's stack.
  void prepareToPark() {
    if (currentFiber == dispatcher_) [[unlikely]]
      prepareCallbackToPark();
  }

  // The process has forked and this is the child, with its parent's loop: every call that may
  // switch throws. The fiber that forked is marked, and no other runs before afterForkInChild().
  bool isForked() const noexcept { return loop_.isForked(); }

  // Uses up one of the calls that a fiber may make without ever parking.
  bool spendBudget() noexcept { return --budget_ > 0; }

  // Told of each fiber that is spawned.
  WaitQueue<SpawnObserverNode> spawnObservers;

  void countDroppedHandle() noexcept { ++handlesDropped_; }
  void countSwallowedKill() noexcept { ++killsSwallowed_; }

  // A number for select() to begin at: no pattern of a program's own keeps step with it.
  std::size_t nextSelectStart() noexcept {
    selectState_ ^= selectState_ << 13;
    selectState_ ^= selectState_ >> 7;
    selectState_ ^= selectState_ << 17;
    return selectState_ >> 8;
  }

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

  // Kills every fiber but the calling one and waits until they have ended. One that swallows its
  // kill kStrikesMax times while this goes on is abandoned: reported, and never resumed again.
  void closeDown();
  // Starts a fiber that does it, then stops the loop. Once; from then on fibers are born killed.
  void beginClosing();
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
  void onCallbackEnd() noexcept override { ++currentFiber->shieldDepth; }
  void onIdle() noexcept override;
  const void* runningStack() const noexcept override { return currentFiber; }
  void addTo(LoopStatistics& statistics) const noexcept override;

 private:
  friend class Fiber;
  void tellSpawnObservers(Fiber& fiber) noexcept;
  static constexpr int kBudget = 128;
  static constexpr Duration kTrimEvery = std::chrono::milliseconds(100);
  static constexpr std::uint32_t kStrikesMax = 1000;
  static constexpr int kClosingRoundsMax = 1000;
  static constexpr int kQuietRounds = 8;
  static constexpr int kBornClosingMax = 100'000;  // fibers started while the run closes
  static constexpr Duration kClosingGrace = std::chrono::seconds(60);

  void newDispatcher();
  void makeReserve();
  void prepareCallbackToPark();
  void renewIdentity();
  void becomeFiber();
  void switchToNew() noexcept;
  void dispatch() noexcept;
  bool handOverStack() noexcept;
  [[noreturn]] static void runStack(Transfer transfer) noexcept;
  [[noreturn]] void leave() noexcept;
  void begin(Fiber& next) noexcept;
  void letGo(Fiber& ended) noexcept;
  void reportUnguarded();
  void keepOrRelease(const Stack& stack) noexcept;
  void giveStack(Fiber& fiber);
  bool prepareToRun(Fiber& fiber) noexcept;
  Fiber& chooseNext() noexcept;
  void finish(Fiber& fiber) noexcept;
  void unregister(Fiber& fiber) noexcept;
  void saveState(FiberMachine& machine) noexcept;
  void loadState(const FiberMachine& machine) noexcept;
  std::string describeDeadlock();
  void abandon(Fiber& fiber, const std::string& why) noexcept;
  bool abandonUnreachable();
  bool isClosingTooLong() const noexcept;

  Loop& loop_;
  std::size_t stackBytes_;
  ExceptionState* exceptions_;  // this thread's; looked up once, fibers never move
  int* errorNumber_;
  int budget_ = kBudget;
  Fiber* dispatcher_ = nullptr;
  Fiber* reserve_ = nullptr;    // the next dispatcher, with a stack
  Fiber* afterThis_ = nullptr;  // who runs when the fiber that has just ended leaves its stack
  Context thread_;
  Fiber* first_ = nullptr;
  std::size_t fiberCount_ = 0;
  Fiber* closer_ = nullptr;
  bool closing_ = false;
  bool closingTimeUp_ = false;
  int bornClosing_ = 0;
  std::size_t selectState_ = 1;
  bool reportedForeign_ = false;
  bool reportedUnguarded_ = false;
  TimePoint nextTrim_{};
  std::uint64_t lastId_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t spawned_ = 0;
  std::uint64_t handlesDropped_ = 0;
  std::uint64_t killsSwallowed_ = 0;
  OverflowReporter overflowReporter_;
  StackPool stacks_;
  Stack spare_;
};

// --- the hot path, inline ---

// Pointers are read before anything is stored: for the compiler the two might be the same memory.
inline void Scheduler::saveState(FiberMachine& machine) noexcept {
  const ExceptionState* const exceptions = exceptions_;
  const int number = *errorNumber_;
  const unsigned uncaught = exceptions->uncaught;
  machine.exceptions.caught = exceptions->caught;
  machine.exceptions.uncaught = uncaught;
  machine.exceptions.errorNumber = number;
}

inline void Scheduler::loadState(const FiberMachine& machine) noexcept {
  ExceptionState* const exceptions = exceptions_;
  int* const number = errorNumber_;
  const ExceptionState state = machine.exceptions;
  exceptions->caught = state.caught;
  exceptions->uncaught = state.uncaught;
  *number = state.errorNumber;
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
  FiberMachine& machine = FiberMachine::of(*currentFiber);
  saveState(machine);
  begin(next);
  switchContext(machine.context, FiberMachine::of(next).context);
}

// Written so that nothing but `this` is needed after a call: what lives across one is saved on the
// stack, and every line of it that is touched counts.
inline void Scheduler::switchAway() noexcept {
  if (currentFiber == dispatcher_) [[unlikely]]
    becomeFiber();
  Task* const task = loop_.peekNext();
  if (task == nullptr || task->run != &Fiber::resume) return switchTo(*dispatcher_);
  Fiber& next = static_cast<Fiber&>(*task);
  if (!FiberMachine::of(next).isPrepared()) [[unlikely]]
    return switchToNew();
  loop_.takeNext();
  if (&next != currentFiber) return switchTo(next);
  next.state_ = Fiber::State::running;
  budget_ = kBudget;
}

inline void Scheduler::yield() noexcept {
  if (currentFiber == dispatcher_) [[unlikely]]
    becomeFiber();
  makeReady(*currentFiber);
  switchAway();
}

}  // namespace plait::detail
