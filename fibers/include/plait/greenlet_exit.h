// How a kill travels through the fiber that is killed.
#pragma once

#include "plait/cancellation.h"

namespace plait {

// Not a std::exception, so a `catch (const std::exception&)` does not swallow it. A `catch (...)`
// that does not rethrow gets it again at the next blocking call, until the fiber ends. A fiber may
// throw it itself to end quietly; joiners then see GreenletKilled.
class GreenletExit final : public Cancellation {
 public:
  const char* reason() const noexcept override { return "killed"; }
};

}  // namespace plait
