// The line that the driver reads when a server has ended, under PLAIT_STATS=1.
#pragma once

#include <cstdlib>
#include <iostream>

#include "plait/plait.h"

inline void printLoopStats() {
  if (std::getenv("PLAIT_STATS") == nullptr) return;
  const plait::LoopStatistics loop = plait::loopStatistics();
  std::cerr << "{\"turns\": " << loop.turns << ", \"enters\": " << loop.enters
            << ", \"sqes\": " << loop.submitted << ", \"cqes\": " << loop.completed
            << ", \"switches\": " << loop.switches << "}" << std::endl;
}
