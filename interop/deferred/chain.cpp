#include "plait/detail/chain.h"

#include <algorithm>
#include <stdexcept>

#include "chain_record.h"
#include "destruction.h"
#include "plait/cancellation.h"
#include "plait/detail/loop.h"
#include "plait/detail/type_name.h"
#include "plait/error.h"
#include "plait/failure.h"
#include "plait/report.h"

// Running is iterative. A chain that becomes runnable while another one runs is put on top of it,
// through `below_`, runs until its links are used up or it has to wait, and then the one below goes
// on: the stack does not grow with the depth of a nest.

namespace plait::detail {
namespace {

const void* runningStack() noexcept {
  const Loop* const loop = Loop::current();
  return loop == nullptr ? nullptr : loop->runningStack();
}

std::string placeOf(const std::source_location& at) {
  return std::string(at.file_name()) + ":" + std::to_string(at.line());
}

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

bool Chain::mayDropFire(const std::source_location& at) {
  if (std::exchange(swallowsNext_, false)) return false;
  const bool wasCancelled = firedAt_.line() == 0;
  std::string text = "the " + describe() + " was " +
                     (wasCancelled ? "cancelled" : "fired before, at " + placeOf(firedAt_)) +
                     ", and now it is fired at " + placeOf(at);
  if (record_ != nullptr) text += record_->describe();
  throw AlreadyCalledError(std::move(text));
}

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

// --- cancelling

void Chain::setCanceller(Canceller canceller) {
  if (canceller_ == nullptr) {
    void* const room = allocate(sizeof(Canceller), alignof(Canceller));
    canceller_ = ::new (room) Canceller;
    base_ = free_;
  }
  *canceller_ = std::move(canceller);
}

void Chain::dropCanceller() noexcept {
  // It may be the one that runs, and then it has been moved out.
  std::exchange(canceller_, nullptr)->~UniqueFunction();
}

void Chain::cancel() {
  Chain* target = this;
  while (target->waitingFor_ != nullptr) target = target->waitingFor_;
  target->cancelThis();
}

void Chain::cancelThis() {
  if (called_) {
    // A callback that is parked may return a Deferred; from within itself it is no news.
    if (running_ && runner_ != runningStack()) cancelAsked_ = true;
    return;
  }
  const ChainPointer self(*this);
  std::exception_ptr killed;
  if (canceller_ == nullptr) {
    swallowsNext_ = true;
  } else {
    Canceller canceller = std::move(*canceller_);
    CancelAnswer answer = CancelAnswer::now;
    try {
      if (canceller) answer = canceller(*this);
    } catch (const Cancellation&) {
      killed = std::current_exception();
    } catch (...) {
      reportError("the canceller of the " + describe(), std::current_exception());
    }
    if (!called_ && answer == CancelAnswer::later) {
      *canceller_ = std::move(canceller);
      return;
    }
    canceller.reset();
  }
  // What the canceller owned may have fired it, too.
  if (!called_) {
    called_ = true;
    slot_.setFailure(
        std::make_exception_ptr(CancelledError("the " + describe() + " was cancelled")));
    dropCancellerIfAny();
    if (killed) {
      runLater();
    } else {
      run();
    }
  }
  if (killed) std::rethrow_exception(killed);
}

// --- the end

void Chain::lastReleased() noexcept {
  references_.store(0, std::memory_order_relaxed);
  if (!isHome()) return releaseOffHome();
  if (running_) {
    released_ = true;
    return;
  }
  if (first_ != nullptr && breakLater()) return;
  Destruction::of(*this);
}

// The chain ends at home, whatever thread the last handle was on.
void Chain::releaseOffHome() noexcept {
  if (const std::shared_ptr<Inbox> inbox = homeless_ ? nullptr : home_.inbox()) {
    homeless_ = true;
    references_.store(1, std::memory_order_relaxed);
    try {
      postCallback(*inbox, [self = ChainPointer(this, ChainPointer::Adopt())] {}, createdAt_);
    } catch (const ReactorStopped&) {
      // The closure is gone, and the chain with it: the branch below.
    }
    return;
  }
  // Its loop has ended, so nobody there runs callbacks any more.
  Destruction::of(*this);
}

// In a turn of its own. False if there is none to come.
bool Chain::breakLater() noexcept {
  Loop* const loop = Loop::current();
  if (loop == nullptr || std::exchange(breaking_, true)) return false;
  references_.store(1, std::memory_order_relaxed);
  loop->callSoon([self = ChainPointer(this, ChainPointer::Adopt())] { self->breakNow(); },
                 createdAt_);
  return true;
}

void Chain::breakNow() {
  paused_ = 0;
  if (!called_ || slot_.state() != State::empty) {
    const char* const why = called_ ? " is paused, and nobody is left who could unpause it"
                                    : " can never fire: the last handle on it is gone";
    called_ = true;
    slot_.clear();
    slot_.setFailure(std::make_exception_ptr(BrokenDeferredError("the " + describe() + why)));
    dropCancellerIfAny();
  }
  run();
}

// From Destruction: nothing else of this kind runs on this stack.
void Chain::endNow() noexcept {
  if (first_ != nullptr && isHome()) {
    references_.store(1, std::memory_order_relaxed);
    const ChainPointer self(this, ChainPointer::Adopt());
    return breakNow();
  }
  if (slot_.state() == State::failure && !unhandledIsQuiet_) reportUnhandled();
  dropAll();
  delete this;
}

void Chain::freeMemory() noexcept {
  while (Chunk* const chunk = chunks_) {
    chunks_ = chunk->next;
    ::operator delete(chunk);
  }
  free_ = base_;
  end_ = inside_ + kInsideBytes;
}

// Links of one chunk share it, so that long chains cost few allocations.
void* Chain::allocateOutside(std::size_t bytes, std::size_t alignment) {
  constexpr std::size_t kChunkBytes = 1024;
  const std::size_t size = std::max(kChunkBytes, sizeof(Chunk) + alignment + bytes);
  chunks_ = ::new (::operator new(size)) Chunk{chunks_};
  free_ = reinterpret_cast<std::byte*>(chunks_ + 1);
  end_ = reinterpret_cast<std::byte*>(chunks_) + size;
  return allocate(bytes, alignment);
}

void Chain::dropAll() noexcept {
  while (Link* const link = first_) {
    first_ = link->next;
    link->step(*link, nullptr);
  }
  dropCancellerIfAny();
  slot_.clear();
}

// --- words

std::string Chain::describe() const { return "Deferred created at " + placeOf(createdAt_); }

std::string Chain::describe(const std::type_info& type) const {
  std::string text = "Deferred<" + typeName(type) + "> created at " + placeOf(createdAt_) + ", ";
  if (waitingFor_ != nullptr) return text + "waiting for the " + waitingFor_->describe();
  if (chainedTo_ != nullptr) return text + "waiting for the " + chainedTo_->describe();
  if (!called_) return text + "not fired";
  if (running_) return text + "running its callbacks";
  if (paused_ > 0) return text + "paused";
  if (slot_.state() == State::empty) return text + "its result was taken";
  if (slot_.state() == State::value) return text + "has a value";
  return text + "failed: " + plait::describe(slot_.failure());
}

void Chain::reportUnhandled() noexcept {
  // What the end of a run has cut off is no news.
  const Loop* const loop = Loop::current();
  if (loop != nullptr && loop->isEnding() &&
      caughtBy(typeid(BrokenDeferredError), slot_.failure()) != nullptr) {
    return;
  }
  std::string context = "unhandled error in the " + describe();
  if (record_ != nullptr) context += record_->describe();
  reportError(std::move(context), slot_.failure());
}

void Chain::throwSpent() const {
  throw AlreadyChainedError("the result of the " + describe() +
                            " was taken, or its type changed, at " + placeOf(spentAt_) +
                            "; share() it for several, or go on with the "
                            "Deferred that addCallback() returned");
}

void Chain::throwNotOriginal(const std::type_info& type) const {
  throw std::logic_error("callback() through a Deferred<" + typeName(type) + ">, but the " +
                         describe() + " began as a Deferred<" + typeName(*type_) +
                         ">: fire it through a handle from before its type changed");
}

void throwNotHome(const Chain* chain) {
  if (chain == nullptr) throw std::logic_error("a Deferred that was moved from was used");
  throw std::logic_error("the " + chain->describe() +
                         " was used on another thread than its own; go there with "
                         "callFromThread()");
}

}  // namespace plait::detail
