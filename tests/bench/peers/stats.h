// The same line of loop statistics that a plait server prints on SIGTERM under PLAIT_STATS=1, so
// that the driver can set system calls per request side by side.
#pragma once

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

struct LoopStats {
  unsigned long turns = 0;
  unsigned long enters = 0;  // io_uring_enter, or any system call for a loop without a ring
  unsigned long sqes = 0;
  unsigned long cqes = 0;
};

inline LoopStats loopStats;

// A handler may interrupt the counting; one torn count in millions does not matter here.
inline void printStatsOnTerminate() {
  if (std::getenv("PLAIT_STATS") == nullptr) return;
  std::signal(SIGTERM, [](int) {
    char line[256];
    const int length = std::snprintf(
        line, sizeof line, "{\"turns\": %lu, \"enters\": %lu, \"sqes\": %lu, \"cqes\": %lu}\n",
        loopStats.turns, loopStats.enters, loopStats.sqes, loopStats.cqes);
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, line, static_cast<std::size_t>(length));
    _exit(0);
  });
}
