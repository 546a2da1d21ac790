#include "plait/future.h"

#include "plait/detail/fiber.h"
#include "plait/error.h"

namespace plait {

ThreadPool& futurePool() {
  constexpr std::size_t kThreadsMax = 256;
  // Never destroyed, as the default pool: a thread may wait in it while the process exits.
  static ThreadPool* const pool = [] {
    ThreadPoolOptions options;
    options.threadsMax = kThreadsMax;
    options.name = "plait-futures";
    return new ThreadPool(options);
  }();
  return *pool;
}

KillOnStop::KillOnStop(const std::stop_token& token, const AnyGreenlet& greenlet)
    : greenlet_(std::make_shared<AnyGreenlet>(greenlet)),
      callback_(token, Request{LoopHandle(), greenlet_}) {}

KillOnStop::~KillOnStop() { *greenlet_ = AnyGreenlet(); }

void KillOnStop::Request::operator()() const {
  try {
    loop.callFromThread([target = greenlet] {
      if (*target) target->requestKill();
    });
  } catch (const ReactorStopped&) {
    // The greenlet has ended with its loop.
  }
}

std::stop_token stopTokenOf(const AnyGreenlet& greenlet) { return greenlet.fiber().stopToken(); }

}  // namespace plait
