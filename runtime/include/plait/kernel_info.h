// Which kernel backend a loop runs on, why, and which optional features it found.
#pragma once

#include <string>
#include <vector>

namespace plait {

struct KernelInfo {
  std::string name;    // "uring" or "sim"
  std::string reason;  // why this one was chosen
  std::vector<std::string> features;
  std::vector<std::string> masked;  // found, but hidden by PLAIT_MASK
};

}  // namespace plait
