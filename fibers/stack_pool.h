// Stacks carved from slabs: one mapping holds many, each with a guard below it, and a stack that
// is given back is the next one handed out, still warm. Belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "plait/detail/sanitizer.h"

namespace plait::detail {

class Fiber;

struct Stack {
  std::byte* bottom = nullptr;  // the lowest usable byte; the guard ends here
  std::size_t bytes = 0;
  std::uint32_t slab = 0;
  std::uint32_t index = 0;

  explicit operator bool() const noexcept { return bottom != nullptr; }
  std::byte* top() const noexcept { return bottom + bytes; }
};

struct StackPoolStatistics {
  std::size_t inUse = 0;
  std::size_t free = 0;
  std::size_t unguarded = 0;  // no guard could be had: the kernel's map limit was reached
};

class StackPool final {
 public:
#ifdef PLAIT_ASAN
  static constexpr std::size_t kSanitizerFactor = 4;  // red zones around every local
#else
  static constexpr std::size_t kSanitizerFactor = 1;
#endif
  static constexpr std::size_t kDefaultBytes = kSanitizerFactor * 256 * 1024;
  static constexpr std::size_t kMinimumBytes = kSanitizerFactor * 64 * 1024;
  static constexpr std::size_t kWarmStacks = 64;
  static constexpr std::size_t kWarmBytes = 8 * 1024;

  StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();  // all stacks are back, or abandon() was called

  // At least `bytes` usable: rounded up to a size class, four to each power of two, and never under
  // kMinimumBytes.
  // `owner` is who an overflow report will name. Throws: plait::Error when memory is refused.
  Stack allocate(std::size_t bytes, const Fiber& owner);
  void setOwner(const Stack& stack, const Fiber& owner) noexcept;

  // The stack may still be the running one: it is not touched before the next allocate() or trim().
  void release(const Stack& stack) noexcept;

  // Gives back to the system what free stacks hold resident; of each size the kWarmStacks released
  // last keep their top kWarmBytes. Does a bounded share: true if there is more to do.
  // Cheap if nothing was released since the last call.
  bool trim() noexcept;

  StackPoolStatistics statistics() const noexcept;

  // Fibers that refused to end still live on their stacks: the destructor leaves all memory mapped.
  void abandon() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// While one lives, a handler of SIGSEGV and SIGBUS names the fiber whose guard was hit; it is there
// once per process and chains to the handler before it. Also gives this thread an alternate signal
// stack if it has none. Destroy it on the thread that made it.
class OverflowReporter final {
 public:
  OverflowReporter();
  OverflowReporter(const OverflowReporter&) = delete;
  OverflowReporter& operator=(const OverflowReporter&) = delete;
  ~OverflowReporter();

 private:
  void* alternateStack_ = nullptr;
};

// Implemented by the fiber: writes "fiber 'name' (spawned at file:line)" for the report, from a
// signal handler. Returns the length written.
std::size_t describeForSignal(const Fiber& fiber, char* into, std::size_t bytes) noexcept;

}  // namespace plait::detail
