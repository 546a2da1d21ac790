// What a parked fiber waits for, in words. Costs two words to set and text only when asked.
#pragma once

#include <string>

namespace plait::detail {

struct WaitReason {
  const char* verb = "waiting";  // static: "recv", "Queue::get"
  const void* object = nullptr;
  // Tells about `object` while the fiber is parked; may be null.
  std::string (*describe)(const void* object) = nullptr;
};

}  // namespace plait::detail
