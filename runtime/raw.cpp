#include "plait/detail/raw.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "plait/detail/sanitizer.h"

namespace plait::detail::raw {

PLAIT_UNINSTRUMENTED long systemCall(long number, long a, long b, long c, long d, long e,
                                     long f) noexcept {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
#else
#error "plait knows the syscall instruction of x86-64 and aarch64 only"
#endif
}

namespace {

long pointer(const void* value) noexcept { return reinterpret_cast<long>(value); }

}  // namespace

long enter(int ring, unsigned submit, unsigned wait, unsigned flags, void* argument,
           std::size_t argumentBytes) noexcept {
  return systemCall(__NR_io_uring_enter, ring, submit, wait, flags, pointer(argument),
                    static_cast<long>(argumentBytes));
}

long setupRing(unsigned entries, void* parameters) noexcept {
  return systemCall(__NR_io_uring_setup, entries, pointer(parameters));
}

long registerRing(int ring, unsigned opcode, void* argument, unsigned count) noexcept {
  return systemCall(__NR_io_uring_register, ring, opcode, pointer(argument), count);
}

long close(int descriptor) noexcept { return systemCall(__NR_close, descriptor); }

long read(int descriptor, void* into, std::size_t bytes) noexcept {
  return systemCall(__NR_read, descriptor, pointer(into), static_cast<long>(bytes));
}

long write(int descriptor, const void* from, std::size_t bytes) noexcept {
  return systemCall(__NR_write, descriptor, pointer(from), static_cast<long>(bytes));
}

Duration onePiece(Duration wait) noexcept {
#ifdef PLAIT_TSAN
  constexpr Duration kPiece = std::chrono::milliseconds(20);
  ::pthread_sigmask(SIG_BLOCK, nullptr, nullptr);
  return std::min(wait, kPiece);
#else
  return wait;
#endif
}

void futexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               TimePoint deadline) noexcept {
  if constexpr (kSanitized) {
    deadline = std::min(deadline, after(monotonicNow(), onePiece(kForever)));
  }
  // The non-private form: a private wait and a non-private wake would not find each other.
  if (deadline == kNever) {
    systemCall(__NR_futex, pointer(&word), FUTEX_WAIT_BITSET, expected, 0, 0,
               static_cast<long>(FUTEX_BITSET_MATCH_ANY));
    return;
  }
  const auto sinceBoot = deadline.time_since_epoch().count();
  const timespec until{static_cast<time_t>(sinceBoot / 1'000'000'000),
                       static_cast<long>(sinceBoot % 1'000'000'000)};
  systemCall(__NR_futex, pointer(&word), FUTEX_WAIT_BITSET, expected, pointer(&until), 0,
             static_cast<long>(FUTEX_BITSET_MATCH_ANY));
}

void futexWake(const std::atomic<std::uint32_t>& word, int count) noexcept {
  systemCall(__NR_futex, pointer(&word), FUTEX_WAKE, count);
}

TimePoint monotonicNow() noexcept {
  timespec value{};
  ::clock_gettime(CLOCK_MONOTONIC, &value);
  return TimePoint(std::chrono::seconds(value.tv_sec) + std::chrono::nanoseconds(value.tv_nsec));
}

void yieldThread() noexcept { systemCall(__NR_sched_yield); }

int threadId() noexcept { return static_cast<int>(systemCall(__NR_gettid)); }

void Lock::lock() noexcept {
  std::uint32_t seen = 0;
  if (word_.compare_exchange_strong(seen, 1, std::memory_order_acquire)) return;
  while (word_.exchange(2, std::memory_order_acquire) != 0) futexWait(word_, 2);
}

void Lock::unlock() noexcept {
  if (word_.exchange(0, std::memory_order_release) == 2) futexWake(word_, 1);
}

}  // namespace plait::detail::raw
