// Deadlines as scopes. A Timeout strikes the fiber that made it, at the blocking call it is in when
// the time is up or at its next one; code that never switches is never interrupted.
#pragma once

#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "plait/cancellation.h"
#include "plait/detail/fiber.h"
#include "plait/detail/timer_wheel.h"
#include "plait/error.h"
#include "plait/time.h"

namespace plait {

// An expired Timeout on its way through its fiber. Not a std::exception.
class TimeoutExpired final : public Cancellation {
 public:
  TimeoutExpired(std::uint64_t id, Duration after, std::source_location at)
      : id_(id), after_(after), at_(at) {}
  const char* reason() const noexcept override { return "timeout expired"; }
  std::exception_ptr asError() const override {
    return std::make_exception_ptr(TimeoutError(message()));
  }
  std::string message() const;  // "timed out after 200 ms (Timeout at f.cpp:12)"
  std::uint64_t id() const noexcept { return id_; }

 private:
  std::uint64_t id_;
  Duration after_;
  std::source_location at_;
};

// While it lives, its fiber has until `wait` from now; then TimeoutExpired is thrown once. Several
// may be nested; `isCause` tells them apart: rethrow what is not yours. Opened inside a
// CancelShield or in a destructor during unwinding, it strikes there too, so that cleanup can be
// bounded.
class Timeout final {
 public:
  // kForever never expires; zero and less expire at the first turn of the loop.
  // Never switches. Throws: std::logic_error off a fiber.
  explicit Timeout(Duration wait, std::source_location at = std::source_location::current());
  // Strikes with `error` in place of TimeoutExpired.
  Timeout(Duration wait, std::exception_ptr error,
          std::source_location at = std::source_location::current());
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;
  ~Timeout();

  // After it nothing is thrown any more. No effect when cancelled or expired already. Never
  // switches.
  void cancel() noexcept;
  // Counts anew from now, whether it has expired or not. Never switches.
  void restart(Duration wait);

  bool isPending() const noexcept { return bell_.isArmed(); }
  bool hasExpired() const noexcept { return expired_; }
  bool isCause(const TimeoutExpired& expired) const noexcept { return expired.id() == id_; }

 private:
  struct Bell final : detail::Timer {
    explicit Bell(Timeout& t) : Timer(&ring), timeout(t) {}
    static void ring(detail::Timer& timer);
    Timeout& timeout;
  };
  struct Blow final : detail::Strike {
    explicit Blow(Timeout& t) : Strike(&raise), timeout(t) {}
    static void raise(detail::Strike& strike);
    Timeout& timeout;
  };

  detail::Fiber& fiber_;
  std::uint64_t id_;
  Duration wait_;
  std::source_location at_;
  std::exception_ptr error_;
  bool expired_ = false;
  Bell bell_{*this};
  Blow blow_{*this};
};

// Calls f; if `wait` passes first, f's blocking call is left and TimeoutError is thrown. Other
// Timeouts pass through untouched.
// May switch. Throws: TimeoutError, and what f throws.
template <class F>
auto withTimeout(Duration wait, F&& f, std::source_location at = std::source_location::current())
    -> std::invoke_result_t<F> {
  Timeout timeout(wait, at);
  try {
    return std::forward<F>(f)();
  } catch (const TimeoutExpired& expired) {
    if (!timeout.isCause(expired)) throw;
    throw TimeoutError(expired.message());
  }
}

// The same, but the time running out gives `otherwise`.
template <class F, class T>
auto withTimeout(Duration wait, F&& f, T&& otherwise,
                 std::source_location at = std::source_location::current())
    -> std::invoke_result_t<F> {
  Timeout timeout(wait, at);
  try {
    return std::forward<F>(f)();
  } catch (const TimeoutExpired& expired) {
    if (!timeout.isCause(expired)) throw;
  }
  return std::forward<T>(otherwise);
}

}  // namespace plait
