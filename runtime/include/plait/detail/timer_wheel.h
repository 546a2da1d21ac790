// A hierarchical timing wheel of one-nanosecond ticks: insert, re-arm and cancel take constant
// time, due timers come out in deadline order, equal deadlines in the order they were armed.
#pragma once

#include <array>
#include <cstdint>

#include "plait/detail/assert.h"
#include "plait/time.h"

namespace plait::detail {

struct TimerLink {
  TimerLink* previous = this;
  TimerLink* next = this;

  bool isLinked() const noexcept { return next != this; }
  void append(TimerLink& link) noexcept {
    link.previous = previous;
    link.next = this;
    previous->next = &link;
    previous = &link;
  }
  void unlink() noexcept {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }
};

// Owned by whoever arms it, often a stack frame; disarm it before it dies.
class Timer : private TimerLink {
 public:
  // Runs on the dispatcher, after the Task batch of the turn in which the deadline has passed.
  using Fire = void (*)(Timer&);

  // `onDrop` is called instead if the loop ends first; without it the owner has to disarm in time.
  explicit Timer(Fire onFire, Fire onDrop = nullptr) noexcept : fire_(onFire), drop_(onDrop) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { PLAIT_ASSERT(!isArmed()); }

  bool isArmed() const noexcept { return isLinked(); }
  TimePoint deadline() const noexcept { return deadline_; }
  void fire() { fire_(*this); }
  void drop() {
    if (drop_ != nullptr) drop_(*this);
  }

 private:
  friend class TimerWheel;
  static constexpr std::uint16_t kDue = 0xffff;

  Fire fire_;
  Fire drop_;
  TimePoint deadline_{};
  std::uint16_t place_ = kDue;  // level * kSlots + slot
};

class TimerWheel final {
 public:
  explicit TimerWheel(TimePoint start) noexcept : elapsed_(ticks(start)) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Deadlines that have passed already are due at the next expire(), in no certain order among
  // them.
  void arm(Timer& timer, TimePoint deadline) noexcept;
  void disarm(Timer& timer) noexcept;  // no effect on a timer that is not armed

  // Moves every timer with a deadline up to `now` to the due list.
  void expire(TimePoint now) noexcept;
  Timer* popDue() noexcept;  // null when none is due
  Timer* popAny() noexcept;  // null when none is armed
  // For timers that were popped and shall be armed again, with the deadline they had.
  void keep(Timer& timer, TimerLink& list) noexcept { list.append(timer); }
  void armAll(TimerLink& list) noexcept;
  bool hasDue() const noexcept { return due_.isLinked(); }

  // No timer is due before this; kNever when none is armed. Cheap, may be early.
  TimePoint bound() const noexcept { return bound_; }

  // The next deadline, exact unless very many timers share the nearest slot (then it is early).
  TimePoint next() noexcept;

  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int kLevels = 11;  // 66 bits: all of time
  static constexpr int kScanMax = 64;

  // What was before the clock's zero is as good as zero: it has passed.
  static std::uint64_t ticks(TimePoint point) noexcept {
    const std::int64_t count = point.time_since_epoch().count();
    return count < 0 ? 0 : static_cast<std::uint64_t>(count);
  }
  void place(Timer& timer) noexcept;
  // The start of the nearest slot that holds a timer, its level and slot; false when all are empty.
  bool nearest(std::uint64_t& start, int& level, int& slot) const noexcept;

  std::uint64_t elapsed_;
  TimePoint bound_ = kNever;
  std::size_t size_ = 0;
  TimerLink due_;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<std::array<TimerLink, kSlots>, kLevels> slots_;
};

}  // namespace plait::detail
