// A FIFO of waiters, intrusive and double-linked, so that a killed one leaves in constant time.
#pragma once

#include "plait/detail/assert.h"

namespace plait::detail {

class WaitNode {
 public:
  WaitNode() noexcept = default;
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;
  ~WaitNode() { PLAIT_ASSERT(!isLinked()); }

  bool isLinked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!isLinked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }

 private:
  template <class Node>
  friend class WaitQueue;
  WaitNode* previous_ = nullptr;
  WaitNode* next_ = nullptr;
};

template <class Node>
class WaitQueue final {
 public:
  WaitQueue() noexcept { head_.previous_ = head_.next_ = &head_; }
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  ~WaitQueue() {
    PLAIT_ASSERT(isEmpty());
    head_.previous_ = head_.next_ = nullptr;
  }

  bool isEmpty() const noexcept { return head_.next_ == &head_; }

  void append(Node& node) noexcept {
    WaitNode& link = node;
    PLAIT_ASSERT(!link.isLinked());
    link.previous_ = head_.previous_;
    link.next_ = &head_;
    head_.previous_->next_ = &link;
    head_.previous_ = &link;
  }

  Node* front() const noexcept { return isEmpty() ? nullptr : static_cast<Node*>(head_.next_); }

  // The first node for which `matches` is true, or null.
  template <class F>
  Node* find(F&& matches) const {
    for (WaitNode* link = head_.next_; link != &head_; link = link->next_) {
      if (matches(static_cast<Node&>(*link))) return static_cast<Node*>(link);
    }
    return nullptr;
  }

  Node* pop() noexcept {
    Node* const node = front();
    if (node != nullptr) node->unlink();
    return node;
  }

  // Takes over all of `other`, in order, behind what is here.
  void takeAll(WaitQueue& other) noexcept {
    while (Node* node = other.pop()) append(*node);
  }

 private:
  WaitNode head_;
};

}  // namespace plait::detail
