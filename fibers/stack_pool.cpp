// Which stacks are free is known beside them, never in them: a free stack is not touched. The free
// list of a size is a LIFO in which trim() keeps two marks, so that it visits nothing twice:
//
//   [0, cold)       no page is resident
//   [cold, unused)  not handed out since the last trim(): at most kWarmBytes are resident
//   [unused, size)  used since; anything may be resident
//
// Each pop pulls `unused` down with it; `cold` follows when trim() runs.
#include "stack_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "plait/detail/assert.h"
#include "plait/error.h"
#include "stack_slab.h"

#ifdef PLAIT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace plait::detail {
namespace {

constexpr std::uint32_t kSlabStacksFirst = 16;
constexpr std::uint32_t kSlabStacksMax = 4096;
constexpr std::size_t kTrimStacksMax = 1024;  // a millisecond or two; the loop waits meanwhile
constexpr std::size_t kMaximumBytes = std::size_t{1} << 40;
constexpr std::uint32_t kNoSlab = UINT32_MAX;

struct FreeStack {
  std::uint32_t slab;
  std::uint32_t index;
};

struct SizeClass {
  std::size_t stackBytes;
  std::uint32_t slabStacks = kSlabStacksFirst;  // of the next slab
  std::uint32_t carving = kNoSlab;              // the only slab that may have stacks never used
  std::size_t mapped = 0;
  std::size_t cold = 0;
  std::size_t unused = 0;
  std::vector<FreeStack> free;  // its capacity is at least `mapped`: release() allocates nothing
};

std::size_t roundedToClass(std::size_t bytes) {
  if (bytes > kMaximumBytes) {
    throw Error(std::errc::not_enough_memory,
                "mapping a fiber stack: SpawnOptions::stackBytes is " + std::to_string(bytes) +
                    ", more than 1 TiB");
  }
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  bytes = std::max(bytes, StackPool::kMinimumBytes);
  const std::size_t step = std::max(std::bit_floor(bytes) / 4, page);
  return (bytes + step - 1) / step * step;
}

void discard(std::byte* from, const std::byte* to) noexcept {
  ::madvise(from, static_cast<std::size_t>(to - from), MADV_DONTNEED);
}

}  // namespace

struct StackPool::State {
  GuardKinds guards = guardKinds();
  bool hasReleased = false;  // since the last complete trim()
  bool isAbandoned = false;
  std::vector<SizeClass> classes{{.stackBytes = kDefaultBytes, .free = {}}};
  std::size_t recentBytes = kDefaultBytes;  // as asked for last, and its class
  std::uint32_t recentClass = 0;
  std::vector<std::unique_ptr<StackSlab>> slabs;

  // Keeps the books on stacks that are still lived on reachable, for leak checkers too.
  static constinit inline std::atomic<State*> abandoned{nullptr};
  State* nextAbandoned = nullptr;

  std::uint32_t classOf(std::size_t bytes);
  Stack carve(std::uint32_t index, const Fiber& owner);
  void addSlab(std::uint32_t index);
  bool trim(SizeClass& sizeClass) noexcept;
  void discardRuns(const SizeClass& sizeClass, std::size_t from, std::size_t to) noexcept;
};

StackPool::StackPool() : state_(std::make_unique<State>()) {}

StackPool::~StackPool() {
  if (!state_->isAbandoned) {
    PLAIT_ASSERT(statistics().inUse == 0);
    return;
  }
  State* const state = state_.release();
  state->nextAbandoned = State::abandoned.load();
  while (!State::abandoned.compare_exchange_weak(state->nextAbandoned, state)) {
  }
}

Stack StackPool::allocate(std::size_t bytes, const Fiber& owner) {
  State& state = *state_;
  const std::uint32_t index = bytes == state.recentBytes ? state.recentClass : state.classOf(bytes);
  SizeClass& sizeClass = state.classes[index];
  if (sizeClass.free.empty()) return state.carve(index, owner);

  const FreeStack found = sizeClass.free.back();
  sizeClass.free.pop_back();
  sizeClass.unused = std::min(sizeClass.unused, sizeClass.free.size());
  StackSlab& slab = *state.slabs[found.slab];
  slab.setOwner(found.index, &owner);
  const Stack stack{slab.bottom(found.index), sizeClass.stackBytes, found.slab, found.index};
#ifdef PLAIT_ASAN
  // Frames that were left without returning, by an abandoned or finished fiber, are still poisoned.
  __asan_unpoison_memory_region(stack.bottom, stack.bytes);
#endif
  return stack;
}

void StackPool::setOwner(const Stack& stack, const Fiber& owner) noexcept {
  state_->slabs[stack.slab]->setOwner(stack.index, &owner);
}

void StackPool::release(const Stack& stack) noexcept {
  StackSlab& slab = *state_->slabs[stack.slab];
  slab.setOwner(stack.index, nullptr);
  SizeClass& sizeClass = state_->classes[slab.sizeClass()];
  PLAIT_ASSERT(sizeClass.free.size() < sizeClass.mapped);
  sizeClass.free.push_back({stack.slab, stack.index});
  state_->hasReleased = true;
}

bool StackPool::trim() noexcept {
  if (!state_->hasReleased) return false;
  bool isMore = false;
  for (SizeClass& sizeClass : state_->classes) isMore |= state_->trim(sizeClass);
  state_->hasReleased = isMore;
  return isMore;
}

StackPoolStatistics StackPool::statistics() const noexcept {
  StackPoolStatistics result;
  for (const auto& slab : state_->slabs) {
    result.inUse += slab->carved();
    result.unguarded += slab->unguarded();
  }
  for (const SizeClass& sizeClass : state_->classes) result.free += sizeClass.free.size();
  result.inUse -= result.free;
  return result;
}

void StackPool::abandon() noexcept { state_->isAbandoned = true; }

std::uint32_t StackPool::State::classOf(std::size_t bytes) {
  const std::size_t rounded = roundedToClass(bytes);
  const auto known = std::find_if(classes.begin(), classes.end(), [rounded](const SizeClass& each) {
    return each.stackBytes == rounded;
  });
  const auto index = static_cast<std::uint32_t>(known - classes.begin());
  if (known == classes.end()) classes.push_back({.stackBytes = rounded, .free = {}});
  recentBytes = bytes;
  recentClass = index;
  return index;
}

Stack StackPool::State::carve(std::uint32_t index, const Fiber& owner) {
  if (classes[index].carving == kNoSlab) addSlab(index);
  SizeClass& sizeClass = classes[index];
  const std::uint32_t at = sizeClass.carving;
  StackSlab& slab = *slabs[at];
  const std::uint32_t carved = slab.carve();
  if (slab.isFull()) sizeClass.carving = kNoSlab;
  slab.setOwner(carved, &owner);
  return {slab.bottom(carved), sizeClass.stackBytes, at, carved};
}

void StackPool::State::addSlab(std::uint32_t index) {
  SizeClass& sizeClass = classes[index];
  auto slab =
      std::make_unique<StackSlab>(index, sizeClass.stackBytes, sizeClass.slabStacks, guards);
  const std::size_t mapped = sizeClass.mapped + slab->stacks();
  if (sizeClass.free.capacity() < mapped) sizeClass.free.reserve(2 * mapped);
  slabs.push_back(std::move(slab));
  sizeClass.carving = static_cast<std::uint32_t>(slabs.size() - 1);
  sizeClass.mapped = mapped;
  sizeClass.slabStacks = std::min(2 * sizeClass.slabStacks, kSlabStacksMax);
}

// True if there is more to do.
bool StackPool::State::trim(SizeClass& sizeClass) noexcept {
  std::vector<FreeStack>& free = sizeClass.free;
  const std::size_t warm = free.size() - std::min(free.size(), kWarmStacks);
  sizeClass.cold = std::min(sizeClass.cold, sizeClass.unused);
  const std::size_t end = std::min(warm, sizeClass.cold + kTrimStacksMax);
  if (sizeClass.cold < end) {
    // Among cold stacks the order of release means nothing; neighbours go in one call.
    std::sort(free.begin() + static_cast<std::ptrdiff_t>(sizeClass.cold),
              free.begin() + static_cast<std::ptrdiff_t>(end),
              [](const FreeStack& a, const FreeStack& b) {
                return std::tie(a.slab, a.index) > std::tie(b.slab, b.index);
              });
    discardRuns(sizeClass, sizeClass.cold, end);
    sizeClass.cold = end;
    sizeClass.unused = std::max(sizeClass.unused, end);
  }
  if (sizeClass.cold < warm) return true;

  for (; sizeClass.unused < free.size(); ++sizeClass.unused) {
    const FreeStack& each = free[sizeClass.unused];
    std::byte* const bottom = slabs[each.slab]->bottom(each.index);
    discard(bottom, bottom + sizeClass.stackBytes - kWarmBytes);
  }
  return false;
}

// free[from, to) is sorted downwards. Guards between neighbours outlast the MADV_DONTNEED.
void StackPool::State::discardRuns(const SizeClass& sizeClass, std::size_t from,
                                   std::size_t to) noexcept {
  while (from < to) {
    const FreeStack highest = sizeClass.free[from];
    std::uint32_t lowest = highest.index;
    for (++from; from < to; ++from, --lowest) {
      const FreeStack& next = sizeClass.free[from];
      if (next.slab != highest.slab || next.index + 1 != lowest) break;
    }
    const StackSlab& slab = *slabs[highest.slab];
    discard(slab.bottom(lowest), slab.bottom(highest.index) + sizeClass.stackBytes);
  }
}

}  // namespace plait::detail
