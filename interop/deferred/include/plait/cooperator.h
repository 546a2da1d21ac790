// Twisted's Cooperator: long work in small steps, between which everything else of the loop has its
// turn, and several such tasks share the time fairly.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/arrival.h"
#include "plait/detail/unique_function.h"
#include "plait/error.h"
#include "plait/shared_deferred.h"
#include "plait/time_source.h"

namespace plait {

// A task, or its Cooperator, was stopped.
class TaskStopped final : public CancelledError {
 public:
  using CancelledError::CancelledError;
};

namespace detail {

class CooperatorState;

// One step: whether there is more, and what must fire before the next one.
struct StepOutcome {
  bool hasMore;
  std::optional<Deferred<void>> wait;
};

class TaskState final : public Members, public std::enable_shared_from_this<TaskState> {
 public:
  using Step = UniqueFunction<StepOutcome()>;
  TaskState(Step step, std::shared_ptr<CooperatorState> cooperator)
      : Members(1), step_(std::move(step)), cooperator_(std::move(cooperator)) {}

  void pause() noexcept { ++paused_; }
  void resume();
  void stop();
  Deferred<void> whenDone(const std::source_location& at) { return shared_.branch(at); }
  bool isDone() const noexcept { return done_.isCalled(); }

  // Of the Cooperator.
  bool isRunnable() const noexcept { return !isDone() && paused_ == 0 && !waiting_; }
  void runStep();
  // What the step waits for has ended.
  Result<void> arrived(std::size_t, const Result<void>& result);
  void finish(const Result<void>& outcome);

 private:
  void go();

  Step step_;
  std::shared_ptr<CooperatorState> cooperator_;  // which knows only tasks that can go on
  int paused_ = 0;
  bool waiting_ = false;  // for the step's Deferred, the one member
  // Watchers that are cancelled leave the task alone.
  Deferred<void> done_{[](const Deferred<void>&) { return CancelAnswer::later; }};
  SharedDeferred<void> shared_ = done_.share();
};

class CooperatorState final : public std::enable_shared_from_this<CooperatorState> {
 public:
  CooperatorState(TimeSource& time, Duration slice) : time_(time), slice_(slice) {}

  // Throws: std::logic_error once stopped.
  void requireRunning() const;
  void begin(const std::shared_ptr<TaskState>& task);
  void add(std::shared_ptr<TaskState> task);
  void schedule();
  void stop();
  bool isRunning() const noexcept { return !stopped_; }

  // The timer was dropped, with its loop perhaps: nobody will make another step.
  void drop() noexcept { tasks_.clear(); }
  void tick();

 private:
  TimeSource& time_;
  Duration slice_;
  bool stopped_ = false;
  std::deque<std::shared_ptr<TaskState>> tasks_;  // those that can go on
  std::vector<std::weak_ptr<TaskState>> known_;   // all that were begun; for stop()
  std::size_t knownMax_ = 64;                     // when to look who has gone
  DelayedCall next_;
};

template <class F>
TaskState::Step stepOf(F f) {
  return [f = std::move(f)]() mutable -> StepOutcome {
    using R = std::invoke_result_t<F&>;
    if constexpr (std::is_same_v<R, bool>) {
      return {f(), std::nullopt};
    } else {
      std::optional<Deferred<void>> wait = f();
      return {wait.has_value(), std::move(wait)};
    }
  };
}

}  // namespace detail

// A handle on one task.
class CooperativeTask final {
 public:
  explicit CooperativeTask(std::shared_ptr<detail::TaskState> state) noexcept
      : state_(std::move(state)) {}

  // Counted. Throws on resume(): std::logic_error for one too many.
  void pause() noexcept { state_->pause(); }
  void resume() { state_->resume(); }
  // No further step; whenDone() fails with TaskStopped. Throws: std::logic_error if it is done.
  void stop() { state_->stop(); }
  // Fires when the last step was made, or fails with what a step threw, or with TaskStopped. Any
  // number of times.
  Deferred<void> whenDone(std::source_location at = std::source_location::current()) {
    return state_->whenDone(at);
  }
  bool isDone() const noexcept { return state_->isDone(); }

 private:
  std::shared_ptr<detail::TaskState> state_;
};

class Cooperator final {
 public:
  // In each turn steps are made for at most `slice`, each task one at a time.
  explicit Cooperator(TimeSource& time = loopTime(), Duration slice = std::chrono::milliseconds(10))
      : state_(std::make_shared<detail::CooperatorState>(time, slice)) {}
  Cooperator(const Cooperator&) = delete;
  Cooperator& operator=(const Cooperator&) = delete;

  // `step` is called again and again until it says that there is no more: it returns a bool, true
  // for more; or a std::optional<Deferred<void>>, empty for no more, and the next step waits for
  // the Deferred. The first step is made in the next turn. Never switches. Throws: std::logic_error
  // if the Cooperator was stopped.
  template <class F>
    requires std::is_invocable_v<F&>
  CooperativeTask cooperate(F step) {
    state_->requireRunning();
    auto task = std::make_shared<detail::TaskState>(detail::stepOf(std::move(step)), state_);
    state_->begin(task);
    return CooperativeTask(std::move(task));
  }
  // cooperate(step).whenDone()
  template <class F>
    requires std::is_invocable_v<F&>
  Deferred<void> coiterate(F step, std::source_location at = std::source_location::current()) {
    return cooperate(std::move(step)).whenDone(at);
  }

  // Ends all tasks with TaskStopped, and takes no more.
  void stop() { state_->stop(); }
  bool isRunning() const noexcept { return state_->isRunning(); }

 private:
  std::shared_ptr<detail::CooperatorState> state_;  // shared with its timer
};

// On a Cooperator of the calling thread's loop that lives as long as its tasks.
template <class F>
  requires std::is_invocable_v<F&>
CooperativeTask cooperate(F step) {
  return Cooperator().cooperate(std::move(step));
}
template <class F>
  requires std::is_invocable_v<F&>
Deferred<void> coiterate(F step, std::source_location at = std::source_location::current()) {
  return cooperate(std::move(step)).whenDone(at);
}

}  // namespace plait
