#include "plait/detail/timer_wheel.h"

#include <algorithm>
#include <bit>

// A timer lives at the level of the highest bit in which its deadline differs from the time
// elapsed, in the slot that those six bits of the deadline name. When elapsed reaches the start of
// a slot of a higher level, its timers move down. All timers of a slot at level 0 share one
// deadline, and a slot is appended to, so equal deadlines keep their order: a timer can reach level
// 0 directly only after the slot above has been moved down.

namespace plait::detail {

void TimerWheel::arm(Timer& timer, TimePoint deadline) noexcept {
  PLAIT_ASSERT(!timer.isArmed());
  timer.deadline_ = deadline;
  bound_ = std::min(bound_, deadline);
  ++size_;
  place(timer);
}

void TimerWheel::disarm(Timer& timer) noexcept {
  if (!timer.isArmed()) return;
  const std::uint16_t place = timer.place_;
  timer.unlink();
  if (place == Timer::kDue) return;
  --size_;
  const int level = place / kSlots;
  const int slot = place % kSlots;
  if (!slots_[level][slot].isLinked()) occupied_[level] &= ~(std::uint64_t{1} << slot);
  if (size_ == 0) bound_ = kNever;
}

void TimerWheel::place(Timer& timer) noexcept {
  const std::uint64_t deadline = std::max(ticks(timer.deadline_), elapsed_);
  const std::uint64_t difference = deadline ^ elapsed_;
  const int level = difference == 0 ? 0 : (63 - std::countl_zero(difference)) / kBits;
  const int slot = static_cast<int>(deadline >> (level * kBits)) & (kSlots - 1);
  timer.place_ = static_cast<std::uint16_t>(level * kSlots + slot);
  slots_[level][slot].append(timer);
  occupied_[level] |= std::uint64_t{1} << slot;
}

bool TimerWheel::nearest(std::uint64_t& start, int& level, int& slot) const noexcept {
  for (level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    // Slots behind the current one cannot be occupied: their timers would stand on a higher level.
    slot = std::countr_zero(occupied_[level]);
    const int shift = level * kBits;
    const std::uint64_t above =
        shift + kBits >= 64 ? 0 : elapsed_ >> (shift + kBits) << (shift + kBits);
    start = above | static_cast<std::uint64_t>(slot) << shift;
    return true;
  }
  return false;
}

void TimerWheel::expire(TimePoint now) noexcept {
  if (now < bound_) return;
  const std::uint64_t until = ticks(now);
  std::uint64_t start = 0;
  int level = 0;
  int slot = 0;
  while (nearest(start, level, slot) && start <= until) {
    elapsed_ = std::max(elapsed_, start);
    TimerLink& list = slots_[level][slot];
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    // A slot may be refilled only on lower levels, so taking it item by item ends.
    while (list.isLinked()) {
      Timer& timer = static_cast<Timer&>(*list.next);
      timer.unlink();
      if (level > 0) {
        place(timer);
        continue;
      }
      --size_;
      timer.place_ = Timer::kDue;
      due_.append(timer);
    }
  }
  elapsed_ = std::max(elapsed_, until);
  bound_ = next();
}

Timer* TimerWheel::popDue() noexcept {
  if (!due_.isLinked()) return nullptr;
  Timer& timer = static_cast<Timer&>(*due_.next);
  timer.unlink();
  return &timer;
}

void TimerWheel::armAll(TimerLink& list) noexcept {
  while (list.isLinked()) {
    Timer& timer = static_cast<Timer&>(*list.next);
    timer.unlink();
    arm(timer, timer.deadline_);
  }
}

Timer* TimerWheel::popAny() noexcept {
  if (Timer* due = popDue()) return due;
  std::uint64_t start = 0;
  int level = 0;
  int slot = 0;
  if (!nearest(start, level, slot)) return nullptr;
  Timer& timer = static_cast<Timer&>(*slots_[level][slot].next);
  disarm(timer);
  return &timer;
}

TimePoint TimerWheel::next() noexcept {
  std::uint64_t start = 0;
  int level = 0;
  int slot = 0;
  if (!nearest(start, level, slot)) return kNever;
  const TimerLink& list = slots_[level][slot];
  TimePoint earliest = kNever;
  int scanned = 0;
  for (const TimerLink* link = list.next; link != &list; link = link->next) {
    // Not before the bound: expire() does nothing until then, and the loop would spin meanwhile.
    if (++scanned > kScanMax) {
      return std::max(bound_, TimePoint(Duration(static_cast<std::int64_t>(start))));
    }
    earliest = std::min(earliest, static_cast<const Timer*>(link)->deadline_);
  }
  return earliest;
}

}  // namespace plait::detail
