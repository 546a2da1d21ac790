// Queues between fibers of one loop. Items and waiters keep their order on both sides; an item that
// was handed to a fiber is never lost: if the fiber is killed in the same turn, its get() returns
// the item and the kill strikes later; if the kill came first, the item stays for the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/detail/alarm.h"
#include "plait/detail/fiber.h"
#include "plait/detail/wait_queue.h"
#include "plait/detail/waiter.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/time.h"

namespace plait {

inline constexpr std::size_t kQueueCapacity = 1024;  // items, unless said otherwise
inline constexpr std::size_t kUnbounded = ~std::size_t{0};

namespace detail {

// A std::vector<bool> holds nothing that can be referred to.
template <class T>
using QueueSlots = std::conditional_t<std::is_same_v<T, bool>, std::deque<T>, std::vector<T>>;

// The orders of items. Each: push, pop, front, empty, size.
template <class T>
struct FifoOrder {
  void push(T&& item) { items.push_back(std::move(item)); }
  T pop() {
    T item = std::move(items.front());
    items.pop_front();
    return item;
  }
  const T& front() const { return items.front(); }
  std::deque<T> items;
};

template <class T>
struct LifoOrder {
  void push(T&& item) { items.push_back(std::move(item)); }
  T pop() {
    T item = std::move(items.back());
    items.pop_back();
    return item;
  }
  const T& front() const { return items.back(); }
  QueueSlots<T> items;
};

template <class T, class Before>
struct PriorityOrder {
  void push(T&& item) {
    items.push_back(std::move(item));
    std::push_heap(items.begin(), items.end(), after);
  }
  T pop() {
    std::pop_heap(items.begin(), items.end(), after);
    T item = std::move(items.back());
    items.pop_back();
    return item;
  }
  const T& front() const { return items.front(); }
  static bool after(const T& a, const T& b) { return Before()(b, a); }
  QueueSlots<T> items;
};

enum class QueueAnswer : bool { refused, done };  // refused: the queue was closed

// Somebody who waits for an item: deliver() or refuse() is called once, the node unlinked before.
template <class T>
class GetNode : public WaitNode {
 public:
  virtual void deliver(T&& item) = 0;
  virtual void refuse() noexcept = 0;

 protected:
  ~GetNode() = default;
};

// Somebody who waits for room: take() hands over the item and tells that it was taken.
template <class T>
class PutNode : public WaitNode {
 public:
  virtual T take() = 0;
  virtual void refuse() noexcept = 0;

 protected:
  ~PutNode() = default;
};

}  // namespace detail

template <class T, class Order>
class BasicQueue {
 public:
  using Item = T;

  // `capacity` items at most wait in it; a putter parks while it is full. 0: a rendezvous, put
  // returns when somebody has taken the item.
  explicit BasicQueue(std::size_t capacity = kQueueCapacity) : capacity_(capacity) {}
  BasicQueue(const BasicQueue&) = delete;
  BasicQueue& operator=(const BasicQueue&) = delete;

  // May switch. Throws: QueueClosed, then `item` is gone.
  void put(T item) { putUntil(item, kForever); }
  // False if the time was up; the item is then destroyed. May switch. Throws: QueueClosed.
  bool put(T item, Duration timeout) { return putUntil(item, timeout); }
  // False if it is full; `item` is then untouched. Never switches. Throws: QueueClosed.
  bool tryPut(T&& item) {
    requireOpen();
    return offer(item);
  }
  bool tryPut(const T& item) {
    T copy(item);
    return tryPut(std::move(copy));
  }

  // May switch. Throws: QueueClosed once it is closed and empty.
  T get() { return std::move(*getUntil(kForever)); }
  // Nothing if the time was up. May switch. Throws: QueueClosed.
  std::optional<T> get(Duration timeout) { return getUntil(timeout); }
  // Nothing if none is there. Never switches.
  std::optional<T> tryGet() {
    if (hasItem()) return takeItem();
    return std::nullopt;
  }
  // The next item, or nothing once it is closed and empty: for `while (auto item = queue.next())`.
  // May switch.
  std::optional<T> next() {
    detail::checkpoint();
    if (closed_ && !hasItem()) return std::nullopt;
    try {
      return getUntil(kForever);
    } catch (const QueueClosed&) {
      return std::nullopt;
    }
  }
  // The item that get() would take, null if none; good until the next call. Never switches.
  const T* peek() const { return order_.items.empty() ? nullptr : &order_.front(); }

  // From now on puts throw; gets drain what is there, then throw. Parked putters and idle getters
  // throw now. Never switches.
  void close() noexcept {
    closed_ = true;
    while (auto* putter = putters_.pop()) putter->refuse();
    while (auto* getter = getters_.pop()) getter->refuse();
  }
  // The same, and what is in it is dropped.
  void closeAndDiscard() noexcept {
    close();
    const std::size_t dropped = size();
    order_.items.clear();
    for (std::size_t i = 0; i < dropped; ++i) finishOne();
  }
  bool isClosed() const noexcept { return closed_; }

  std::size_t size() const noexcept { return order_.items.size(); }
  std::size_t capacity() const noexcept { return capacity_; }
  bool isEmpty() const noexcept { return order_.items.empty(); }
  bool isFull() const noexcept { return size() >= capacity_; }

  // For workers: says that an item taken earlier is dealt with; join() waits until all that were
  // put are. Throws: std::logic_error if there were not so many items. Never switches.
  void taskDone() {
    if (unfinished_ == 0) throw std::logic_error("Queue::taskDone called once too often");
    finishOne();
  }
  // Returns at once on a queue that nothing was put into. May switch.
  void join() { join(kForever); }
  bool join(Duration timeout) {
    detail::checkpoint();
    if (unfinished_ == 0) return true;
    allDone_.clear();
    return detail::waitForSignal(allDone_.waiters(), {"Queue::join", this, nullptr}, timeout);
  }

  // For select(): take part without waiting.
  bool hasItem() const noexcept { return !order_.items.empty() || !putters_.isEmpty(); }
  bool hasRoom() const noexcept { return size() < capacity_ || !getters_.isEmpty(); }
  T takeItem() {
    if (order_.items.empty()) {
      ++unfinished_;
      return putters_.pop()->take();
    }
    T item = order_.pop();
    // The room goes to the longest waiting putter.
    if (size() < capacity_) {
      if (auto* putter = putters_.pop()) insert(putter->take());
    }
    return item;
  }
  bool offer(T& item) {
    if (auto* getter = getters_.pop()) {
      ++unfinished_;
      getter->deliver(std::move(item));
      return true;
    }
    if (size() >= capacity_) return false;
    insert(std::move(item));
    return true;
  }
  detail::WaitQueue<detail::GetNode<T>>& getters() noexcept { return getters_; }
  detail::WaitQueue<detail::PutNode<T>>& putters() noexcept { return putters_; }
  void requireOpen() const {
    if (closed_) throw QueueClosed("put into a closed queue");
  }

 private:
  using Answer = detail::QueueAnswer;

  struct Getter final : detail::GetNode<T> {
    void deliver(T&& item) override { waiter.wake(std::optional<T>(std::move(item))); }
    void refuse() noexcept override {
      refused = true;
      waiter.wake(std::nullopt);
    }
    detail::Waiter<std::optional<T>> waiter{{"Queue::get", nullptr, nullptr}};
    bool refused = false;
  };

  struct Putter final : detail::PutNode<T> {
    explicit Putter(T& i) : item(i) {}
    T take() override {
      T taken = std::move(item);
      waiter.wake(Answer::done);
      return taken;
    }
    void refuse() noexcept override {
      refused = true;
      waiter.wake(Answer::refused);
    }
    T& item;
    detail::Waiter<Answer> waiter{{"Queue::put", nullptr, nullptr}};
    bool refused = false;
  };

  bool putUntil(T& item, Duration timeout) {
    detail::checkpoint();
    requireOpen();
    if (offer(item)) return true;
    Putter putter(item);
    putters_.append(putter);
    const detail::Alarm alarm(timeout, [&putter] {
      if (!putter.isLinked()) return;
      putter.unlink();
      putter.waiter.wake(Answer::refused);
    });
    const Answer answer = putter.waiter.park([&putter] {
      putter.unlink();
      return detail::OnCancel::leave;
    });
    if (putter.refused) throw QueueClosed("the queue was closed while a put waited for room");
    return answer == Answer::done;
  }

  std::optional<T> getUntil(Duration timeout) {
    detail::checkpoint();
    if (hasItem()) return takeItem();
    if (closed_) throw QueueClosed("get from a closed and empty queue");
    Getter getter;
    getters_.append(getter);
    const detail::Alarm alarm(timeout, [&getter] {
      if (!getter.isLinked()) return;
      getter.unlink();
      getter.waiter.wake(std::nullopt);
    });
    std::optional<T> item = getter.waiter.park([&getter] {
      getter.unlink();
      return detail::OnCancel::leave;
    });
    if (getter.refused) throw QueueClosed("the queue was closed while a get waited");
    return item;
  }

  void insert(T&& item) {
    ++unfinished_;
    order_.push(std::move(item));
  }

  void finishOne() noexcept {
    if (--unfinished_ == 0) allDone_.set();
  }

  std::size_t capacity_;
  Order order_;
  bool closed_ = false;
  std::size_t unfinished_ = 0;
  Event allDone_;
  detail::WaitQueue<detail::GetNode<T>> getters_;
  detail::WaitQueue<detail::PutNode<T>> putters_;
};

// First in, first out.
template <class T>
class Queue final : public BasicQueue<T, detail::FifoOrder<T>> {
  using BasicQueue<T, detail::FifoOrder<T>>::BasicQueue;
};

// Last in, first out.
template <class T>
class LifoQueue final : public BasicQueue<T, detail::LifoOrder<T>> {
  using BasicQueue<T, detail::LifoOrder<T>>::BasicQueue;
};

// The smallest first, by Before; ties in no particular order.
template <class T, class Before = std::less<T>>
class PriorityQueue final : public BasicQueue<T, detail::PriorityOrder<T, Before>> {
  using BasicQueue<T, detail::PriorityOrder<T, Before>>::BasicQueue;
};

}  // namespace plait
