// What addTimeout() puts into a chain.
#pragma once

#include <source_location>

#include "plait/detail/chain.h"
#include "plait/error.h"
#include "plait/failure.h"
#include "plait/time_source.h"

namespace plait::detail {

// The timer of an addTimeout(). It may cancel the chain as long as its link is in there, which ends
// it.
class TimeoutGuard final {
 public:
  TimeoutGuard(Chain& chain, Duration timeout, TimeSource& time, const std::source_location& at);
  TimeoutGuard(const TimeoutGuard&) = delete;
  TimeoutGuard& operator=(const TimeoutGuard&) = delete;
  ~TimeoutGuard();

  // The chain has come to its place: true if that was too late.
  bool end() noexcept;

 private:
  bool expired_ = false;
  DelayedCall timer_;
};

[[noreturn]] void throwTimeout(Duration timeout);

template <class T>
Result<T> timedOut(Result<T> result, Duration timeout) {
  if (result.isValue() || result.failure().template check<CancelledError>() == nullptr) {
    return result;
  }
  throwTimeout(timeout);
}

}  // namespace plait::detail
