#include "plait/deferred.h"

namespace plait {

void setDebugging(bool on) noexcept { detail::Chain::setDebugging(on); }
bool isDebugging() noexcept { return detail::Chain::isDebugging(); }

namespace detail {

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
