// The stacks lie side by side, each above its guard, and nothing of plait's is in the mapping: a
// stack never used costs no memory. The guard is made when the stack is used first.
//
// The registry is a list of records that are never freed, only reused, so a signal handler can walk
// it while other threads map and unmap. A record counts while `begin` is set: written last, cleared
// first. The owners of a slab that goes away meanwhile are not read, as the fault is in another
// one.
#include "stack_slab.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <string>

#include "plait/detail/assert.h"
#include "plait/detail/mask.h"
#include "plait/detail/sanitizer.h"
#include "plait/error.h"

#ifdef PLAIT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace plait::detail {

struct SlabRecord {
  std::atomic<bool> isTaken{true};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<std::size_t> stride{1};
  std::atomic<const std::atomic<const Fiber*>*> owners{nullptr};
  SlabRecord* next = nullptr;
};

namespace {

constexpr int kGuardInstall = 102;  // MADV_GUARD_INSTALL, which the C library does not name yet

// Two mappings each: at the default limit some thousands remain for the rest of the program.
constexpr std::uint32_t kProtectedMax = 30'000;

constinit std::atomic<SlabRecord*> records{nullptr};
constinit std::atomic<std::uint32_t> protectedGuards{0};

SlabRecord* takeRecord() {
  for (SlabRecord* record = records.load(); record != nullptr; record = record->next) {
    bool isTaken = false;
    if (record->isTaken.compare_exchange_strong(isTaken, true)) return record;
  }
  auto* const record = new SlabRecord;
  record->next = records.load();
  while (!records.compare_exchange_weak(record->next, record)) {
  }
  return record;
}

}  // namespace

GuardKinds guardKinds() noexcept {
  return {.install = !isMasked("guard_install"), .protect = !isMasked("guard_mprotect")};
}

StackSlab::StackSlab(std::uint32_t sizeClass, std::size_t stackBytes, std::uint32_t stacks,
                     GuardKinds guards)
    : stride_(kGuardBytes + stackBytes), sizeClass_(sizeClass), stacks_(stacks), guards_(guards) {
  owners_ = std::make_unique<std::atomic<const Fiber*>[]>(stacks);
  record_ = takeRecord();
  try {
    map();
  } catch (...) {
    record_->isTaken = false;
    throw;
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(base_);
  record_->end = begin + stacks_ * stride_;
  record_->stride = stride_;
  record_->owners = owners_.get();
  record_->begin = begin;
}

StackSlab::~StackSlab() {
  record_->begin = 0;
  record_->isTaken = false;
#ifdef PLAIT_ASAN
  __asan_unpoison_memory_region(base_, carved_ * stride_);
#endif
  ::munmap(base_, stacks_ * stride_);
  protectedGuards -= protected_;
}

std::uint32_t StackSlab::carve() noexcept {
  PLAIT_ASSERT(!isFull());
  std::byte* const at = base_ + carved_ * stride_;
  if (!installGuard(at) && !protectGuard(at)) ++unguarded_;
  return carved_++;
}

void StackSlab::map() {
  for (;; stacks_ /= 2) {
    void* const base = ::mmap(nullptr, stacks_ * stride_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base != MAP_FAILED) {
      base_ = static_cast<std::byte*>(base);
      break;
    }
    if (stacks_ == 1) {
      throw Error(std::error_code(errno, std::system_category()),
                  "mapping a fiber stack of " + std::to_string((stride_ - kGuardBytes) / 1024) +
                      " KiB: " + std::system_category().message(errno) +
                      "; run fewer fibers, give them smaller stacks (SpawnOptions::stackBytes), or "
                      "raise what limits the address space (ulimit -v, vm.overcommit_memory)");
    }
  }
  // One huge page under a parked fiber would cost as much memory as 512 stacks.
  ::madvise(base_, stacks_ * stride_, MADV_NOHUGEPAGE);
}

bool StackSlab::installGuard(std::byte* at) noexcept {
  if (!guards_.install) return false;
  if (::madvise(at, kGuardBytes, kGuardInstall) == 0) return true;
  // An old kernel; or this slab is locked into memory (mlockall), and others need not be.
  guards_.install = false;
  return false;
}

bool StackSlab::protectGuard(std::byte* at) noexcept {
  if (!guards_.protect) return false;
  if (protectedGuards.fetch_add(1) < kProtectedMax && ::mprotect(at, kGuardBytes, PROT_NONE) == 0) {
    ++protected_;
    return true;
  }
  // No mapping is left. A fiber without a guard is better than none.
  --protectedGuards;
  return false;
}

GuardHit findGuard(const void* address) noexcept {
  const auto place = reinterpret_cast<std::uintptr_t>(address);
  for (const SlabRecord* record = records.load(); record != nullptr; record = record->next) {
    const std::uintptr_t begin = record->begin;
    if (begin == 0 || place < begin || place >= record->end) continue;
    const std::size_t stride = record->stride;
    const std::size_t offset = place - begin;
    if (offset % stride >= kGuardBytes) return {};
    return {true, record->owners.load()[offset / stride].load(), stride - kGuardBytes};
  }
  return {};
}

}  // namespace plait::detail
