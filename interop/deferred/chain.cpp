#include "plait/detail/chain.h"

#include <stdexcept>

#include "chain_record.h"
#include "plait/cancellation.h"
#include "plait/detail/loop.h"
#include "plait/detail/stack_marks.h"
#include "plait/error.h"

// Running is iterative. A chain that becomes runnable while another one runs is put on top of it,
// through `below_`, runs until its links are used up or it has to wait, and then the one below goes
// on: the stack does not grow with the depth of a nest.

namespace plait::detail {
namespace {

// In an inner chain: hands its result to the outer one that waits for it.
struct Continuation final : Link {
  explicit Continuation(ChainPointer waiting) noexcept : Link(&run), outer(std::move(waiting)) {}

  static Chain* run(Link& link, Chain* chain) {
    auto& self = static_cast<Continuation&>(link);
    ChainPointer outer = std::move(self.outer);
    self.~Continuation();
    outer->setWaitingFor(nullptr);
    if (chain == nullptr) return nullptr;
    chain->slot().moveTo(outer->slot());
    return outer.detach();
  }

  ChainPointer outer;
};

// chainDeferred(): fires another chain.
struct Forward final : Link {
  Forward(ChainPointer toFire, const std::source_location& place) noexcept
      : Link(&run), target(std::move(toFire)), at(place) {}

  static Chain* run(Link& link, Chain* chain) {
    auto& self = static_cast<Forward&>(link);
    ChainPointer target = std::move(self.target);
    const std::source_location at = self.at;
    self.~Forward();
    target->setChainedTo(nullptr);
    if (chain == nullptr) return nullptr;
    try {
      if (!target->beginFire(at)) {
        chain->slot().clear();
        return nullptr;
      }
    } catch (...) {
      chain->slot().clear();
      chain->setFailure(std::current_exception());
      return nullptr;
    }
    chain->slot().moveTo(target->slot());
    target->dropCancellerIfAny();
    return target.detach();
  }

  ChainPointer target;
  std::source_location at;
};

}  // namespace

std::atomic<bool> Chain::debugging_{false};

Chain::Chain(const std::type_info& type, const std::source_location& at) noexcept
    : type_(&type), createdAt_(at) {
  if (isDebugging()) [[unlikely]]
    record_ = ChainRecord::make();
}

Chain::~Chain() {
  delete record_;
  freeMemory();
}

// --- firing and running

void Chain::recordFire() {
  if (record_ == nullptr) record_ = ChainRecord::make();
  if (record_ != nullptr) record_->fired = Backtrace::here();
}

void Chain::runLinks() {
  // Without a loop the last handle may go on another thread meanwhile, and nobody sends it here.
  const ChainPointer self = Loop::current() == nullptr ? ChainPointer(*this) : ChainPointer();
  Chain* top = this;
  const auto begin = [stack = runningStack()](Chain& chain, Chain* below) {
    chain.running_ = true;
    chain.runner_ = stack;
    chain.below_ = below;
  };
  begin(*this, nullptr);
  try {
    for (;;) {
      Chain& chain = *top;
      if (chain.first_ == nullptr || chain.paused_ > 0 || chain.waitingFor_ != nullptr) {
        Chain* const below = chain.below_;
        chain.stopRunning(below == nullptr);
        if (below == nullptr) return;
        top = below;
        continue;
      }
      Link& link = *chain.first_;
      chain.first_ = link.next;
      Chain* const next = link.step(link, &chain);
      // A cancel that came while a callback was parked is for the Deferred which that one returns.
      chain.cancelAsked_ = false;
      if (next != nullptr) {
        if (next->first_ != nullptr && next->isRunnable()) {
          begin(*next, &chain);
          top = next;
        } else {
          next->release();
        }
      }
    }
  } catch (...) {
    // A Cancellation goes on its way through whoever fired; the chains go on without it.
    while (top != nullptr) {
      const ChainPointer each(*top);
      top = each->below_;
      each->stopRunning(top == nullptr);
      each->runLater();
    }
    throw;
  }
}

// The first one belongs to the caller, those above hold a reference.
void Chain::stopRunning(bool isFirst) noexcept {
  running_ = false;
  if (first_ == nullptr) freeMemory();
  if (!isFirst) return release();
  if (std::exchange(released_, false) && references_.load(std::memory_order_acquire) == 0) {
    lastReleased();
  }
}

void Chain::runLater() noexcept {
  if (first_ == nullptr) return;
  if (Loop* const loop = Loop::current()) {
    return loop->callSoon([self = ChainPointer(*this)] { self->run(); }, createdAt_);
  }
  try {
    run();
  } catch (const Cancellation&) {
    // Another one: the first is on its way already.
  }
}

void Chain::setCancelled(const char* by) noexcept {
  slot_.setFailure(std::make_exception_ptr(
      CancelledError("a callback of the " + describe() + " ended by a cancellation: " + by)));
}

void Chain::unpause() {
  if (paused_ == 0) throw std::logic_error("unpause() of a " + describe() + " that is not paused");
  if (--paused_ == 0) run();
}

void Chain::remove(Link& link) noexcept {
  Link* previous = nullptr;
  for (Link* each = first_; each != nullptr; previous = each, each = each->next) {
    if (each != &link) continue;
    *(previous == nullptr ? &first_ : &previous->next) = link.next;
    if (last_ == &link) last_ = previous;
    return;
  }
}

// --- chaining

void Chain::takeFrom(Chain& inner, std::uint32_t generation) {
  if (&inner == this) {
    throw std::logic_error("a callback of the " + describe() + " returned that Deferred itself");
  }
  inner.requireGeneration(generation);
  if (inner.isResolved()) {
    inner.spend(createdAt_);
    inner.slot_.moveTo(slot_);
    return;
  }
  if (inner.isWaitingFor(*this)) {
    throw std::logic_error("the " + describe() + " would wait for the " + inner.describe() +
                           ", which waits for it");
  }
  void* const room = inner.allocate(sizeof(Continuation), alignof(Continuation));
  inner.spend(createdAt_);
  setWaitingFor(&inner);
  inner.append(*::new (room) Continuation(ChainPointer(*this)));
  if (takeCancelAsked()) inner.cancel();
}

// Only a chain that another one waits for can be at the end of such a walk, which is rare: so deep
// nests do not cost their depth squared.
bool Chain::isWaitingFor(const Chain& other) const noexcept {
  if (!other.isAwaited_) return false;
  const Chain* each = waitingFor_;
  while (each != nullptr && each != &other) each = each->waitingFor_;
  return each != nullptr;
}

void Chain::chainTo(ChainPointer target, const std::source_location& at) {
  void* const room = allocate(sizeof(Forward), alignof(Forward));
  target->setChainedTo(this);
  append(*::new (room) Forward(std::move(target), at));
}

void Chain::requireOtherThan(const Chain& other) const {
  if (this == &other) throw std::logic_error("chainDeferred() of the " + describe() + " to itself");
}

}  // namespace plait::detail
