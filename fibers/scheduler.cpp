#include "scheduler.h"

#include <cxxabi.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "plait/error.h"
#include "plait/report.h"

namespace plait::detail {

constinit thread_local Fiber* currentFiber = nullptr;

namespace {

constexpr int kForkedExit = 70;  // EX_SOFTWARE

}  // namespace

Fiber* Fiber::currentOrNull() noexcept { return currentFiber; }

Scheduler::Scheduler(Loop& loop, std::size_t stackBytes)
    : loop_(loop),
      stackBytes_(stackBytes == 0 ? StackPool::kDefaultBytes : stackBytes),
      exceptions_(reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals())),
      errorNumber_(&errno) {
  loop_.setOwner(this);
  newDispatcher();
}

Scheduler::~Scheduler() {
  loop_.setOwner(nullptr);
  while (spawnObservers.pop() != nullptr) continue;  // of fibers that were abandoned
  if (dispatcher_ == nullptr) return;
  if (spare_) stacks_.release(spare_);
  for (Fiber* each : {dispatcher_, reserve_}) {
    if (each == nullptr) continue;
    stacks_.release(FiberMachine::of(*each).stack);
    each->release();
  }
}

[[gnu::always_inline]] inline void Scheduler::leave() noexcept {
  Fiber* next = std::exchange(afterThis_, nullptr);
  while (!FiberMachine::of(*next).isPrepared() && !prepareToRun(*next)) next = &chooseNext();
  Context last = FiberMachine::of(*currentFiber).context;
  // Free for a later fiber; nobody touches it before this one has left it.
  keepOrRelease(FiberMachine::of(*currentFiber).stack);
  letGo(*currentFiber);
  begin(*next);
  leaveContext(last, FiberMachine::of(*next).context);
}

// Every stack begins here: the dispatcher's, and every fiber's. When a fiber has ended and the next
// one has not begun, that one takes over the stack as it is, without a switch. All that never
// returns is inlined: a return that is predicted and never comes spoils those of the next fiber.
void Scheduler::runStack(Transfer transfer) noexcept {
  arriveFirst(transfer);
  Scheduler& scheduler = *currentFiber->scheduler_;
  do {
    resetFloatingPoint();
    if (currentFiber == scheduler.dispatcher_) {
      scheduler.dispatch();
    } else {
      currentFiber->runBody();
    }
    scheduler.finish(*currentFiber);
  } while (scheduler.handOverStack());
  scheduler.leave();
}

bool Scheduler::handOverStack() noexcept {
  Fiber& ended = *currentFiber;
  Fiber& next = chooseNext();
  FiberMachine& from = FiberMachine::of(ended);
  FiberMachine& to = FiberMachine::of(next);
  if (to.isPrepared() || next.stackBytes_ != ended.stackBytes_) {
    afterThis_ = &next;
    return false;
  }
  to.stack = std::exchange(from.stack, Stack());
  to.context = from.context;
  stacks_.setOwner(to.stack, next);
  letGo(ended);
  begin(next);
  return true;
}

// The scheduler's own reference to a fiber that has ended. If it is the last one, a value that is
// left is destroyed by a callback: here, between two fibers, its destructor could not block.
void Scheduler::letGo(Fiber& ended) noexcept {
  if (ended.references_ == 1 && ended.holdsValue_) {
    loop_.callSoon([last = FiberPointer<>(&ended, FiberPointer<>::Adopt())] {});
    return;
  }
  ended.release();
}

// The stack that became free last goes to the next fiber that begins, past the pool's books.
void Scheduler::keepOrRelease(const Stack& stack) noexcept {
  if (spare_) {
    stacks_.release(stack);
  } else {
    spare_ = stack;
  }
}

void Scheduler::reportUnguarded() {
  reportedUnguarded_ = true;
  // Between two fibers: a callback tells it.
  loop_.callSoon([] {
    reportError(
        "a stack without a guard",
        std::make_exception_ptr(Error(
            std::errc::not_enough_memory,
            "the kernel refuses more guard pages, so an overflow of this stack, and of others to "
            "come, would go unnoticed: raise the sysctl vm.max_map_count, or use Linux 6.13")));
  });
}

void Scheduler::giveStack(Fiber& fiber) {
  FiberMachine& machine = FiberMachine::of(fiber);
  const std::size_t wanted = fiber.stackBytes_ == 0 ? stackBytes_ : fiber.stackBytes_;
  // The running fiber's errno is not saved yet, and a refused guard would change it.
  struct KeepErrno {
    int& place;
    int value;
    ~KeepErrno() { place = value; }
  } const keepErrno{*errorNumber_, *errorNumber_};
  if (spare_.bytes == wanted) {
    machine.stack = std::exchange(spare_, Stack());
    stacks_.setOwner(machine.stack, fiber);
  } else {
    machine.stack = stacks_.allocate(wanted, fiber);
    if (!reportedUnguarded_ && stacks_.statistics().unguarded > 0) reportUnguarded();
  }
  prepare(machine.context, machine.stack, &Scheduler::runStack);
}

bool Scheduler::prepareToRun(Fiber& fiber) noexcept {
  try {
    giveStack(fiber);
    return true;
  } catch (...) {
    // The fiber never runs; its joiners get the reason.
    fiber.error_ = std::current_exception();
    fiber.dropFunction();
    finish(fiber);
    fiber.release();
    return false;
  }
}

// The next fiber has not begun: it gets a stack. One whose stack is refused has ended, and another
// one is chosen.
void Scheduler::switchToNew() noexcept {
  for (;;) {
    Fiber& next = chooseNext();
    if (&next == currentFiber) {
      next.state_ = Fiber::State::running;
      return;
    }
    if (!FiberMachine::of(next).isPrepared() && !prepareToRun(next)) continue;
    return switchTo(next);
  }
}

Fiber& Scheduler::chooseNext() noexcept {
  Task* const next = loop_.peekNext();
  if (next == nullptr || next->run != &Fiber::resume) return *dispatcher_;
  loop_.takeNext();
  return static_cast<Fiber&>(*next);
}

void Fiber::resume(Task& task) noexcept {
  Fiber& fiber = static_cast<Fiber&>(task);
  Scheduler& scheduler = *fiber.scheduler_;
  if (!FiberMachine::of(fiber).isPrepared() && !scheduler.prepareToRun(fiber)) return;
  scheduler.switchTo(fiber);
}

void Scheduler::add(Fiber& fiber) {
  addLater(fiber);
  makeReady(fiber);
}

void Scheduler::addLater(Fiber& fiber) noexcept {
  registerFiber(fiber);
  ++spawned_;
  fiber.retain();  // the scheduler's own, given back when the fiber has ended
  if (!spawnObservers.isEmpty()) [[unlikely]]
    tellSpawnObservers(fiber);
}

void Scheduler::registerFiber(Fiber& fiber) noexcept {
  fiber.scheduler_ = this;
  if (fiber.id_ == 0) fiber.id_ = ++lastId_;
  // Too late for a life of its own: it ends at its first blocking call, or without having run.
  if (closing_) {
    fiber.killRequested_ = fiber.pending_ = true;
    ++bornClosing_;
  }
  fiber.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &fiber;
  first_ = &fiber;
  ++fiberCount_;
}

void Scheduler::unregister(Fiber& fiber) noexcept {
  if (fiber.next_ != nullptr) fiber.next_->previous_ = fiber.previous_;
  *(fiber.previous_ == nullptr ? &first_ : &fiber.previous_->next_) = fiber.next_;
  fiber.next_ = fiber.previous_ = nullptr;
  --fiberCount_;
  if (closer_ != nullptr && closer_->state_ == Fiber::State::parked) makeReady(*closer_);
}

void Scheduler::finish(Fiber& fiber) noexcept {
  // Whoever would run now belongs to the parent, and so does the ring.
  if (isForked()) {
    reportError(fiber.describe(),
                std::make_exception_ptr(
                    Error(std::errc::owner_dead,
                          "it has ended in a forked child whose loop is the parent's; call "
                          "plait::afterForkInChild(), exec or _exit in the child")));
    std::_Exit(kForkedExit);
  }
  fiber.state_ = Fiber::State::finished;
  fiber.killRequested_ = fiber.pending_ = false;
  unregister(fiber);
  while (fiber.strikes_.pop() != nullptr) continue;
  while (DoneNode* node = fiber.done_.pop()) node->notify(fiber);
}

void Scheduler::addTo(LoopStatistics& statistics) const noexcept {
  statistics.switches = switches_;
  statistics.spawned = spawned_;
  statistics.handlesDropped = handlesDropped_;
  statistics.killsSwallowed = killsSwallowed_;
  statistics.stacks = stacks_.statistics().inUse;
  for (const Fiber* fiber = first_; fiber != nullptr; fiber = fiber->next_) {
    if (fiber->state_ == Fiber::State::ready) ++statistics.fibersReady;
    if (fiber->state_ == Fiber::State::parked) ++statistics.fibersParked;
  }
}

void Scheduler::onIdle() noexcept {
  // Trimming costs about a microsecond a stack: not at every little pause of a busy server.
  const TimePoint time = loop_.now();
  if (time < nextTrim_) return;
  if (spare_) stacks_.release(std::exchange(spare_, Stack()));
  stacks_.trim();
  nextTrim_ = time + kTrimEvery;
}

}  // namespace plait::detail
