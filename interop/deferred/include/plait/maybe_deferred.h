// From functions to Deferreds.
#pragma once

#include <exception>
#include <functional>
#include <source_location>
#include <utility>

#include "plait/deferred.h"
#include "plait/report.h"

namespace plait {

// A Deferred that has fired with this outcome.
template <class T>
Deferred<T> fromResult(Result<T> result,
                       std::source_location at = std::source_location::current()) {
  Deferred<T> fired(at);
  fire(fired, std::move(result), at);
  return fired;
}

// Calls f; what comes of it as a Deferred: a value, a Result, what it throws; a Deferred that it
// returns is returned itself. A Cancellation passes. May switch where f does.
template <class F, class... Args>
auto maybeDeferred(F&& f, Args&&... args) {
  using R = std::invoke_result_t<F, Args...>;
  using U = detail::UnwrappedOf<R>;
  try {
    if constexpr (detail::kIsDeferred<std::remove_cvref_t<R>>) {
      return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
    } else if constexpr (std::is_void_v<R>) {
      std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
      return succeed();
    } else if constexpr (detail::kIsResult<std::remove_cvref_t<R>>) {
      return fromResult<U>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...));
    } else {
      return fromResult<U>(Result<U>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...)));
    }
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    return fail<U>(Failure());
  }
}

// Twisted's execute(): maybeDeferred() by another name, kept for those who look for it.
template <class F, class... Args>
auto execute(F&& f, Args&&... args) {
  return maybeDeferred(std::forward<F>(f), std::forward<Args>(args)...);
}

// For addErrback(): reports the failure and passes it on.
struct LogError {
  std::string context = "logError";
  Failure operator()(Failure failure) const {
    reportError(context, failure.exception());
    return failure;
  }
};

}  // namespace plait
