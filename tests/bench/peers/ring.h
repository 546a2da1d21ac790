// An io_uring set up the fastest way the running kernel allows, for the raw loop and the load
// generator. Calls io_uring_setup itself: liburing 2.3's queue_init fills the SQ index array
// unconditionally, which under NO_SQARRAY would overwrite the ring's heads and tails.
#pragma once

#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

inline void openRing(io_uring& ring, unsigned sqEntries, unsigned cqEntries) {
  constexpr unsigned kBase = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                             IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  for (const unsigned flags : {kBase | IORING_SETUP_NO_SQARRAY, kBase}) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = cqEntries;
    const long fd = syscall(__NR_io_uring_setup, sqEntries, &params);
    if (fd < 0) continue;  // a kernel before 6.6 does not know NO_SQARRAY
    const int error = io_uring_queue_mmap(static_cast<int>(fd), &params, &ring);
    if (error != 0) {
      std::fprintf(stderr, "io_uring mmap: %s\n", std::strerror(-error));
      std::exit(1);
    }
    ring.features = params.features;
    if ((flags & IORING_SETUP_NO_SQARRAY) == 0) {
      for (unsigned i = 0; i < params.sq_entries; ++i) ring.sq.array[i] = i;
    }
    io_uring_register_ring_fd(&ring);
    return;
  }
  std::perror("io_uring_setup");
  std::exit(1);
}
