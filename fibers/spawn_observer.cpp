#include "plait/spawn_observer.h"

#include "plait/detail/loop.h"
#include "plait/no_switch_scope.h"
#include "plait/report.h"
#include "scheduler.h"

namespace plait {

SpawnObserver::SpawnObserver(std::function<void(const AnyGreenlet&)> f) : node_(std::move(f)) {
  detail::Loop::require("SpawnObserver");
  detail::Scheduler::current()->spawnObservers.append(node_);
}

void detail::Scheduler::tellSpawnObservers(Fiber& fiber) noexcept {
  const NoSwitchScope scope;
  const AnyGreenlet greenlet{FiberPointer<>(fiber)};
  static_cast<void>(spawnObservers.find([&greenlet](const SpawnObserverNode& each) {
    try {
      each.function(greenlet);
    } catch (...) {
      reportError("a SpawnObserver", std::current_exception());
    }
    return false;
  }));
}

}  // namespace plait
