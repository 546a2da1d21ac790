// One JSON line per figure, and the clock the figures are taken with.
#pragma once

#include <chrono>
#include <cstdio>

inline void report(const char* name, double nanoseconds) {
  std::printf("{\"name\": \"%s\", \"ns\": %.2f}\n", name, nanoseconds);
  std::fflush(stdout);
}

// How long `work`, which does something `count` times, takes for one of them: the best of three,
// as anything else that runs on the machine only ever adds.
template <class Work>
double nanosecondsEach(long count, Work work) {
  double best = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto begin = std::chrono::steady_clock::now();
    work(count);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    const double each = took.count() / static_cast<double>(count);
    if (attempt == 0 || each < best) best = each;
  }
  return best;
}
