// The fiber that drives the loop, and what becomes of it when a callback on its stack wants to know
// who it is, or parks.
#include <utility>

#include "scheduler.h"

namespace plait::detail {
namespace {

// A dispatcher, and what its stack becomes when a callback on it parks. It has no function of its
// own.
class DispatcherFiber final : public Fiber {
 public:
  explicit DispatcherFiber() : Fiber({}, std::source_location::current()) {}

 private:
  void body() override {}
  void dropFunction() noexcept override {}
};

}  // namespace

void Scheduler::drive() {
  adoptThreadStack(thread_);
  FiberMachine outside;
  saveState(outside);
  loadState(FiberMachine::of(*dispatcher_));
  currentFiber = dispatcher_;
  switchContext(thread_, FiberMachine::of(*dispatcher_).context);
  currentFiber = nullptr;
  loadState(outside);
}

// Returns when this stack is no longer the dispatcher's: a callback on it has parked, and has
// returned now. Then it ends like any fiber.
void Scheduler::dispatch() noexcept {
  while (currentFiber == dispatcher_) {
    const bool goOn = loop_.step();
    if (currentFiber != dispatcher_) break;
    currentFiber->shieldDepth = 0;
    // Again, if a destructor of its locals asked who it is.
    while (currentFiber == dispatcher_ && currentFiber->isCallback_) renewIdentity();
    if (!goOn) leaveContext(FiberMachine::of(*currentFiber).context, thread_);
  }
  currentFiber->dropLocals();
}

void Scheduler::newDispatcher() {
  makeReserve();
  dispatcher_ = std::exchange(reserve_, nullptr);
}

void Scheduler::makeReserve() {
  if (reserve_ != nullptr) return;
  FiberPointer<DispatcherFiber> fiber(new DispatcherFiber(),
                                      FiberPointer<DispatcherFiber>::Adopt());
  fiber->scheduler_ = this;
  fiber->state_ = Fiber::State::running;
  giveStack(*fiber);
  fiber->retain();
  reserve_ = fiber.get();
}

// --- callbacks ---

// The callback that runs needs a self: the fiber of its stack becomes it.
void Scheduler::giveIdentity() noexcept {
  if (currentFiber != dispatcher_ || dispatcher_->isCallback_) return;
  dispatcher_->isCallback_ = true;
  if (loop_.callbackPlace != nullptr) dispatcher_->spawnedAt_ = *loop_.callbackPlace;
  registerFiber(*dispatcher_);
}

void Scheduler::prepareCallbackToPark() {
  giveIdentity();
  makeReserve();
}

// The callback that runs is about to park: the stack is its own from now on.
void Scheduler::becomeFiber() {
  giveIdentity();
  loop_.callbackPlace = nullptr;
  newDispatcher();
}

// The callback that asked who it is has returned without parking: its identity ends with it, and
// the stack goes on under a new one.
void Scheduler::renewIdentity() {
  Fiber* const old = dispatcher_;
  auto* const fresh = new DispatcherFiber();
  fresh->scheduler_ = this;
  fresh->state_ = Fiber::State::running;
  FiberMachine::of(*fresh) = FiberMachine::of(*old);
  FiberMachine::of(*old) = FiberMachine();
  stacks_.setOwner(FiberMachine::of(*fresh).stack, *fresh);
  dispatcher_ = fresh;
  currentFiber = fresh;
  // They may block, on this fiber, which is not the dispatcher any more then.
  ++fresh->shieldDepth;
  old->dropLocals();
  // If they have, the stack ends with this fiber, shielded.
  if (fresh == dispatcher_) --fresh->shieldDepth;
  finish(*old);
  old->release();
}

const std::source_location* Scheduler::callbackOn(const Fiber& fiber) noexcept {
  if (fiber.isCallback_) return &fiber.spawnedAt_;
  const Scheduler* const scheduler = fiber.scheduler_;
  if (scheduler == nullptr || &fiber != scheduler->dispatcher_) return nullptr;
  return scheduler->loop_.callbackPlace;
}

}  // namespace plait::detail
