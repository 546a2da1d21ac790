// The end of a run, and what is said when nothing can go on.

#include <string>

#include "plait/detail/alarm.h"
#include "plait/detail/process.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/report.h"
#include "scheduler.h"

namespace plait::detail {

void Scheduler::closeDown() {
  closer_ = Fiber::currentOrNull();
  loop_.ignoreTimers(1);
  const Alarm alarm(kClosingGrace, [this] {
    loop_.ignoreTimers(-1);
    closingTimeUp_ = true;
    if (closer_->state_ == Fiber::State::parked) makeReady(*closer_);
  });
  // Links and other callbacks of the fibers that end may start new ones; those are born killed.
  int quiet = 0;  // rounds in a row in which no fiber was left, but callbacks that may become one
  for (int round = 0; round < kClosingRoundsMax; ++round) {
    quiet = fiberCount_ > 1 ? 0 : quiet + 1;
    forEach([this](Fiber& fiber) {
      if (&fiber != closer_) fiber.requestKill();
    });
    // Each fiber that ends wakes the closer, and so does the time.
    while (fiberCount_ > 1 && !isClosingTooLong()) {
      closer_->state_ = Fiber::State::parked;
      switchAway();
    }
    if (isClosingTooLong()) break;
    if (!loop_.hasReady()) break;
    // Nobody is left whom a call could help to end: a thread that calls all the time is refused.
    if (quiet > kQuietRounds) loop_.inbox()->refusesCalls.store(true, std::memory_order_relaxed);
    yield();
  }
  if (isClosingTooLong()) {
    forEach([this](Fiber& fiber) {
      if (&fiber == closer_) return;
      abandon(fiber,
              "it goes on although it was killed" + (fiber.state_ == Fiber::State::parked
                                                         ? "; it waits in " + fiber.describeWait()
                                                         : std::string()));
    });
    loop_.kernel().abandonOperations();
  }
  closer_ = nullptr;
}

bool Scheduler::isClosingTooLong() const noexcept {
  return closingTimeUp_ || bornClosing_ > kBornClosingMax;
}

void Scheduler::holdUp(Fiber& fiber, std::uint32_t strikes) noexcept {
  if (!closing_ || strikes <= kStrikesMax) {
    yield();
    return;
  }
  abandon(fiber, "it swallowed " + std::to_string(kStrikesMax) +
                     " kills while the run was closing down; rethrow in `catch (...)`");
  fiber.state_ = Fiber::State::parked;
  switchAway();
}

// It will never be resumed; its stack stays, because others may point into it.
void Scheduler::abandon(Fiber& fiber, const std::string& why) noexcept {
  reportError(fiber.describe(), std::make_exception_ptr(CancelledError("refused to end: " + why)));
  stacks_.abandon();
  loop_.kernel().abandonOperations();
  fiber.retain();  // for ever: its stack may be waited on
  unregister(fiber);
}

// Shielded fibers that wait for what cannot happen any more would hold up the end for ever.
bool Scheduler::abandonUnreachable() {
  forEach([this](Fiber& fiber) {
    if (&fiber == closer_ || fiber.state_ != Fiber::State::parked) return;
    abandon(fiber, "it is shielded and nothing can wake it; it waits in " + fiber.describeWait());
  });
  return loop_.hasReady();
}

bool Scheduler::onNothingLeft() {
  if (fiberCount_ == 0) return false;
  if (closing_) return abandonUnreachable();
  if (process::foreignThreads() > 0) {
    // A stranger's thread may still call in; it cannot be known, so it is said once.
    if (!reportedForeign_) {
      reportedForeign_ = true;
      reportError("the loop", std::make_exception_ptr(DeadlockError(
                                  describeDeadlock() + "\nwaiting on for other threads")));
    }
    return false;
  }
  deadlock = std::make_exception_ptr(DeadlockError(describeDeadlock()));
  beginClosing();
  return true;
}

void Scheduler::beginClosing() {
  if (closing_) return;
  closing_ = true;
  auto closer = makeGreenlet(
      [this] {
        loop_.announceEnd();
        closeDown();
        stop();
      },
      {.name = "plait-closer"}, std::source_location::current());
  add(*closer);
  closer->killRequested_ = closer->pending_ = false;  // the only one that is not born killed
}

std::string Scheduler::describeDeadlock() {
  std::string text = "nothing can wake these fibers any more:";
  forEach([&text](const Fiber& fiber) {
    if (fiber.state_ != Fiber::State::parked) return;
    text += "\n  " + fiber.describe() + " waits in " + fiber.describeWait();
  });
  return text;
}

}  // namespace plait::detail
