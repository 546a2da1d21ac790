// Somebody who waits for what another thread may hand over: a fiber of any loop, or a thread
// without one.
//
// Who may wake whom, when: whoever hands over unlinks the node under its object's lock, and from
// then on owes exactly one wake(), which may come after the lock is free. Whoever gives up (a kill,
// a time that is over) takes the lock and unlinks: if the node is not linked any more, the wake is
// on its way and is waited for, so nothing that was handed over is lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "plait/detail/inbox.h"
#include "plait/detail/raw.h"
#include "plait/detail/task.h"
#include "plait/detail/wait_queue.h"
#include "plait/detail/waiter.h"
#include "plait/time.h"

namespace plait::detail {

class CrossWaiter : public WaitNode, private Task {
 public:
  // `verb` is static: "ThreadSafeQueue::get".
  explicit CrossWaiter(const char* verb) noexcept;

  // For the object, before it looks at its state: what a call that may switch begins with. Nothing
  // on a thread without a loop.
  static void begin();

  // Any thread; see above.
  void wake() noexcept;

  // Returns when woken: true. False if `timeout` has passed before. The object's lock is free.
  // Throws: what strikes the fiber.
  bool wait(raw::Lock& lock, Duration timeout);

 private:
  friend class CrossBatch;
  static void resume(Task& task);
  bool withdraw(raw::Lock& lock) noexcept;
  bool waitAsThread(raw::Lock& lock, Duration timeout) noexcept;
  bool waitAsFiber(raw::Lock& lock, Duration timeout);

  std::shared_ptr<Inbox> inbox_;  // of the fiber's loop; empty for a thread
  Waiter<bool> waiter_;
  std::atomic<std::uint32_t> word_{0};
  CrossWaiter* nextInBatch_ = nullptr;
};

using CrossQueue = WaitQueue<CrossWaiter>;

// Those who are woken together: taken out under the lock, woken after it.
class CrossBatch final {
 public:
  void take(CrossQueue& queue) noexcept {
    while (CrossWaiter* const next = queue.pop()) {
      *end_ = next;
      end_ = &next->nextInBatch_;
    }
  }
  void wakeAll() noexcept {
    while (CrossWaiter* const next = first_) {
      first_ = next->nextInBatch_;
      next->wake();
    }
  }

 private:
  CrossWaiter* first_ = nullptr;
  CrossWaiter** end_ = &first_;
};

}  // namespace plait::detail
