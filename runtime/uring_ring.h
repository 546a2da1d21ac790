// One ring: set-up with the best flags the kernel takes, submission slots, enter, and teardown.
// After construction the ring has no descriptor where the kernel allows: it is registered and
// closed, so that a program's closefrom(3) does not end it. So nothing here may use liburing's
// ring_fd calls; nor its set-up, which in 2.3 writes through the array that NO_SQARRAY takes away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "plait/kernel_info.h"
#include "plait/time.h"
#include "uring_compat.h"

namespace plait::detail::uring {

class Ring final {
 public:
  // Throws: IoError naming the refused step.
  explicit Ring(std::size_t entries);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // A slot to fill, or null while the queue is full; zeroed.
  io_uring_sqe* slot() noexcept;
  unsigned queued() const noexcept;  // filled and not yet taken by the kernel

  // Submits what is queued, and reaps; with `wait` it waits for one completion until `deadline`.
  // Returns the kernel's answer: -ETIME and -EINTR are ordinary.
  long enter(bool wait, Duration timeout) noexcept;

  // Completions are there, or the kernel has some to hand over at the next enter.
  bool hasCompletions() const noexcept;

  // Calls `f(userData, result, flags)` for each completion; each is consumed before its call.
  template <class F>
  void reap(F&& f) {
    unsigned head = *cqHead_;
    while (head != __atomic_load_n(cqTail_, __ATOMIC_ACQUIRE)) {
      const io_uring_cqe& cqe = completions_[head & cqMask_];
      const std::uint64_t userData = cqe.user_data;
      const std::int32_t result = cqe.res;
      const std::uint32_t flags = cqe.flags;
      __atomic_store_n(cqHead_, ++head, __ATOMIC_RELEASE);
      f(userData, result, flags);
      head = *cqHead_;
    }
  }

  const unsigned* completionsHead() const noexcept { return cqHead_; }
  const unsigned* completionsTail() const noexcept { return cqTail_; }
  const unsigned* flags() const noexcept { return sqFlags_; }
  static constexpr unsigned kFlagsThatCall = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;

  bool hasOperation(unsigned opcode) const noexcept;
  const KernelInfo& info() const noexcept { return info_; }
  KernelInfo& info() noexcept { return info_; }

  // In a forked child, where the mappings are not inherited.
  void abandon() noexcept { abandoned_ = true; }

 private:
  void setUp(std::size_t entries);
  void map();
  void registerAndClose();
  void probeOperations();

  io_uring_params parameters_{};
  int descriptor_ = -1;  // closed as soon as it is registered
  std::byte* rings_ = nullptr;
  std::size_t ringsBytes_ = 0;
  io_uring_sqe* slots_ = nullptr;
  unsigned* sqHead_ = nullptr;
  unsigned* sqTail_ = nullptr;
  unsigned* sqFlags_ = nullptr;
  unsigned* cqHead_ = nullptr;
  unsigned* cqTail_ = nullptr;
  io_uring_cqe* completions_ = nullptr;
  unsigned sqEntries_ = 0;
  unsigned sqMask_ = 0;
  unsigned cqMask_ = 0;
  unsigned tail_ = 0;  // slots filled; published by enter()
  unsigned enterFlags_ = 0;
  int enterDescriptor_ = -1;
  bool registered_ = false;
  bool abandoned_ = false;
  std::uint64_t operations_ = 0;
  KernelInfo info_;
};

}  // namespace plait::detail::uring
