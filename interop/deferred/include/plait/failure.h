// An exception as a value: what a Deferred hands to its errbacks. And Result<T>, which is a value
// or a Failure.
#pragma once

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace plait {

class Failure;
template <class T>
class Result;

namespace detail {

// The object in `error` if a handler for E would take it, else null. `type` is typeid(E). Of a
// pointer, only if it is of that very type.
const void* caughtBy(const std::type_info& type, const std::exception_ptr& error) noexcept;

template <class T>
inline constexpr bool kIsResult = false;
template <class T>
inline constexpr bool kIsResult<Result<T>> = true;

}  // namespace detail

// Copies share the exception; any thread may hold one.
class Failure final {
 public:
  // The exception being handled. Throws: std::logic_error outside a handler.
  Failure();
  // A Cancellation becomes the error that it means: it is for the fiber that it was thrown in
  // alone. Throws: std::invalid_argument for a null one.
  explicit Failure(std::exception_ptr error);
  // Of an exception object: Failure(std::runtime_error("no luck")).
  template <class E>
    requires(!std::is_same_v<std::decay_t<E>, Failure> &&
             !std::is_same_v<std::decay_t<E>, std::exception_ptr> &&
             !detail::kIsResult<std::decay_t<E>>)
  explicit Failure(E&& error) : error_(std::make_exception_ptr(std::forward<E>(error))) {}

  // The exception if it is an E or derived from it, else null; good as long as the Failure.
  template <class E>
  const E* check() const noexcept {
    return static_cast<const E*>(detail::caughtBy(typeid(E), error_));
  }
  // The exception if it is one of these (the first that fits); any other is thrown on.
  template <class E>
  const E& trap() const {
    if (const E* const error = check<E>()) return *error;
    raise();
  }
  // Which of these it is, as an index. Throws: the exception if it is none.
  template <class... E>
    requires(sizeof...(E) > 1)
  std::size_t trap() const {
    std::size_t index = 0;
    const bool isOneOf = ((check<E>() != nullptr || (++index, false)) || ...);
    if (!isOneOf) raise();
    return index;
  }
  [[noreturn]] void raise() const { std::rethrow_exception(error_); }

  // "std::runtime_error: no such user".
  std::string message() const;
  // Where it was thrown first, one frame a line, if it left a callback of a Deferred while
  // debugging was on (setDebugging), on x86-64; else empty.
  std::string stack() const;

  const std::exception_ptr& exception() const noexcept { return error_; }

 private:
  std::exception_ptr error_;
};

// How a callback tells either outcome as a value.
template <class T>
class [[nodiscard]] Result final {
 public:
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  Result()
    requires std::is_void_v<T>
      : outcome_(std::in_place_index<0>) {}
  template <class V>
    requires(!std::is_void_v<T> && !std::is_same_v<std::decay_t<V>, Result> &&
             !std::is_same_v<std::decay_t<V>, Failure> && !detail::kIsResult<std::decay_t<V>> &&
             std::is_convertible_v<V, Stored>)
  Result(V&& value)  // NOLINT(google-explicit-constructor)
      : outcome_(std::in_place_index<0>, std::forward<V>(value)) {}
  Result(Failure failure)  // NOLINT(google-explicit-constructor)
      : outcome_(std::in_place_index<1>, std::move(failure)) {}

  bool isValue() const noexcept { return outcome_.index() == 0; }
  explicit operator bool() const noexcept { return isValue(); }

  // Throws: the failure.
  decltype(auto) value() & {
    requireValue();
    if constexpr (!std::is_void_v<T>) return static_cast<Stored&>(std::get<0>(outcome_));
  }
  decltype(auto) value() const& {
    requireValue();
    if constexpr (!std::is_void_v<T>) return static_cast<const Stored&>(std::get<0>(outcome_));
  }
  T value() && {
    requireValue();
    if constexpr (!std::is_void_v<T>) return std::move(std::get<0>(outcome_));
  }
  // Only of one that is no value. Throws: std::bad_variant_access.
  const Failure& failure() const { return std::get<1>(outcome_); }

 private:
  void requireValue() const {
    if (!isValue()) failure().raise();
  }

  std::variant<Stored, Failure> outcome_;
};

}  // namespace plait
