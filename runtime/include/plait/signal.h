// Unix signals as callbacks on a loop.
#pragma once

#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/detail/unique_function.h"

namespace plait {

namespace detail {
class SignalWatch;
}

// As long as it lives, the signal calls the function. The last one of a signal restores the action
// that stood before the first.
class [[nodiscard]] SignalHandle final {
 public:
  SignalHandle() noexcept;
  explicit SignalHandle(std::unique_ptr<detail::SignalWatch> watch) noexcept;
  SignalHandle(SignalHandle&& other) noexcept;
  SignalHandle& operator=(SignalHandle&& other) noexcept;
  ~SignalHandle();

  void cancel() noexcept;  // Never switches.

 private:
  std::unique_ptr<detail::SignalWatch> watch_;
};

namespace detail {
SignalHandle watchSignal(int signal, UniqueFunction<void()> f, std::source_location at);
}

// Calls f on this loop as a callback, which may block, after each arrival of `signal` (several that
// arrive before it runs call it once). What it throws is reported. Any number of handlers, on any
// loops. While it lives, a run whose fibers are all parked is not a deadlock.
// Never switches. Throws: std::logic_error off a loop; IoError for a signal that cannot be handled.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
SignalHandle onSignal(int signal, F&& f,
                      std::source_location at = std::source_location::current()) {
  return detail::watchSignal(signal, detail::UniqueFunction<void()>(std::forward<F>(f)), at);
}

}  // namespace plait
