#include "plait/cooperator.h"

#include <stdexcept>

namespace plait::detail {

// --- a task

void TaskState::resume() {
  if (paused_ == 0) throw std::logic_error("CooperativeTask::resume: it is not paused");
  if (--paused_ == 0) go();
}

void TaskState::stop() {
  if (isDone()) throw std::logic_error("CooperativeTask::stop: it is done");
  finish(Failure(TaskStopped("the cooperative task was stopped")));
  // What the step waits for is not wanted any more; how it ends is nobody's news.
  cancelAll();
}

void TaskState::runStep() {
  StepOutcome outcome{};
  // It may stop its own task, which drops the step.
  Step step = std::move(step_);
  try {
    outcome = step();
  } catch (const Cancellation& cancellation) {
    finish(Failure(CancelledError(std::string("a step of a cooperative task ended: ") +
                                  cancellation.reason())));
    throw;
  } catch (...) {
    return finish(Failure());
  }
  if (isDone()) return;  // it stopped itself
  step_ = std::move(step);
  if (!outcome.hasMore) return finish(Result<void>());
  if (!outcome.wait) return go();
  waiting_ = true;
  const Deferred<void> wait = *std::exchange(outcome.wait, std::nullopt);
  try {
    Arrival<TaskState, void>::expect(shared_from_this(), 0, wait, std::source_location::current());
  } catch (const std::logic_error&) {
    finish(Failure());  // moved from, or another thread's
  } catch (const AlreadyChainedError&) {
    finish(Failure());
  }
}

Result<void> TaskState::arrived(std::size_t, const Result<void>& result) {
  waiting_ = false;
  if (isDone()) return {};
  if (result.isValue()) {
    go();
  } else {
    finish(result);
  }
  return {};
}

void TaskState::finish(const Result<void>& outcome) {
  step_.reset();
  fire(done_, outcome);
}

void TaskState::go() {
  if (!isRunnable()) return;
  cooperator_->add(shared_from_this());
}

// --- all of them

void CooperatorState::requireRunning() const {
  if (stopped_) throw std::logic_error("Cooperator: it was stopped");
}

void CooperatorState::begin(const std::shared_ptr<TaskState>& task) {
  if (known_.size() >= knownMax_) {
    std::erase_if(known_, [](const auto& each) { return each.expired(); });
    knownMax_ = 2 * known_.size() + 64;
  }
  known_.push_back(task);
  add(task);
}

void CooperatorState::add(std::shared_ptr<TaskState> task) {
  if (stopped_) return;
  tasks_.push_back(std::move(task));
  schedule();
}

// The timer holds this, and so the tasks: a Cooperator lives as long as it has work.
void CooperatorState::schedule() {
  struct Tick {
    std::shared_ptr<CooperatorState> state;
    explicit Tick(std::shared_ptr<CooperatorState> s) : state(std::move(s)) {}
    Tick(Tick&&) noexcept = default;
    ~Tick() {
      if (state) state->drop();
    }
    void operator()() { std::exchange(state, nullptr)->tick(); }
  };
  if (tasks_.empty() || next_.isActive()) return;
  next_ = callLater(time_, Duration::zero(), Tick(shared_from_this()));
}

void CooperatorState::tick() {
  const TimePoint end = after(time_.now(), slice_);
  // Tasks that go on are put behind the others; one look at each, then at the time.
  for (std::size_t left = tasks_.size(); left > 0 && !tasks_.empty(); --left) {
    const std::shared_ptr<TaskState> task = std::move(tasks_.front());
    tasks_.pop_front();
    schedule();
    if (task->isRunnable()) task->runStep();
    if (time_.now() >= end) break;
  }
  schedule();
}

void CooperatorState::stop() {
  stopped_ = true;
  // One that the end of another one destroys is not there any more.
  for (const std::weak_ptr<TaskState>& each : std::exchange(known_, {})) {
    const std::shared_ptr<TaskState> task = each.lock();
    if (task && !task->isDone()) task->stop();
  }
  tasks_.clear();
  next_.cancel();
}

}  // namespace plait::detail
