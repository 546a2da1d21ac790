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
#include "plait/timeout.h"

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

// Functions of their own and not lambdas within a fold: clang 19 crashes on those.
template <std::size_t I, class Results, class F>
void spawnForAll(TaskGroup& group, Results& results, F& function) {
  group.spawn([&results, &function] { std::get<I>(results).emplace(callForValue(function)); });
}

// What the functions of a race share.
template <class Result>
struct Race {
  std::optional<Result> first;
  std::exception_ptr error;
  Event decided;
};

template <std::size_t I, class Result, class F>
void spawnForRace(TaskGroup& group, Race<Result>& race, F& function) {
  group.spawn([&race, &function] {
    try {
      auto value = callForValue(function);
      if (!race.decided.isSet()) race.first.emplace(std::in_place_index<I>, std::move(value));
    } catch (const TimeoutExpired& expired) {
      // A Timeout of its own: its end is an error like any other.
      if (!race.decided.isSet()) {
        race.error = std::make_exception_ptr(TimeoutError(expired.message()));
      }
    } catch (const Cancellation&) {
      if (!race.decided.isSet()) {
        race.error = std::make_exception_ptr(GreenletKilled("a function of race() was killed"));
        race.decided.set();
      }
      throw;
    } catch (...) {
      if (!race.decided.isSet()) race.error = std::current_exception();
    }
    race.decided.set();
  });
}

}  // namespace detail

// Calls each on a greenlet of its own and returns the results as a tuple (std::monostate for void).
// An error kills the others and is thrown when all have ended; so is a kill of the caller. The
// functions may refer to the caller's frame. May switch.
template <class... F>
  requires(std::is_invocable_v<F&> && ...)
std::tuple<detail::OrMonostate<std::invoke_result_t<F&>>...> all(F&&... functions) {
  std::tuple<std::optional<detail::OrMonostate<std::invoke_result_t<F&>>>...> results;
  TaskGroup group;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (detail::spawnForAll<I>(group, results, functions), ...);
  }(std::index_sequence_for<F...>());
  group.join();
  return [&results]<std::size_t... I>(std::index_sequence<I...>) {
    if (!(std::get<I>(results).has_value() && ...)) {
      throw GreenletKilled("a function of all() was killed and has left no result");
    }
    return std::tuple<detail::OrMonostate<std::invoke_result_t<F&>>...>(
        std::move(*std::get<I>(results))...);
  }(std::index_sequence_for<F...>());
}

// Calls each on a greenlet of its own; the first to end, with a value or an error, wins. The others
// are killed and waited for, and what they still produce is dropped. Returns a variant whose index
// tells the winner. May switch. Throws: the winner's error.
template <class... F>
  requires(std::is_invocable_v<F&> && ...)
std::variant<detail::OrMonostate<std::invoke_result_t<F&>>...> race(F&&... functions) {
  using Result = std::variant<detail::OrMonostate<std::invoke_result_t<F&>>...>;
  detail::Race<Result> race;
  TaskGroup group;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (detail::spawnForRace<I>(group, race, functions), ...);
  }(std::index_sequence_for<F...>());
  race.decided.wait();
  {
    const CancelShield shield;
    group.requestKill();
    group.join();
  }
  if (race.error) std::rethrow_exception(race.error);
  return std::move(*race.first);
}

}  // namespace plait
