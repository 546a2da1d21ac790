#include <algorithm>
#include <new>

#include "chain_record.h"
#include "destruction.h"
#include "plait/cancellation.h"
#include "plait/detail/chain.h"
#include "plait/detail/loop.h"
#include "plait/detail/stack_marks.h"
#include "plait/error.h"
#include "plait/report.h"

// How a chain comes to its end: by a cancel, or because its last handle has gone. One that somebody
// still waits for is broken first, in a turn of its own; then it is destroyed, at home.

namespace plait::detail {

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

}  // namespace plait::detail
