// Where other threads leave Tasks for a loop: a lock-free stack that the loop takes whole and
// reverses. Who may wake whom: a poster pushes, then calls Kernel::wake(), which costs a syscall
// only if the loop announced its sleep. The loop announces, then looks here once more, then waits.
// So either the loop sees the Task or the poster sees the announcement.
#pragma once

#include <atomic>

#include "plait/detail/home.h"
#include "plait/detail/kernel.h"
#include "plait/detail/task.h"

namespace plait::detail {

class Inbox final {
 public:
  explicit Inbox(Kernel& kernel) noexcept : kernel_(&kernel) {}

  // False if the loop takes nothing more; the Task is then the caller's still. Any thread.
  bool post(Task& task) noexcept;

  // The loop's thread only.
  bool hasMail() const noexcept { return head_.load(std::memory_order_acquire) != nullptr; }
  void moveTo(TaskQueue& queue) noexcept;
  // From here on post() fails. Returns what was left, newest first.
  Task* close() noexcept;

  // In a forked child: as close(), but nobody is waited for, and what was left is forgotten.
  void abandon() noexcept;

  bool isClosed() const noexcept;

  // A wake-up without a Task: a signal handler, a keep-alive that ended. Any thread.
  void wake() noexcept;

  const Home home = Home::here();  // the loop's thread
  std::atomic<int> handles{0};
  // The run is over but for what is on its way: calls from other threads are refused, while Tasks
  // of the loop's own (a pool's answers) still come in.
  std::atomic<bool> refusesCalls{false};

 private:
  std::atomic<Task*> head_{nullptr};
  // Posters inside post(): close() waits for them before the kernel may go.
  std::atomic<int> posting_{0};
  Kernel* kernel_;
};

}  // namespace plait::detail
