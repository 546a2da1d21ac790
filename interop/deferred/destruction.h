// Chains own chains through what their callbacks captured, a hundred thousand deep if need be. So
// what is dropped while a chain is being destroyed on this stack waits until that one is gone.
#pragma once

#include "plait/detail/chain.h"

namespace plait::detail {

class Destruction final {
 public:
  // Ends it, now or when the one that runs on this stack is over.
  static void of(Chain& chain) noexcept;

 private:
  explicit Destruction(const void* stack) noexcept;
  ~Destruction();

  const void* stack_;
  Chain* waiting_ = nullptr;
  Destruction* outer_;  // on another stack, which is parked in the middle of it
};

}  // namespace plait::detail
