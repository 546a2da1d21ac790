#include "plait/detail/loop.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "loop_registry.h"
#include "plait/cancellation.h"
#include "plait/detail/process.h"
#include "plait/detail/raw.h"
#include "plait/error.h"
#include "plait/time.h"

namespace plait::detail {
namespace {

constinit thread_local Loop* currentLoop = nullptr;

struct CallbackTask final : Task {
  CallbackTask(UniqueFunction<void()> f, const std::source_location& place)
      : Task(&invoke), function(std::move(f)), at(place) {}

  static void invoke(Task& task) {
    const std::unique_ptr<CallbackTask> self(static_cast<CallbackTask*>(&task));
    // Not through `self` alone: the callback may park, and the loop may be another's by then.
    runCallback(*Loop::current(), self->function, self->at);
  }

  UniqueFunction<void()> function;
  std::source_location at;
};

// Callbacks that will not run any more; other Tasks belong to somebody.
void dropCallbacks(Task* task) noexcept {
  while (task != nullptr) {
    Task* const next = task->next;
    if (task->run == &CallbackTask::invoke) delete static_cast<CallbackTask*>(task);
    task = next;
  }
}

}  // namespace

void enqueueCallback(Loop& loop, UniqueFunction<void()> function, std::source_location at) {
  loop.enqueue(*new CallbackTask(std::move(function), at));
}

void postCallback(Inbox& inbox, UniqueFunction<void()> function, std::source_location at) {
  auto task = std::make_unique<CallbackTask>(std::move(function), at);
  if (inbox.refusesCalls.load(std::memory_order_relaxed) || !inbox.post(*task))
    throw ReactorStopped("callFromThread: the loop has ended");
  static_cast<void>(task.release());  // the loop's now
}

void runCallback(Loop& loop, UniqueFunction<void()>& function, const std::source_location& at) {
  loop.callbackPlace = &at;
  try {
    function();
  } catch (const Cancellation& cancellation) {
    // A callback that parked and was killed has ended, as it was asked to.
    if (const std::exception_ptr error = cancellation.asError()) {
      reportError(std::string("callback at ") + at.file_name() + ":" + std::to_string(at.line()),
                  error);
    }
  } catch (...) {
    reportError(std::string("callback at ") + at.file_name() + ":" + std::to_string(at.line()),
                std::current_exception());
  }
  loop.callbackPlace = nullptr;
  if (loop.owner() != nullptr) loop.owner()->onCallbackEnd();
}

Loop::Loop(std::unique_ptr<Kernel> kernel)
    : clock_(kernel->now()),
      kernel_(std::move(kernel)),
      wheel_(clock_),
      inbox_(std::make_shared<Inbox>(*kernel_)),
      forkGeneration_(process::forkGeneration()),
      errorSink_(defaultErrorSink()) {
  if (currentLoop != nullptr) throw std::logic_error("this thread already runs a plait loop");
  currentLoop = this;
  registry::add(inbox_);
}

Loop::~Loop() {
  announceEnd();
  ending_ = true;
  registry::remove(*inbox_);
  dropCallbacks(inbox_->close());
  // What one owns may make another one, while it goes.
  for (;;) {
    if (ready_.front() != nullptr) {
      Task& task = ready_.pop();
      task.next = nullptr;
      dropCallbacks(&task);
    } else if (Timer* const timer = wheel_.popAny()) {
      timer->drop();
    } else {
      break;
    }
  }
  attachments_.clear();
  currentLoop = nullptr;
}

void Loop::announceEnd() noexcept {
  // One may ask for another.
  while (!endings_.empty()) {
    UniqueFunction<void()> next = std::move(endings_.back());
    endings_.pop_back();
    next();
  }
}

Loop* Loop::current() noexcept { return currentLoop; }

Loop& Loop::require(const char* what) {
  if (currentLoop != nullptr) return *currentLoop;
  throw std::logic_error(std::string(what) +
                         " needs a running loop on this thread: call it inside plait::run()");
}

void Loop::callSoon(UniqueFunction<void()> function, std::source_location at) {
  enqueueCallback(*this, std::move(function), at);
}

bool Loop::step() {
  if (turnLast_ != nullptr) {
    Task& task = *ready_.front();
    takeNext();
    task.run(task);
    return true;
  }
  if (!timersFired_) {
    timersFired_ = true;
    if (tasks_ - tasksAtClock_ >= kTasksPerClock || ready_.isEmpty() || kernel_->hasWork()) {
      readClock();
    }
    wheel_.expire(clock_);
  }
  if (Timer* timer = wheel_.popDue()) {
    timer->fire();
    return true;
  }
  if (stopped_) return false;
  endTurn();
  return true;
}

void Loop::endTurn() {
  inbox_->moveTo(ready_);
  if (!ready_.isEmpty()) {
    if (kernel_->hasWork()) kernel_->turn(TimePoint::min());
  } else {
    waitForWork();
  }
  inbox_->moveTo(ready_);
  beginTurn();
}

void Loop::waitForWork() {
  const bool wasNothingLeft = nothingLeft();
  if (owner_ != nullptr) {
    if (wasNothingLeft && owner_->onNothingLeft()) return;
    owner_->onIdle();
    if (!ready_.isEmpty()) return;
  }
  const TimePoint begin = spin_ > Duration::zero() ? raw::monotonicNow() : TimePoint::min();
  if (spinForWork()) {
    if (kernel_->hasWork()) kernel_->turn(TimePoint::min());
  } else {
    kernel_->announceSleep();
    // The last handle may have gone meanwhile, whose wake-up found nobody asleep.
    const bool mustLook = inbox_->hasMail() || (!wasNothingLeft && nothingLeft());
    kernel_->turn(mustLook ? TimePoint::min() : wheel_.next());
  }
  if (spin_ > Duration::zero()) lastWait_ = raw::monotonicNow() - begin;
}

// True if something has come, or a timer is due, within the time of a spin.
bool Loop::spinForWork() noexcept {
  if (spin_ == Duration::zero() || lastWait_ / kSpinReach > spin_) return false;
  const TimePoint due = wheel_.next();
  const TimePoint end = std::min(due, after(raw::monotonicNow(), spin_));
  TimePoint time{};
  do {
    if (kernel_->hasWork() || inbox_->hasMail()) return true;
    raw::relax();
    time = raw::monotonicNow();
  } while (time < end);
  return time >= due;
}

bool Loop::nothingLeft() const noexcept {
  return wheel_.size() <= ignoredTimers_ && external_ == 0 && kernel_->inFlight() == 0 &&
         inbox_->handles.load(std::memory_order_acquire) == 0 && !inbox_->hasMail();
}

void Loop::readClock() noexcept {
  clock_ = kernel_->now();
  tasksAtClock_ = tasks_;
}

LoopStatistics Loop::statistics() const noexcept {
  LoopStatistics result;
  result.turns = turns_;
  result.tasks = tasks_;
  result.readyMax = std::max(readyMax_, tasks_ - tasksAtTurn_);
  result.enters = kernel_->counters().enters;
  result.submitted = kernel_->counters().submitted;
  result.completed = kernel_->counters().completed;
  result.timers = wheel_.size();
  result.inFlight = kernel_->inFlight();
  if (owner_ != nullptr) owner_->addTo(result);
  return result;
}

void Loop::restartAfterFork(std::unique_ptr<Kernel> kernel,
                            const std::function<bool(const Timer&)>& survives) {
  registry::remove(*inbox_);
  inbox_->abandon();
  kernel_->abandonAfterFork();
  kernel_ = std::move(kernel);
  // Tasks, timers and mail belong to fibers and callbacks of the parent: forgotten, not destroyed.
  new (&ready_) TaskQueue();
  TimerLink kept;
  while (Timer* timer = wheel_.popAny()) {
    if (survives(*timer)) wheel_.keep(*timer, kept);
  }
  wheel_.armAll(kept);
  inbox_ = std::make_shared<Inbox>(*kernel_);
  registry::add(inbox_);
  turnLast_ = nullptr;
  timersFired_ = false;
  external_ = 0;
  ignoredTimers_ = 0;
  forkGeneration_ = process::forkGeneration();
}

}  // namespace plait::detail

namespace plait {

TimePoint now() noexcept {
  const detail::Loop* loop = detail::Loop::current();
  return loop == nullptr ? detail::raw::monotonicNow() : loop->now();
}

LoopStatistics loopStatistics() { return detail::Loop::require("loopStatistics()").statistics(); }

}  // namespace plait
