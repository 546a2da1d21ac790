// One thread's loop: a FIFO of Tasks, timers, an inbox for other threads, and a kernel. A turn is:
// run what was ready when the turn began, fire the timers that are due, enter the kernel once.
// What becomes ready meanwhile waits for the next turn, so nothing starves.
// All state of the iteration lives here, never in the locals of whoever drives it, because the
// stack that drives may park in the middle of a Task and another one go on (fibers/scheduler).
#pragma once

#include <atomic>
#include <memory>
#include <source_location>

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
    if (remaining_ == 0 && !beginTurnQuickly()) return nullptr;
    return ready_.front();
  }
  void takeNext() noexcept {
    --remaining_;
    ready_.pop();
  }

  void arm(Timer& timer, Duration wait) noexcept { wheel_.arm(timer, after(kernel_->now(), wait)); }
  void arm(Timer& timer, TimePoint deadline) noexcept { wheel_.arm(timer, deadline); }
  void disarm(Timer& timer) noexcept { wheel_.disarm(timer); }

  TimePoint now() const noexcept { return kernel_->now(); }
  Kernel& kernel() noexcept { return *kernel_; }
  const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
  ErrorSink& errorSink() noexcept { return errorSink_; }
  bool hasReady() const noexcept { return ready_.size() > 0; }
  LoopStatistics statistics() const noexcept;

  void setOwner(LoopOwner* owner) noexcept { owner_ = owner; }
  LoopOwner* owner() const noexcept { return owner_; }

  // Work elsewhere (pool jobs, signal handlers, keep-alives) that may still make something ready.
  void addExternal(int count) noexcept { external_ += count; }

  // Timers that do not count as hope, because they only bound a wait.
  void ignoreTimers(int count) noexcept { ignoredTimers_ += static_cast<std::size_t>(count); }

  // Where the callback that runs now was made; null while a fiber runs.
  const std::source_location* callbackPlace = nullptr;

  // In a forked child: drops the parent's kernel and inbox and takes new ones. Of the timers only
  // those between the two addresses stay armed: the surviving fiber's own, on its stack.
  void restartAfterFork(std::unique_ptr<Kernel> kernel, const void* from, const void* to);
  // This process is a forked child, and the loop is its parent's.
  bool isForked() const noexcept { return forkGeneration_ != process::forkGeneration(); }

 private:
  static constexpr std::size_t kTasksPerClock = 64;

  bool beginTurnQuickly() noexcept;
  void endTurn();
  void waitForWork();
  void beginTurn() noexcept;
  bool nothingLeft() const noexcept;

  TaskQueue ready_;
  std::size_t remaining_ = 0;  // of this turn's batch
  std::size_t sinceClock_ = 0;
  bool timersFired_ = false;  // of this turn
  bool stopped_ = false;
  TimePoint clock_;
  std::unique_ptr<Kernel> kernel_;
  TimerWheel wheel_;
  std::shared_ptr<Inbox> inbox_;  // shared with the handles that other threads hold
  LoopOwner* owner_ = nullptr;
  int external_ = 0;
  std::size_t ignoredTimers_ = 0;
  unsigned forkGeneration_;
  ErrorSink errorSink_;
  std::uint64_t turns_ = 0;
  std::uint64_t tasks_ = 0;
  std::size_t readyMax_ = 0;
};

// A callback as a Task; it deletes itself after its run. Errors go to the sink.
void enqueueCallback(Loop& loop, UniqueFunction<void()> function, std::source_location at);
// The same from any thread. Throws: ReactorStopped.
void postCallback(Inbox& inbox, UniqueFunction<void()> function, std::source_location at);
// Runs it now; what it throws is reported.
void runCallback(Loop& loop, UniqueFunction<void()>& function, const std::source_location& at);

}  // namespace plait::detail
