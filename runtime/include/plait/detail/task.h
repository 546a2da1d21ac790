// The one thing that a loop runs. A timer, a call from another thread, a completion and a fiber's
// resume are all Tasks in one FIFO, so callbacks and fibers have one order.
#pragma once

#include "plait/detail/assert.h"

namespace plait::detail {

// Owned by whoever enqueues it; must live until `run` is called. A Task is in one queue at most.
struct Task {
  using Run = void (*)(Task&);

  explicit Task(Run function) noexcept : run(function) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  Task* next = nullptr;
  Run run;
};

// An intrusive FIFO; the queue owns nothing.
class TaskQueue final {
 public:
  void push(Task& task) noexcept {
    task.next = nullptr;
    *(tail_ == nullptr ? &head_ : &tail_->next) = &task;
    tail_ = &task;
  }

  Task& pop() noexcept {
    Task& task = *head_;
    head_ = task.next;
    if (head_ == nullptr) tail_ = nullptr;
    return task;
  }

  Task* front() const noexcept { return head_; }
  Task* back() const noexcept { return tail_; }
  bool isEmpty() const noexcept { return head_ == nullptr; }

 private:
  Task* head_ = nullptr;
  Task* tail_ = nullptr;
};

}  // namespace plait::detail
