#include "plait/deferred.h"

#include "plait/detail/loop.h"
#include "plait/report.h"
#include "plait/shared_deferred.h"

namespace plait {

void setDebugging(bool on) noexcept { detail::Chain::setDebugging(on); }
bool isDebugging() noexcept { return detail::Chain::isDebugging(); }

namespace detail {

void throwForeignShare(const std::source_location& at) {
  throw std::logic_error(std::string("a SharedDeferred was used at ") + at.file_name() + ":" +
                         std::to_string(at.line()) + ", on another thread than its own");
}

void reportUnwanted(const Failure& failure) noexcept {
  // That nobody can fire what nobody waits for is no news.
  if (failure.check<BrokenDeferredError>() != nullptr) return;
  reportError("unhandled error in a SharedDeferred that nobody asked", failure.exception());
}

void afterThis(UniqueFunction<void()> f) {
  if (Loop* const loop = Loop::current()) return loop->callSoon(std::move(f));
  f();
}

TimeoutGuard::TimeoutGuard(Chain& chain, Duration timeout, TimeSource& time,
                           const std::source_location& at)
    : timer_(callLater(
          time, timeout,
          [this, &chain] {
            expired_ = true;
            chain.cancel();
          },
          at)) {}

TimeoutGuard::~TimeoutGuard() { timer_.cancel(); }

bool TimeoutGuard::end() noexcept {
  timer_.cancel();
  return expired_;
}

void throwTimeout(Duration timeout) {
  const double seconds = std::chrono::duration<double>(timeout).count();
  throw TimeoutError("the Deferred was not done within " + std::to_string(seconds) + " s");
}

}  // namespace detail
}  // namespace plait
