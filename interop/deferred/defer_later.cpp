#include "plait/defer_later.h"

namespace plait {

Deferred<void> deferLater(TimeSource& time, Duration wait, std::source_location at) {
  // The timer owns the Deferred; its canceller finds the timer through this.
  auto timer = std::make_shared<DelayedCall>();
  Deferred<void> later([timer](const Deferred<void>&) { timer->cancel(); }, at);
  *timer = callLater(
      time, wait,
      [later, at] {
        if (!later.isCalled()) later.callback(at);
      },
      at);
  return later;
}

}  // namespace plait
