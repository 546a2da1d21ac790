// Event, AsyncResult, Semaphore, Mutex and Queue once more, for fibers of different loops and for
// threads without one: each call parks the fiber that makes it, or blocks the thread. All members
// may be called from any thread; nobody may wait, and no call be on its way, when one is destroyed.
// Between the fibers of one loop the plain ones are cheaper.
//
// Waiters are served in the order in which they came. What was handed to a fiber is never lost: if
// it is killed in the same moment it has it, and the kill strikes at its next blocking call. As
// long as a fiber waits here, its run is not a deadlock.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/detail/cross_waiter.h"
#include "plait/error.h"
#include "plait/queue.h"
#include "plait/time.h"

namespace plait {

class ThreadSafeEvent final {
 public:
  // Wakes all who wait. Never blocks.
  void set() noexcept;
  void clear() noexcept;
  bool isSet() const noexcept;

  // May switch, or blocks the thread.
  void wait() { wait(kForever); }
  bool wait(Duration timeout);  // False if the time was up.

 private:
  mutable detail::raw::Lock lock_;
  bool set_ = false;
  detail::CrossQueue waiters_;
};

class ThreadSafeSemaphore final {
 public:
  explicit ThreadSafeSemaphore(std::size_t permits = 1) noexcept : permits_(permits) {}

  // May switch, or blocks the thread.
  void acquire() { acquire(kForever); }
  bool acquire(Duration timeout);                // False if the time was up.
  bool tryAcquire() noexcept;                    // Never blocks.
  void release(std::size_t count = 1) noexcept;  // Never blocks.
  std::size_t available() const noexcept;

 private:
  mutable detail::raw::Lock lock_;
  std::size_t permits_;
  detail::CrossQueue waiters_;
};

// Fair. A fiber that holds it may park, and threads that want it then block for as long.
class ThreadSafeMutex final {
 public:
  // May switch, or blocks the thread.
  void lock() { permit_.acquire(); }
  bool lock(Duration timeout) { return permit_.acquire(timeout); }  // False if the time was up.
  bool tryLock() noexcept { return permit_.tryAcquire(); }          // Never blocks.
  bool try_lock() noexcept { return tryLock(); }
  // Hands it to the longest waiter. Never blocks. Throws: std::logic_error if nobody holds it.
  void unlock() {
    if (permit_.available() > 0) throw std::logic_error("ThreadSafeMutex: nobody holds it");
    permit_.release();
  }

 private:
  ThreadSafeSemaphore permit_{1};
};

// A value, or an exception, that is set once.
template <class T>
class ThreadSafeAsyncResult final {
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  // Never blocks. Throws: AlreadyCalledError if it was set before.
  template <class... Args>
  void set(Args&&... args) {
    claim();
    value_.emplace(std::forward<Args>(args)...);
    ready_.set();
  }
  // Throws also: std::invalid_argument for a null one.
  void setException(std::exception_ptr error) {
    if (!error) throw std::invalid_argument("ThreadSafeAsyncResult::setException(nullptr)");
    claim();
    error_ = std::move(error);
    ready_.set();
  }

  // The value, one object for all. May switch, or blocks the thread. Throws: what was set as
  // exception.
  decltype(auto) get() { return get(kForever); }
  // Throws also: TimeoutError.
  decltype(auto) get(Duration timeout) {
    if (!ready_.wait(timeout)) {
      throw TimeoutError("ThreadSafeAsyncResult: nothing was set in time");
    }
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return static_cast<T&>(*value_);
  }
  bool isReady() const noexcept { return ready_.isSet(); }

 private:
  void claim() {
    if (claimed_.exchange(true)) {
      throw AlreadyCalledError("this ThreadSafeAsyncResult was set before");
    }
  }

  std::atomic<bool> claimed_{false};
  std::optional<Stored> value_;
  std::exception_ptr error_;
  ThreadSafeEvent ready_;
};

// First in, first out.
template <class T>
class ThreadSafeQueue final {
 public:
  // A put waits while `capacity` items are there; at least 1.
  explicit ThreadSafeQueue(std::size_t capacity = kQueueCapacity)
      : capacity_(capacity == 0 ? 1 : capacity) {}

  // May switch, or blocks the thread. Throws: QueueClosed; the item is gone then.
  void put(T item) { putUntil(item, kForever); }
  bool put(T item, Duration timeout) { return putUntil(item, timeout); }  // False if out of time.
  // False if it is full; the item is untouched then. Never blocks. Throws: QueueClosed.
  bool tryPut(T&& item) {
    detail::CrossWaiter* served = nullptr;
    {
      const detail::raw::Locked locked(lock_);
      requireOpen();
      if (!offer(item, served)) return false;
    }
    if (served != nullptr) served->wake();
    return true;
  }

  // May switch, or blocks the thread. Throws: QueueClosed once it is closed and empty.
  T get() { return std::move(*getUntil(kForever)); }
  std::optional<T> get(Duration timeout) { return getUntil(timeout); }  // Nothing if out of time.
  std::optional<T> tryGet() {                                           // Never blocks.
    std::optional<T> item;
    detail::CrossWaiter* served = nullptr;
    {
      const detail::raw::Locked locked(lock_);
      take(item, served);
    }
    if (served != nullptr) served->wake();
    return item;
  }

  // From now on puts throw, gets take what is there and then throw. Never blocks.
  void close() noexcept {
    detail::CrossBatch refused;
    {
      const detail::raw::Locked locked(lock_);
      closed_ = true;
      refused.take(getters_);
      refused.take(putters_);
    }
    refused.wakeAll();
  }
  bool isClosed() const noexcept {
    const detail::raw::Locked locked(lock_);
    return closed_;
  }
  std::size_t size() const noexcept {
    const detail::raw::Locked locked(lock_);
    return items_.size();
  }

 private:
  struct Getter final : detail::CrossWaiter {
    Getter() : CrossWaiter("ThreadSafeQueue::get") {}
    std::optional<T> item;
  };
  struct Putter final : detail::CrossWaiter {
    explicit Putter(T& i) : CrossWaiter("ThreadSafeQueue::put"), item(i) {}
    T& item;
    bool taken = false;
  };

  void requireOpen() const {
    if (closed_) throw QueueClosed("put into a closed queue");
  }
  bool offer(T& item, detail::CrossWaiter*& served) {
    if (detail::CrossWaiter* const getter = getters_.pop()) {
      static_cast<Getter*>(getter)->item.emplace(std::move(item));
      served = getter;
      return true;
    }
    if (items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    return true;
  }
  bool take(std::optional<T>& item, detail::CrossWaiter*& served) {
    if (items_.empty()) return false;
    item.emplace(std::move(items_.front()));
    items_.pop_front();
    if (detail::CrossWaiter* const putter = putters_.pop()) {
      items_.push_back(std::move(static_cast<Putter*>(putter)->item));
      static_cast<Putter*>(putter)->taken = true;
      served = putter;
    }
    return true;
  }
  bool putUntil(T& item, Duration timeout) {
    detail::CrossWaiter::begin();
    std::optional<Putter> putter;
    detail::CrossWaiter* served = nullptr;
    {
      const detail::raw::Locked locked(lock_);
      requireOpen();
      if (!offer(item, served)) putters_.append(putter.emplace(item));
    }
    if (served != nullptr) served->wake();
    if (!putter) return true;
    if (!putter->wait(lock_, timeout)) return false;
    if (!putter->taken) throw QueueClosed("the queue was closed while a put waited for room");
    return true;
  }
  std::optional<T> getUntil(Duration timeout) {
    detail::CrossWaiter::begin();
    std::optional<T> item;
    std::optional<Getter> getter;
    detail::CrossWaiter* served = nullptr;
    {
      const detail::raw::Locked locked(lock_);
      if (!take(item, served)) {
        if (closed_) throw QueueClosed("get from a closed and empty queue");
        getters_.append(getter.emplace());
      }
    }
    if (served != nullptr) served->wake();
    if (!getter) return item;
    if (!getter->wait(lock_, timeout)) return std::nullopt;
    if (!getter->item) throw QueueClosed("the queue was closed while a get waited");
    return std::move(getter->item);
  }

  mutable detail::raw::Lock lock_;
  const std::size_t capacity_;
  bool closed_ = false;
  std::deque<T> items_;
  detail::CrossQueue getters_;
  detail::CrossQueue putters_;
};

}  // namespace plait
