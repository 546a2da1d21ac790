// One mapping that holds many stacks of one size, and the registry of all slabs of the process,
// where a signal handler finds whose guard was hit. A slab belongs to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace plait::detail {

class Fiber;
struct SlabRecord;

// Between two stacks. A frame that is bigger and does not touch all of itself jumps over the guard,
// so it is wider than the buffers that blocking code likes to keep on its stack.
inline constexpr std::size_t kGuardBytes = 64 * 1024;

// The kinds of guard to try, in this order; a stack that gets none goes without.
struct GuardKinds {
  bool install = true;  // MADV_GUARD_INSTALL, Linux 6.13: costs no mapping
  bool protect = true;  // mprotect: two mappings a stack, and a process has 65,530
};

// All but those that PLAIT_MASK (names separated by commas) hides as "guard_install" and
// "guard_mprotect".
GuardKinds guardKinds() noexcept;

class StackSlab final {
 public:
  // Maps fewer stacks when memory for `stacks` is refused. Throws: plait::Error, if not one fits.
  StackSlab(std::uint32_t sizeClass, std::size_t stackBytes, std::uint32_t stacks,
            GuardKinds guards);
  StackSlab(const StackSlab&) = delete;
  StackSlab& operator=(const StackSlab&) = delete;
  ~StackSlab();

  // Guards the next unused stack and returns its index. Not if isFull().
  std::uint32_t carve() noexcept;
  bool isFull() const noexcept { return carved_ == stacks_; }

  // The lowest usable byte; the guard ends here.
  std::byte* bottom(std::uint32_t index) const noexcept {
    return base_ + index * stride_ + kGuardBytes;
  }
  // Whom an overflow report names; null: nobody.
  void setOwner(std::uint32_t index, const Fiber* owner) noexcept {
    owners_[index].store(owner, std::memory_order_relaxed);
  }

  std::uint32_t sizeClass() const noexcept { return sizeClass_; }
  std::uint32_t stacks() const noexcept { return stacks_; }
  std::uint32_t carved() const noexcept { return carved_; }
  std::uint32_t unguarded() const noexcept { return unguarded_; }

 private:
  void map();
  bool installGuard(std::byte* at) noexcept;
  bool protectGuard(std::byte* at) noexcept;

  std::byte* base_ = nullptr;
  std::size_t stride_;  // guard and stack
  std::unique_ptr<std::atomic<const Fiber*>[]> owners_;
  std::uint32_t sizeClass_;
  std::uint32_t stacks_;
  std::uint32_t carved_ = 0;
  std::uint32_t unguarded_ = 0;
  std::uint32_t protected_ = 0;
  GuardKinds guards_;
  SlabRecord* record_ = nullptr;
};

struct GuardHit {
  bool isGuard = false;
  const Fiber* owner = nullptr;
  std::size_t stackBytes = 0;
};

// Which guard of which slab the address is in. Async-signal-safe. Any thread.
GuardHit findGuard(const void* address) noexcept;

}  // namespace plait::detail
