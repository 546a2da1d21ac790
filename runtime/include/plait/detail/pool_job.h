// One piece of work for a ThreadPool: a node owned by its submitter, usually in a fiber's stack
// frame, so that queueing it allocates nothing. It must not die between submit() and `onLoop`.
#pragma once

#include <memory>

#include "plait/detail/assert.h"
#include "plait/detail/inbox.h"
#include "plait/detail/task.h"
#include "plait/time.h"

namespace plait::detail {

class PoolCore;

class PoolJob : private Task {
 public:
  using Run = void (*)(PoolJob&) noexcept;
  using Done = void (*)(PoolJob&);

  // `onWorker` is called on a thread of the pool, then `onLoop` as a Task of the loop that
  // submitted the job; from there on it is its owner's again. A job that is nobody's has no
  // `onLoop` and ends itself.
  PoolJob(Run onWorker, Done onLoop) noexcept
      : Task(&PoolJob::finish), run_(onWorker), done_(onLoop) {}
  ~PoolJob() { PLAIT_ASSERT(state_ == State::idle); }

 private:
  friend class PoolCore;
  enum class State : unsigned char { idle, queued, running };

  static void finish(Task& task);

  Run run_;
  Done done_;
  State state_ = State::idle;       // of a queued job: under the pool's lock
  const PoolCore* core_ = nullptr;  // where it was queued; a parent's core after a fork
  std::shared_ptr<Inbox> inbox_;    // the submitting loop's; the worker may outlive that loop
  TimePoint queuedAt_{};
  PoolJob* previous_ = nullptr;
  PoolJob* next_ = nullptr;
};

}  // namespace plait::detail
