// For tools that follow every greenlet: tracers, per-request bookkeeping, leak hunts.
#pragma once

#include <functional>

#include "plait/detail/wait_queue.h"
#include "plait/greenlet.h"

namespace plait {

namespace detail {

class SpawnObserverNode : public WaitNode {
 public:
  explicit SpawnObserverNode(std::function<void(const AnyGreenlet&)> f) : function(std::move(f)) {}
  std::function<void(const AnyGreenlet&)> function;
};

}  // namespace detail

// While it lives, `f` is called with every greenlet that is spawned on this loop, by whatever call,
// before it runs. f must not switch, spawn or end an observer; what it throws goes to the error
// sink. Several are told in the order in which they were made. To be destroyed before the run ends.
class SpawnObserver final {
 public:
  // Never switches. Throws: std::logic_error off a loop.
  explicit SpawnObserver(std::function<void(const AnyGreenlet&)> f);
  SpawnObserver(const SpawnObserver&) = delete;
  SpawnObserver& operator=(const SpawnObserver&) = delete;
  ~SpawnObserver() { node_.unlink(); }

 private:
  detail::SpawnObserverNode node_;
};

}  // namespace plait
