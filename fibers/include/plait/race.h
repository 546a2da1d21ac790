// Several functions at once: `all` wants every result, `race` the first.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/group.h"

namespace plait {
namespace detail {

// What a function without a result leaves in a tuple or variant.
template <class T>
using OrMonostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class F>
OrMonostate<std::invoke_result_t<F&>> callForValue(F& f) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    std::invoke(f);
    return {};
  } else {
    return std::invoke(f);
  }
}

}  // namespace detail

// Calls each on a greenlet of its own and returns the results as a tuple (std::monostate for void). An
// error kills the others and is thrown when all have ended; so is a kill of the caller. The functions
// may refer to the caller's frame. May switch.
template <class... F>
std::tuple<detail::OrMonostate<std::invoke_result_t<F&>>...> all(F&&... functions) {
  std::tuple<std::optional<detail::OrMonostate<std::invoke_result_t<F&>>>...> results;
  TaskGroup group;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (group.spawn([&results, &functions] { std::get<I>(results).emplace(detail::callForValue(functions)); }),
     ...);
  }(std::index_sequence_for<F...>());
  group.join();
  return [&results]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple<detail::OrMonostate<std::invoke_result_t<F&>>...>(
        std::move(*std::get<I>(results))...);
  }(std::index_sequence_for<F...>());
}

// Calls each on a greenlet of its own; the first to end, with a value or an error, wins. The others are
// killed and waited for, and what they still produce is dropped. Returns a variant whose index tells
// the winner. May switch. Throws: the winner's error.
template <class... F>
std::variant<detail::OrMonostate<std::invoke_result_t<F&>>...> race(F&&... functions) {
  using Result = std::variant<detail::OrMonostate<std::invoke_result_t<F&>>...>;
  std::optional<Result> first;
  TaskGroup group;
  Event decided;
  std::exception_ptr error;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (group.spawn([&first, &decided, &error, &functions] {
      try {
        auto value = detail::callForValue(functions);
        if (!decided.isSet()) first.emplace(std::in_place_index<I>, std::move(value));
      } catch (const Cancellation&) {
        throw;
      } catch (...) {
        if (!decided.isSet()) error = std::current_exception();
      }
      decided.set();
    }),
     ...);
  }(std::index_sequence_for<F...>());
  decided.wait();
  {
    const CancelShield shield;
    group.requestKill();
    group.join();
  }
  if (error) std::rethrow_exception(error);
  return std::move(*first);
}

}  // namespace plait
