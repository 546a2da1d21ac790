// Twisted's DeferredQueue: whoever gets from an empty one has a Deferred for what is put next.
// Belongs to one thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "plait/deferred.h"
#include "plait/detail/waiters.h"
#include "plait/error.h"

namespace plait {

class QueueOverflow final : public LimitError {
 public:
  using LimitError::LimitError;
};
class QueueUnderflow final : public LimitError {
 public:
  using LimitError::LimitError;
};

inline constexpr std::size_t kDeferredQueueSize = 65536;  // items that wait, unless said otherwise
inline constexpr std::size_t kDeferredQueueBacklog = 65536;  // and getters

template <class T>
class DeferredQueue final {
 public:
  // At most `size` items wait for a getter, and at most `backlog` getters for an item; both may be
  // 0.
  explicit DeferredQueue(std::size_t size = kDeferredQueueSize,
                         std::size_t backlog = kDeferredQueueBacklog)
      : state_(std::make_shared<State>()), size_(size), backlog_(backlog) {}

  // Goes to the longest waiting getter, whose callbacks run before this returns (or, in such a
  // callback, when it is done); kept if there is none.
  // May switch where a callback does. Throws: QueueOverflow; the item is gone then.
  void put(T item) {
    // Items and getters are there at once only while the getters are being served.
    if (state_->items.size() >= size_ && state_->items.size() - size_ >= state_->waiting()) {
      throw QueueOverflow("DeferredQueue::put: " + std::to_string(size_) +
                          " items wait already, which is its size");
    }
    state_->items.push_back(std::move(item));
    state_->serve();
  }

  // The oldest item, at once or when it is put. cancel() leaves the line, and no item is lost.
  // Throws: QueueUnderflow.
  Deferred<T> get(std::source_location at = std::source_location::current()) {
    if (state_->waiting() >= backlog_ && state_->waiting() - backlog_ >= state_->items.size()) {
      throw QueueUnderflow("DeferredQueue::get: " + std::to_string(backlog_) +
                           " getters wait already, which is its backlog");
    }
    return state_->wait(at);
  }

  std::size_t size() const noexcept { return state_->items.size(); }
  std::size_t waiting() const noexcept { return state_->waiting(); }

 private:
  struct State final : detail::Waiters<State, T> {
    std::optional<T> take() {
      if (items.empty()) return std::nullopt;
      std::optional<T> item(std::move(items.front()));
      items.pop_front();
      return item;
    }
    std::deque<T> items;
  };

  std::shared_ptr<State> state_;  // shared with the cancellers of the getters
  std::size_t size_;
  std::size_t backlog_;
};

}  // namespace plait
