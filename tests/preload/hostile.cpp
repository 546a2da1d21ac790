// A library for LD_PRELOAD that stands for an interposed libc: on a thread that has armed it, every
// libc call that can block and every lock ends the process and says which one it was. What cannot
// block passes: MSG_DONTWAIT, a timeout of zero, and all that is not listed here.
//
// The program looks up hostileArm and hostileDisarm by dlsym() and calls them on its loop's thread.
// Other threads, the pool's for example, may block as they like.

#include <dlfcn.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

__attribute__((tls_model("initial-exec"))) thread_local bool armed = false;

// Nothing here may be one of the calls below.
[[noreturn]] void refuse(const char* symbol) noexcept {
  armed = false;
  const auto say = [](const char* text) {
    static_cast<void>(::write(STDERR_FILENO, text, std::strlen(text)));
  };
  say("hostile: the loop's thread called ");
  say(symbol);
  say("\n");
  std::abort();
}

void check(const char* symbol) noexcept {
  if (armed) refuse(symbol);
}

// The libc's own. Some have an older version, of another layout, which dlsym() might find first.
template <class F>
F real(const char* symbol) noexcept {
  void* found = ::dlvsym(RTLD_NEXT, symbol, "GLIBC_2.3.2");
  if (found == nullptr) found = ::dlsym(RTLD_NEXT, symbol);
  return reinterpret_cast<F>(found);
}

}  // namespace

// A call that always may block.
#define HOSTILE(result, name, parameters, arguments, exception) \
  extern "C" result name parameters exception {                 \
    check(#name);                                               \
    static const auto next = real<result(*) parameters>(#name); \
    return next arguments;                                      \
  }
// A call that blocks unless `harmless`.
#define HOSTILE_UNLESS(harmless, result, name, parameters, arguments) \
  extern "C" result name parameters {                                 \
    if (!(harmless)) check(#name);                                    \
    static const auto next = real<result(*) parameters>(#name);       \
    return next arguments;                                            \
  }

extern "C" void hostileArm() { armed = true; }
extern "C" void hostileDisarm() { armed = false; }

HOSTILE(ssize_t, read, (int fd, void* to, size_t n), (fd, to, n), )
HOSTILE(ssize_t, write, (int fd, const void* from, size_t n), (fd, from, n), )
HOSTILE(ssize_t, readv, (int fd, const iovec* to, int n), (fd, to, n), )
HOSTILE(ssize_t, writev, (int fd, const iovec* from, int n), (fd, from, n), )
HOSTILE(ssize_t, pread, (int fd, void* to, size_t n, off_t at), (fd, to, n, at), )
HOSTILE(ssize_t, pwrite, (int fd, const void* from, size_t n, off_t at), (fd, from, n, at), )
HOSTILE(int, accept, (int fd, sockaddr* to, socklen_t* n), (fd, to, n), )
HOSTILE(int, accept4, (int fd, sockaddr* to, socklen_t* n, int flags), (fd, to, n, flags), )
HOSTILE(int, connect, (int fd, const sockaddr* to, socklen_t n), (fd, to, n), )
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, recv, (int fd, void* to, size_t n, int flags),
               (fd, to, n, flags))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, send, (int fd, const void* from, size_t n, int flags),
               (fd, from, n, flags))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, recvfrom,
               (int fd, void* to, size_t n, int flags, sockaddr* who, socklen_t* m),
               (fd, to, n, flags, who, m))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, sendto,
               (int fd, const void* from, size_t n, int flags, const sockaddr* who, socklen_t m),
               (fd, from, n, flags, who, m))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, recvmsg, (int fd, msghdr* message, int flags),
               (fd, message, flags))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, ssize_t, sendmsg, (int fd, const msghdr* message, int flags),
               (fd, message, flags))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, int, recvmmsg,
               (int fd, mmsghdr* all, unsigned n, int flags, timespec* until),
               (fd, all, n, flags, until))
HOSTILE_UNLESS(flags& MSG_DONTWAIT, int, sendmmsg, (int fd, mmsghdr* all, unsigned n, int flags),
               (fd, all, n, flags))

HOSTILE_UNLESS(wait == 0, int, poll, (pollfd * all, nfds_t n, int wait), (all, n, wait))
HOSTILE(int, ppoll, (pollfd * all, nfds_t n, const timespec* wait, const sigset_t* mask),
        (all, n, wait, mask), )
HOSTILE(int, select, (int n, fd_set* in, fd_set* out, fd_set* other, timeval* wait),
        (n, in, out, other, wait), )
HOSTILE(int, pselect,
        (int n, fd_set* in, fd_set* out, fd_set* other, const timespec* wait, const sigset_t* mask),
        (n, in, out, other, wait, mask), )
HOSTILE_UNLESS(wait == 0, int, epoll_wait, (int fd, epoll_event* all, int n, int wait),
               (fd, all, n, wait))
HOSTILE(int, epoll_pwait, (int fd, epoll_event* all, int n, int wait, const sigset_t* mask),
        (fd, all, n, wait, mask), )

HOSTILE(unsigned, sleep, (unsigned seconds), (seconds), )
HOSTILE(int, usleep, (useconds_t wait), (wait), )
HOSTILE(int, nanosleep, (const timespec* wait, timespec* left), (wait, left), )
HOSTILE(int, clock_nanosleep, (clockid_t clock, int flags, const timespec* wait, timespec* left),
        (clock, flags, wait, left), )
HOSTILE(int, pause, (), (), )
HOSTILE(pid_t, wait, (int* status), (status), )
HOSTILE_UNLESS(flags& WNOHANG, pid_t, waitpid, (pid_t who, int* status, int flags),
               (who, status, flags))

HOSTILE(int, pthread_mutex_lock, (pthread_mutex_t * lock), (lock), noexcept)
HOSTILE(int, pthread_mutex_timedlock, (pthread_mutex_t * lock, const timespec* until),
        (lock, until), noexcept)
HOSTILE(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock), noexcept)
HOSTILE(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock), noexcept)
HOSTILE(int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock), noexcept)
HOSTILE(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t* lock),
        (condition, lock), )
HOSTILE(int, pthread_cond_timedwait,
        (pthread_cond_t * condition, pthread_mutex_t* lock, const timespec* until),
        (condition, lock, until), )
HOSTILE(int, pthread_cond_clockwait,
        (pthread_cond_t * condition, pthread_mutex_t* lock, clockid_t clock, const timespec* until),
        (condition, lock, clock, until), )
HOSTILE(int, pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier), noexcept)
HOSTILE(int, pthread_join, (pthread_t thread, void** result), (thread, result), )
HOSTILE(int, sem_wait, (sem_t * semaphore), (semaphore), )
HOSTILE(int, sem_timedwait, (sem_t * semaphore, const timespec* until), (semaphore, until), )

// The way round all of the above.
extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long argument[6];
  for (long& each : argument) each = va_arg(list, long);
  va_end(list);
  switch (number) {
    case SYS_read:
      check("syscall(SYS_read)");
      break;
    case SYS_write:
      check("syscall(SYS_write)");
      break;
    case SYS_accept4:
      check("syscall(SYS_accept4)");
      break;
    case SYS_connect:
      check("syscall(SYS_connect)");
      break;
    case SYS_recvfrom:
      check("syscall(SYS_recvfrom)");
      break;
    case SYS_sendto:
      check("syscall(SYS_sendto)");
      break;
    case SYS_ppoll:
      check("syscall(SYS_ppoll)");
      break;
    case SYS_epoll_pwait:
      check("syscall(SYS_epoll_pwait)");
      break;
    case SYS_nanosleep:
      check("syscall(SYS_nanosleep)");
      break;
    case SYS_clock_nanosleep:
      check("syscall(SYS_clock_nanosleep)");
      break;
    case SYS_io_uring_enter:
      check("syscall(SYS_io_uring_enter)");
      break;
    case SYS_futex: {
      const long operation = argument[1] & FUTEX_CMD_MASK;
      if (operation != FUTEX_WAKE && operation != FUTEX_WAKE_BITSET) check("syscall(SYS_futex)");
      break;
    }
    default:
      break;
  }
  static const auto next = real<long (*)(long, ...)>("syscall");
  return next(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
