// The one door to libc calls that can block, and plait's own lock. Everything here is a direct
// syscall, so that an interposed libc (interop/patch) can never park the scheduler.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plait/time.h"

namespace plait::detail::raw {

// Results as the kernel gives them: negative errno on failure.

// The syscall instruction itself: libc's syscall(2) may be interposed, and errno stays untouched.
long systemCall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                long f = 0) noexcept;

long enter(int ring, unsigned submit, unsigned wait, unsigned flags, void* argument,
           std::size_t argumentBytes) noexcept;
long setupRing(unsigned entries, void* parameters) noexcept;
long registerRing(int ring, unsigned opcode, void* argument, unsigned count) noexcept;
long close(int descriptor) noexcept;
long read(int descriptor, void* into, std::size_t bytes) noexcept;
long write(int descriptor, const void* from, std::size_t bytes) noexcept;

// Waits while *word == expected, until `deadline` on the monotonic clock. May return early.
void futexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               TimePoint deadline = kNever) noexcept;
void futexWake(const std::atomic<std::uint32_t>& word, int count) noexcept;

// How much of a wait may be slept in one piece: all, but under ThreadSanitizer, which keeps signals
// back until the thread calls a function that it knows.
Duration onePiece(Duration wait) noexcept;

TimePoint monotonicNow() noexcept;
int threadId() noexcept;
void yieldThread() noexcept;

// Tells the processor that this thread is spinning.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A mutex of three states on a futex word; never parks a fiber, never calls libc.
class Lock final {
 public:
  void lock() noexcept;
  void unlock() noexcept;

 private:
  std::atomic<std::uint32_t> word_{0};  // 0 free, 1 held, 2 held and waited for
};

class Locked final {
 public:
  explicit Locked(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { lock_.unlock(); }

 private:
  Lock& lock_;
};

}  // namespace plait::detail::raw
