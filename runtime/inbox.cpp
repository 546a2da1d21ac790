#include "plait/detail/inbox.h"

#include "loop_registry.h"
#include "plait/detail/raw.h"

namespace plait::detail {
namespace {

Task closedMark([](Task&) {});

}  // namespace

std::shared_ptr<Inbox> Home::inbox() const { return registry::of(*this); }

bool Inbox::post(Task& task) noexcept {
  posting_.fetch_add(1, std::memory_order_seq_cst);
  Task* head = head_.load(std::memory_order_acquire);
  do {
    if (head == &closedMark) {
      posting_.fetch_sub(1, std::memory_order_release);
      return false;
    }
    task.next = head;
  } while (!head_.compare_exchange_weak(head, &task, std::memory_order_seq_cst,
                                        std::memory_order_acquire));
  kernel_->wake();
  posting_.fetch_sub(1, std::memory_order_release);
  return true;
}

void Inbox::moveTo(TaskQueue& queue) noexcept {
  Task* newest = head_.exchange(nullptr, std::memory_order_acq_rel);
  Task* oldest = nullptr;
  while (newest != nullptr) {
    Task* const next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    Task* const next = oldest->next;
    queue.push(*oldest);
    oldest = next;
  }
}

Task* Inbox::close() noexcept {
  Task* const left = head_.exchange(&closedMark, std::memory_order_seq_cst);
  // A poster is between its push and its wake for a few instructions at most.
  while (posting_.load(std::memory_order_seq_cst) != 0) raw::yieldThread();
  return left == &closedMark ? nullptr : left;
}

void Inbox::abandon() noexcept { head_.store(&closedMark, std::memory_order_seq_cst); }

bool Inbox::isClosed() const noexcept {
  return head_.load(std::memory_order_acquire) == &closedMark;
}

void Inbox::wake() noexcept {
  posting_.fetch_add(1, std::memory_order_seq_cst);
  if (!isClosed()) kernel_->wake();
  posting_.fetch_sub(1, std::memory_order_release);
}

}  // namespace plait::detail
