#include "plait/looping_call.h"

#include <stdexcept>

#include "plait/cancellation.h"

namespace plait::detail {

Deferred<void> LoopingState::start(Duration interval, bool now, const std::source_location& at) {
  if (running_ || calling_) throw std::logic_error("LoopingCall::start: it runs already");
  if (interval < Duration::zero()) {
    throw std::invalid_argument("LoopingCall::start: a negative interval");
  }
  running_ = true;
  interval_ = interval;
  start_ = lastCall_ = time_.now();
  first_ = now;
  at_ = at;
  Deferred<void> done(
      [weak = weak_from_this()](const Deferred<void>&) {
        const auto self = weak.lock();
        if (!self) return CancelAnswer::now;
        self->running_ = false;
        self->next_.cancel();
        // What f waits for comes to its end first; then the Deferred fires.
        return self->calling_ ? CancelAnswer::later : CancelAnswer::now;
      },
      at);
  done_.emplace(done);
  if (!now) {
    schedule();
    return done;
  }
  try {
    call();
  } catch (const Cancellation&) {
    // Nobody will ever have the Deferred.
    DeferredAccess::home(done).forgetFailure();
    throw;
  }
  return done;
}

void LoopingState::stop() {
  if (!running_) throw std::logic_error("LoopingCall::stop: it does not run");
  running_ = false;
  if (calling_) return;  // it ends when f has
  next_.cancel();
  const Deferred<void> done = *std::exchange(done_, std::nullopt);
  done.callback();
}

void LoopingState::reset() {
  if (!running_) throw std::logic_error("LoopingCall::reset: it does not run");
  start_ = lastCall_ = time_.now();
  if (!calling_) {
    next_.cancel();
    schedule();
  }
}

// How many ticks the coming call stands for: itself, and those that were missed.
int LoopingState::countTicks() noexcept {
  const TimePoint now = time_.now();
  int ticks = 1;
  if (interval_ > Duration::zero()) {
    const auto before = (lastCall_ - start_) / interval_;
    const auto after = (now - start_) / interval_;
    ticks = static_cast<int>(after - before);
    if (std::exchange(first_, false)) ticks = 1;
  }
  lastCall_ = now;
  return ticks;
}

void LoopingState::call() {
  calling_ = true;
  const auto self = shared_from_this();
  try {
    function_(countTicks()).addBoth([self](Result<void> result) {
      self->called(std::move(result));
    });
  } catch (const Cancellation&) {
    // Not the function's failure alone: whoever called is struck, too.
    called(Failure());
    throw;
  }
}

void LoopingState::called(Result<void> result) {
  calling_ = false;
  if (result.isValue() && running_) return schedule();
  running_ = false;
  if (!done_) return;
  const Deferred<void> done = *std::exchange(done_, std::nullopt);
  if (done.isCalled()) return;
  fire(done, std::move(result));
}

// At the first multiple of the interval that lies ahead.
void LoopingState::schedule() {
  Duration wait = Duration::zero();
  if (interval_ > Duration::zero()) {
    const Duration past = time_.now() - start_;
    wait = interval_ - past % interval_;
  }
  next_ = callLater(time_, wait, [self = shared_from_this()] { self->call(); }, at_);
}

}  // namespace plait::detail
