// all, any and race over whatever ends some day, mixed: Deferreds, greenlets, std::futures.
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "plait/cancel_shield.h"
#include "plait/deferred.h"
#include "plait/deferred_list.h"
#include "plait/detail/arrival.h"
#include "plait/future.h"
#include "plait/race.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

namespace plait {

template <class T>
Deferred<T> toDeferred(Deferred<T> deferred) {
  return deferred;
}

namespace detail {

template <class A>
concept Awaited = requires(A&& awaited) { toDeferred(std::forward<A>(awaited)); };
template <class A>
using AwaitedOf = typename decltype(toDeferred(std::declval<A>()))::Value;

// When the wait for several is over.
enum class WaitFor : unsigned char { all, firstValue, firstEnd };

// Counts what has come; the results go into slots in the waiting frame, which stays until all have
// ended.
class MixedWait final : public Members {
 public:
  MixedWait(std::size_t count, WaitFor what, void** slots);

  template <class T>
  Result<void> arrived(std::size_t index, Result<T> result) {
    const bool isValue = result.isValue();
    if (!isValue) errors_[index] = result.failure().exception();
    if (slots_ != nullptr) {
      static_cast<std::optional<Result<T>>*>(slots_[index])->emplace(std::move(result));
    }
    count(index, isValue);
    return {};
  }

  // Parks until the wait is over and all members have ended; those that were not needed have been
  // cancelled. Returns the index of the decisive one. A kill of the caller cancels all. Throws:
  // what strikes the caller.
  std::size_t wait(const std::source_location& at);
  // Nobody waits: what still comes is dropped.
  void abandon() noexcept { slots_ = nullptr; }

  const std::exception_ptr& error(std::size_t index) const noexcept { return errors_[index]; }
  std::vector<Failure> failures() const;

 private:
  void count(std::size_t index, bool isValue);

  static constexpr std::size_t kNone = ~std::size_t{0};
  WaitFor what_;
  void** slots_;
  std::vector<std::exception_ptr> errors_;
  std::size_t missing_;
  std::size_t decisive_ = kNone;
  Deferred<void> over_;   // decided
  Deferred<void> ended_;  // and all have ended
};

template <class... T>
struct MixedSlots {
  std::tuple<std::optional<Result<T>>...> results;
  std::array<void*, sizeof...(T)> pointers;

  MixedSlots() {
    [this]<std::size_t... I>(std::index_sequence<I...>) {
      pointers = {static_cast<void*>(&std::get<I>(results))...};
    }(std::index_sequence_for<T...>());
  }
};

template <class T>
OrMonostate<T> valueOf(std::optional<Result<T>>& result) {
  if constexpr (std::is_void_v<T>) {
    result->value();
    return {};
  } else {
    return std::move(*result).value();
  }
}

template <class... T>
std::shared_ptr<MixedWait> expectAll(WaitFor what, void** slots, const std::source_location& at,
                                     const Deferred<T>&... members) {
  (requireUntaken(members), ...);
  (requireOtherThanSelf(DeferredAccess::home(members)), ...);
  auto state = std::make_shared<MixedWait>(sizeof...(T), what, slots);
  std::size_t index = 0;
  try {
    (Arrival<MixedWait, T>::expect(state, index++, members, at), ...);
  } catch (...) {
    // Those that are expected already have nobody to come to.
    state->abandon();
    throw;
  }
  return state;
}

template <std::size_t I, class Variant, class... T>
void pick(std::optional<Variant>& picked, std::size_t index, MixedSlots<T...>& slots) {
  if (I == index) picked.emplace(std::in_place_index<I>, valueOf(std::get<I>(slots.results)));
}

template <class... T>
std::variant<OrMonostate<T>...> pickFrom(std::size_t index, MixedSlots<T...>& slots) {
  std::optional<std::variant<OrMonostate<T>...>> picked;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (pick<I>(picked, index, slots), ...);
  }(std::index_sequence_for<T...>());
  return std::move(*picked);
}

template <WaitFor What, class... T>
std::variant<OrMonostate<T>...> waitForFirst(const Deferred<T>&... members) {
  MixedSlots<T...> slots;
  const std::source_location at = std::source_location::current();
  const auto state = expectAll(What, slots.pointers.data(), at, members...);
  const std::size_t index = state->wait(at);
  if (What == WaitFor::firstValue && state->error(index)) throw FailureGroup(state->failures());
  return pickFrom(index, slots);
}

}  // namespace detail

// Waits for all of them and returns their values as a tuple (std::monostate for void). The first
// failure cancels the others and is thrown when they have ended; so does a kill of the caller.
// May switch. Throws: the first failure; AlreadyChainedError for a Deferred that was taken.
template <detail::Awaited... A>
std::tuple<detail::OrMonostate<detail::AwaitedOf<A>>...> all(A&&... awaited) {
  detail::MixedSlots<detail::AwaitedOf<A>...> slots;
  const std::source_location at = std::source_location::current();
  const auto state = detail::expectAll(detail::WaitFor::all, slots.pointers.data(), at,
                                       toDeferred(std::forward<A>(awaited))...);
  const std::size_t index = state->wait(at);
  if (state->error(index)) std::rethrow_exception(state->error(index));
  return std::apply(
      [](auto&... each) {
        return std::tuple<detail::OrMonostate<detail::AwaitedOf<A>>...>(detail::valueOf(each)...);
      },
      slots.results);
}

// Waits for the first value; the others are cancelled and waited for, and what they still come to
// is dropped. A variant whose index tells which it was. May switch. Throws: FailureGroup if all
// fail.
template <detail::Awaited... A>
std::variant<detail::OrMonostate<detail::AwaitedOf<A>>...> any(A&&... awaited) {
  return detail::waitForFirst<detail::WaitFor::firstValue>(toDeferred(std::forward<A>(awaited))...);
}

// The same for the first that ends, be it with a value or with a failure, which is thrown.
template <detail::Awaited... A>
std::variant<detail::OrMonostate<detail::AwaitedOf<A>>...> race(A&&... awaited) {
  return detail::waitForFirst<detail::WaitFor::firstEnd>(toDeferred(std::forward<A>(awaited))...);
}

}  // namespace plait
