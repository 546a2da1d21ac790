// The one way to sleep. A Waiter lives on the waiting fiber's stack; somebody holds a pointer to it
// and wakes it exactly once; a wake before the park keeps its value.
//
// Who may wake whom, when: wake() works once, from idle or parked, and makes the fiber ready. A
// kill or an expired Timeout calls onCancel while the fiber is parked: `leave` means that the
// waiter has been taken out of every list and nothing was taken with it, so the fiber leaves at
// once with the cancellation; `stay` means that a wake is still owed (the kernel owns a buffer, a
// worker the frame) and the fiber stays parked for it. A wake that carries a value wins over a
// cancellation of the same turn: the value is returned and the cancellation strikes at the next
// blocking call. A wake that carries nothing loses nothing, so there the cancellation strikes at
// once. In a forked child onCancel is called once more, to take forgotten waiters out of their
// lists: one that would tell another thread or the kernel looks at Loop::isForked() first.
#pragma once

#include <optional>
#include <utility>

#include "plait/detail/wait_reason.h"

namespace plait::detail {

class Fiber;

enum class OnCancel : bool { leave, stay };

class WaiterCore {
 public:
  WaiterCore(const WaiterCore&) = delete;
  WaiterCore& operator=(const WaiterCore&) = delete;

  bool isWoken() const noexcept { return state_ == State::woken; }
  const WaitReason& reason() const noexcept { return reason_; }

 protected:
  explicit WaiterCore(WaitReason reason) noexcept : reason_(reason) {}
  ~WaiterCore() = default;

  template <class F>
  static OnCancel call(void* onCancel) {
    return (*static_cast<F*>(onCancel))();
  }

  bool isOpen() const noexcept { return state_ == State::idle || state_ == State::parked; }
  bool wakeCore() noexcept;  // false if it has left or was woken already
  void parkCore(bool carriesValue, void* context, OnCancel (*onCancel)(void*));

 private:
  friend class Fiber;
  friend class Scheduler;
  enum class State : unsigned char { idle, parked, woken, left };

  State state_ = State::idle;
  bool cancelAsked_ = false;
  Fiber* fiber_ = nullptr;
  void* context_ = nullptr;
  OnCancel (*onCancel_)(void*) = nullptr;
  WaitReason reason_;
};

template <class T>
class Waiter final : public WaiterCore {
 public:
  explicit Waiter(WaitReason reason) noexcept : WaiterCore(reason) {}

  // False, and `value` untouched, if the waiter has left or was woken already.
  bool wake(T&& value) {
    if (!isOpen()) return false;
    value_.emplace(std::move(value));
    return wakeCore();
  }

  // Throws: GreenletExit, TimeoutExpired or what kill(E) said, all only if onCancel said `leave`.
  template <class F>
  T park(F onCancel) {
    parkCore(true, &onCancel, &call<F>);
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Waiter<void> final : public WaiterCore {
 public:
  explicit Waiter(WaitReason reason) noexcept : WaiterCore(reason) {}

  bool wake() noexcept { return wakeCore(); }

  template <class F>
  void park(F onCancel) {
    parkCore(false, &onCancel, &call<F>);
  }
};

// Every function that may switch begins with this, whether it will park or not: it throws what is
// pending, and makes a fiber that never has to wait give way now and then.
void checkpoint();

}  // namespace plait::detail
