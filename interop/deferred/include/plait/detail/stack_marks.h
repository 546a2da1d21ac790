// Whether a piece of code runs further down on this stack already. Others may be parked in the
// middle of it on stacks of their own, so a flag would not do.
#pragma once

namespace plait::detail {

const void* runningStack() noexcept;

class StackMark;

class StackMarks final {
 public:
  bool isHere() const noexcept;

 private:
  friend class StackMark;
  StackMark* first_ = nullptr;
};

class StackMark final {
 public:
  explicit StackMark(StackMarks& marks) noexcept
      : marks_(marks), stack_(runningStack()), next_(marks.first_) {
    marks.first_ = this;
  }
  StackMark(const StackMark&) = delete;
  StackMark& operator=(const StackMark&) = delete;
  ~StackMark() {
    StackMark** place = &marks_.first_;
    while (*place != this) place = &(*place)->next_;
    *place = next_;
  }

 private:
  friend class StackMarks;
  StackMarks& marks_;
  const void* stack_;
  StackMark* next_;
};

inline bool StackMarks::isHere() const noexcept {
  const StackMark* each = first_;
  if (each == nullptr) return false;
  const void* const stack = runningStack();
  while (each != nullptr && each->stack_ != stack) each = each->next_;
  return each != nullptr;
}

}  // namespace plait::detail
