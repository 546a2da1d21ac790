#include "plait/wait_for_deferred.h"

#include <stdexcept>
#include <string>

#include "plait/detail/alarm.h"
#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"
#include "plait/report.h"

namespace plait::detail {
namespace {

// In the frame of the fiber that waits, and a link of the chain. Who wakes: the link, when the
// chain comes to it, once. Who leaves: a fiber that is struck and need not wait takes its link out
// of the chain. As long as the link is in the chain, `chain` is good.
struct DeferredWait final : Link {
  DeferredWait(Chain& awaited, ResultSlot& slot) : Link(&run), chain(&awaited), into(slot) {}

  static Chain* run(Link& link, Chain* ended) {
    auto& self = static_cast<DeferredWait&>(link);
    if (ended == nullptr) return nullptr;  // its loop has ended, and the fiber with it
    ended->slot().moveTo(self.into);
    self.chain = nullptr;
    self.waiter.wake(true);
    return nullptr;
  }

  // Callbacks and cancellers run in a turn of their own, and not on the stack of who kills.
  void cancelLater() {
    Loop::current()->callSoon(
        [this, awaited = ChainPointer(*chain)] {
          // What cannot be cancelled, because it is paused, is not waited for; nor is it at work.
          if (awaited->cancel() || !awaited->contains(*this)) return;
          leave(OnWaitEnd::cancel);
          waiter.wake(false);
        },
        chain->createdAt());
  }
  static void cancelLeft(Chain& left) {
    Loop::current()->callSoon([awaited = ChainPointer(left)] { awaited->cancel(); },
                              left.createdAt());
  }

  void leave(OnWaitEnd how);

  Chain* chain;
  ResultSlot& into;
  Waiter<bool> waiter{{"waitForDeferred", this, [](const void* object) {
                         const Chain* awaited = static_cast<const DeferredWait*>(object)->chain;
                         return awaited == nullptr ? std::string() : describeWait(*awaited);
                       }}};

  static std::string describeWait(const Chain& awaited);
};

std::string DeferredWait::describeWait(const Chain& awaited) {
  std::string text = "for the " + awaited.describe();
  if (const void* const producer = awaited.lastProducer()) {
    text += ", which " + static_cast<const Fiber*>(producer)->describe() + " fires";
  }
  return text;
}

// In the place of a waiter that has left: its CancelledError is nobody's news.
struct LeftBehind final : Link {
  LeftBehind() : Link(&run) {}
  static Chain* run(Link& link, Chain* ended) {
    static_cast<LeftBehind&>(link).~LeftBehind();
    if (ended == nullptr) return nullptr;
    ResultSlot& slot = ended->slot();
    if (slot.state() == ResultSlot::State::value ||
        caughtBy(typeid(CancelledError), slot.failure()) != nullptr) {
      slot.clear();
    }
    return nullptr;
  }
};

void DeferredWait::leave(OnWaitEnd how) {
  chain->remove(*this);
  if (how == OnWaitEnd::cancel) {
    chain->append(*::new (chain->allocate(sizeof(LeftBehind), alignof(LeftBehind))) LeftBehind);
    cancelLeft(*chain);
  } else {
    chain->unspend();
  }
  chain = nullptr;
}

}  // namespace

void requireOtherThanSelf(const Chain& chain) {
  if (chain.isRunningHere()) {
    throw std::logic_error("a callback of the " + chain.describe() + " waits for that Deferred");
  }
  const Fiber* const self = Fiber::currentOrNull();
  if (self == nullptr || chain.lastProducer() != self) return;
  throw std::logic_error(self->describe() + " waits for the " + chain.describe() +
                         ", which is fired when it ends itself");
}

void waitForChain(ChainPointer chain, std::uint32_t generation, ResultSlot& into,
                  const DeferredWaitOptions& options) {
  Fiber& self = Fiber::current("waitForDeferred");
  // What strikes before the result is taken leaves it where it is. But a Deferred that is at work
  // may use the caller's frame: then a kill that is pending is dealt with as one that comes during
  // the wait, which parks in any case.
  if (chain->isResolved() || Loop::current()->isForked()) checkpoint();
  chain->requireGeneration(generation);
  if (chain->isResolved()) {
    chain->spend(options.at);
    chain->slot().moveTo(into);
    return;
  }
  self.requireMayPark("waitForDeferred");
  requireOtherThanSelf(*chain);
  chain->spend(options.at);
  DeferredWait wait(*chain, into);
  chain->append(wait);
  chain = ChainPointer();

  bool timedOut = false;
  const Alarm alarm(options.timeout, [&wait, &timedOut, &options] {
    if (wait.chain == nullptr) return;
    timedOut = true;
    if (options.onEnd == OnWaitEnd::cancelAndWait) return wait.cancelLater();
    wait.leave(options.onEnd);
    wait.waiter.wake(false);
  });
  bool struck = false;
  // Where not even the stack for whoever goes on can be had.
  struct NotParked {
    DeferredWait& wait;
    bool isOver = false;
    ~NotParked() {
      if (!isOver && wait.chain != nullptr) wait.leave(OnWaitEnd::detach);
    }
  } notParked{wait};
  const bool ended = wait.waiter.park([&wait, &struck, &options] {
    struck = true;
    // A forked child's parent fires it, or nobody.
    if (wait.chain == nullptr || Loop::current()->isForked()) return OnCancel::stay;
    if (options.onEnd == OnWaitEnd::cancelAndWait) {
      wait.cancelLater();
      return OnCancel::stay;
    }
    wait.leave(options.onEnd);
    return OnCancel::leave;
  });
  notParked.isOver = true;
  // Not ended: out of time, or struck while nothing could be cancelled.
  const bool wasCancelled = ended && into.state() == ResultSlot::State::failure &&
                            caughtBy(typeid(CancelledError), into.failure()) != nullptr;
  if (ended && !wasCancelled) return;
  // The cancel was this waiter's own: what has struck it says why.
  if (struck) self.throwPending();
  if (timedOut) {
    throw TimeoutError("waitForDeferred: the Deferred has not ended within " +
                       std::to_string(std::chrono::duration<double>(options.timeout).count()) +
                       " s");
  }
}

}  // namespace plait::detail
