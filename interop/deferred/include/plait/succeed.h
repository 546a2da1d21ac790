// Deferreds from outcomes that are there already. Included by plait/deferred.h.
#pragma once

#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include "plait/deferred.h"

namespace plait {

// A Deferred that has fired with this value, or with this failure.
template <class T>
Deferred<std::decay_t<T>> succeed(T&& value,
                                  std::source_location at = std::source_location::current()) {
  Deferred<std::decay_t<T>> fired(at);
  fired.callback(std::forward<T>(value), at);
  return fired;
}
inline Deferred<void> succeed(std::source_location at = std::source_location::current()) {
  Deferred<void> fired(at);
  fired.callback(at);
  return fired;
}
template <class T>
Deferred<T> fail(const Failure& failure,
                 std::source_location at = std::source_location::current()) {
  Deferred<T> fired(at);
  fired.errback(failure, at);
  return fired;
}
// callback() or errback(), as the result says.
template <class T>
void fire(const Deferred<T>& deferred, Result<T> result,
          std::source_location at = std::source_location::current()) {
  if (!result.isValue()) return deferred.errback(result.failure(), at);
  if constexpr (std::is_void_v<T>) {
    deferred.callback(at);
  } else {
    deferred.callback(std::move(result).value(), at);
  }
}

template <class T>
Deferred<T> fail(const std::exception_ptr& error,
                 std::source_location at = std::source_location::current()) {
  return fail<T>(Failure(error), at);
}
template <class T, class E>
  requires std::is_base_of_v<std::exception, std::remove_cvref_t<E>>
Deferred<T> fail(E&& error, std::source_location at = std::source_location::current()) {
  return fail<T>(Failure(std::forward<E>(error)), at);
}

}  // namespace plait
