#include "plait/wait_for_greenlet.h"

#include "plait/error.h"

namespace plait {

Deferred<AnyGreenlet> detail::whenEnded(const AnyGreenlet& greenlet,
                                        const std::source_location& at) {
  // Whoever has the Deferred hears of the error.
  greenlet.fiber().markObserved();
  if (greenlet.isReady()) return succeed(AnyGreenlet(greenlet), at);
  // The greenlet owns the Deferred through its link, and the canceller the greenlet, until it ends.
  Deferred<AnyGreenlet> ended(
      [greenlet](const Deferred<AnyGreenlet>&) {
        greenlet.requestKill();
        return CancelAnswer::later;
      },
      at);
  DeferredAccess::home(ended).setProducer(&greenlet.fiber());
  greenlet.link([ended, at](AnyGreenlet which) { ended.callback(std::move(which), at); }, at);
  return ended;
}

void detail::claimResult(const AnyGreenlet& greenlet) {
  if (greenlet.fiber().claimResult()) return;
  throw AlreadyChainedError("waitForGreenlet: the result of " + greenlet.fiber().describe() +
                            " can only be moved, and another Deferred has it");
}

AnyGreenlet callMultipleInGreenlet(std::vector<detail::UniqueFunction<void()>> functions,
                                   std::source_location at) {
  return spawn(
      [functions = std::move(functions)]() mutable {
        for (detail::UniqueFunction<void()>& each : functions) each();
      },
      at);
}

}  // namespace plait
