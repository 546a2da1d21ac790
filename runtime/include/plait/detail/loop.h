// One thread's loop: a FIFO of Tasks, timers, an inbox for other threads, and a kernel. A turn is:
// run what was ready when the turn began, fire the timers that are due, enter the kernel once.
// What becomes ready meanwhile waits for the next turn, so nothing starves.
// All state of the iteration lives here, never in the locals of whoever drives it, because the
// stack that drives may park in the middle of a Task and another one go on (fibers/scheduler).
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <vector>

#include "plait/detail/inbox.h"
#include "plait/detail/kernel.h"
#include "plait/detail/process.h"
#include "plait/detail/task.h"
#include "plait/detail/timer_wheel.h"
#include "plait/detail/unique_function.h"
#include "plait/loop_handle.h"
#include "plait/report.h"
#include "plait/statistics.h"

namespace plait::detail {

ErrorSink defaultErrorSink();

// What stands on the loop (fibers) and wants to be asked when nothing can happen any more.
class LoopOwner {
 public:
  // Nothing is ready, armed or in flight. Return true if something was made ready.
  virtual bool onNothingLeft() = 0;
  // A callback has returned or thrown; what it owns is destroyed next, and may block.
  virtual void onCallbackEnd() noexcept = 0;
  // The loop is about to wait in the kernel.
  virtual void onIdle() noexcept = 0;
  // Tells stacks apart: the same answer means the same stack.
  virtual const void* runningStack() const noexcept = 0;
  virtual void addTo(LoopStatistics& statistics) const noexcept = 0;

 protected:
  ~LoopOwner() = default;
};

class Loop final {
 public:
  // The loop belongs to the constructing thread and is its current one until destroyed.
  explicit Loop(std::unique_ptr<Kernel> kernel);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  static Loop* current() noexcept;         // null off a loop
  static Loop& require(const char* what);  // Throws: std::logic_error naming `what` off a loop

  void enqueue(Task& task) noexcept { ready_.push(task); }
  void callSoon(UniqueFunction<void()> function,
                std::source_location at = std::source_location::current());

  // Runs the next Task, timer or end of turn. False once stop() was called and the turn is over.
  bool step();
  void stop() noexcept { stopped_ = true; }

  // The next Task if the caller may run it itself, in place of the driver; null if a driver must
  // look at the turn's end first. takeNext() removes it.
  Task* peekNext() noexcept {
    if (turnLast_ == nullptr && !beginTurnQuickly()) return nullptr;
    return ready_.front();
  }
  void takeNext() noexcept {
    ++tasks_;
    if (&ready_.pop() == turnLast_) turnLast_ = nullptr;
  }

  void arm(Timer& timer, Duration wait) noexcept { wheel_.arm(timer, after(kernel_->now(), wait)); }
  void arm(Timer& timer, TimePoint deadline) noexcept { wheel_.arm(timer, deadline); }
  void disarm(Timer& timer) noexcept { wheel_.disarm(timer); }

  TimePoint now() const noexcept { return kernel_->now(); }
  Kernel& kernel() noexcept { return *kernel_; }
  const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
  ErrorSink& errorSink() noexcept { return errorSink_; }
  bool hasReady() const noexcept { return !ready_.isEmpty(); }
  LoopStatistics statistics() const noexcept;

  // How long to look for work before a sleep; RunOptions::spin.
  void setSpin(Duration spin) noexcept { spin_ = spin; }

  void setOwner(LoopOwner* owner) noexcept { owner_ = owner; }
  LoopOwner* owner() const noexcept { return owner_; }
  const void* runningStack() const noexcept {
    return owner_ == nullptr ? nullptr : owner_->runningStack();
  }

  // Work elsewhere (pool jobs, signal handlers, keep-alives) that may still make something ready.
  void addExternal(int count) noexcept { external_ += count; }

  // Timers that do not count as hope, because they only bound a wait.
  void ignoreTimers(int count) noexcept { ignoredTimers_ += static_cast<std::size_t>(count); }

  // Where the callback that runs now was made; null while a fiber runs.
  const std::source_location* callbackPlace = nullptr;

  // In a forked child: drops the parent's kernel and inbox and takes new ones. Of the timers only
  // those that `survives` knows stay armed: the surviving fiber's own, on its stack.
  void restartAfterFork(std::unique_ptr<Kernel> kernel,
                        const std::function<bool(const Timer&)>& survives);
  // Calls f once, when the run begins to close: before its fibers are ended. At the latest when the
  // loop is destroyed. f must not throw.
  void onEnd(UniqueFunction<void()> f) { endings_.push_back(std::move(f)); }
  void announceEnd() noexcept;
  // What an upper layer keeps for each loop, by a key of its own; empty at first. Gone with the
  // loop.
  std::shared_ptr<void>& attachment(const void* key) { return attachments_[key]; }

  // It is being destroyed: what is dropped now will never run.
  bool isEnding() const noexcept { return ending_; }

  // This process is a forked child, and the loop is its parent's.
  bool isForked() const noexcept { return forkGeneration_ != process::forkGeneration(); }

 private:
  static constexpr std::size_t kTasksPerClock = 64;
  // A wait longer than so many spins is followed by a sleep at once. More than one, for a sleep
  // that could have been a spin lasts as long as its wake-up.
  static constexpr int kSpinReach = 4;

  bool beginTurnQuickly() noexcept;
  void readClock() noexcept;
  void endTurn();
  void waitForWork();
  bool spinForWork() noexcept;
  void beginTurn() noexcept;
  bool nothingLeft() const noexcept;

  TaskQueue ready_;
  Task* turnLast_ = nullptr;  // of this turn's batch; null once that is used up
  bool timersFired_ = false;  // of this turn
  bool stopped_ = false;
  bool ending_ = false;
  Duration spin_ = Duration::zero();
  Duration lastWait_ = Duration::zero();  // kept only with a spin
  TimePoint clock_;
  std::unique_ptr<Kernel> kernel_;
  TimerWheel wheel_;
  std::shared_ptr<Inbox> inbox_;  // shared with the handles that other threads hold
  LoopOwner* owner_ = nullptr;
  int external_ = 0;
  std::size_t ignoredTimers_ = 0;
  unsigned forkGeneration_;
  ErrorSink errorSink_;
  std::vector<UniqueFunction<void()>> endings_;
  std::map<const void*, std::shared_ptr<void>> attachments_;
  std::uint64_t turns_ = 0;
  std::uint64_t tasks_ = 0;
  std::uint64_t tasksAtTurn_ = 0;   // as they were when this turn began
  std::uint64_t tasksAtClock_ = 0;  // and when the clock was read
  std::uint64_t readyMax_ = 0;      // in one of the turns before this one
};

// --- the hot path, inline ---

inline void Loop::beginTurn() noexcept {
  ++turns_;
  turnLast_ = ready_.back();
  timersFired_ = false;
  readyMax_ = std::max(readyMax_, tasks_ - tasksAtTurn_);
  tasksAtTurn_ = tasks_;
}

// A turn between two of fibers that only switch: nothing has come from outside and no timer is due.
inline bool Loop::beginTurnQuickly() noexcept {
  // `timersFired_` here means that the driver itself is parked between two timers of this turn.
  if (ready_.isEmpty() || timersFired_ || stopped_ || kernel_->hasWork() || inbox_->hasMail()) {
    return false;
  }
  if (tasks_ - tasksAtClock_ >= kTasksPerClock) [[unlikely]]
    readClock();
  if (wheel_.bound() <= clock_) return false;
  beginTurn();
  return true;
}

// A callback as a Task; it deletes itself after its run. Errors go to the sink.
void enqueueCallback(Loop& loop, UniqueFunction<void()> function, std::source_location at);
// The same from any thread. Throws: ReactorStopped.
void postCallback(Inbox& inbox, UniqueFunction<void()> function, std::source_location at);
// Runs it now; what it throws is reported.
void runCallback(Loop& loop, UniqueFunction<void()>& function, const std::source_location& at);

}  // namespace plait::detail
