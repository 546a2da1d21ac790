// A value, or an exception, that is set once and that any number of fibers wait for.
#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/error.h"
#include "plait/event.h"

namespace plait {

template <class T>
class AsyncResult final {
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  // Wakes all who wait, in the order in which they came. Never switches.
  // Throws: AlreadyCalledError if it was set before; the first result stays.
  template <class... Args>
  void set(Args&&... args) {
    requireUnset();
    value_.emplace(std::forward<Args>(args)...);
    event_.set();
  }
  // Throws also: std::invalid_argument for a null one.
  void setException(std::exception_ptr error) {
    requireUnset();
    if (!error) throw std::invalid_argument("AsyncResult::setException(nullptr)");
    error_ = std::move(error);
    event_.set();
  }

  // The value, good as long as the AsyncResult. May switch. Throws: what was set as exception.
  decltype(auto) get() { return get(kForever); }
  // Throws also: TimeoutError if nothing was set in time; it may be waited for again.
  decltype(auto) get(Duration timeout) {
    if (!event_.wait(timeout)) throw TimeoutError("AsyncResult: nothing was set in time");
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return static_cast<T&>(*value_);
  }

  // Waits for either; false if the time was up. May switch.
  bool wait(Duration timeout = kForever) { return event_.wait(timeout); }

  bool isReady() const noexcept { return event_.isSet(); }
  bool isSuccessful() const noexcept { return value_.has_value(); }
  const std::exception_ptr& exception() const noexcept { return error_; }

  Event& event() noexcept { return event_; }  // set once ready; for select()

 private:
  void requireUnset() const {
    if (isReady()) throw AlreadyCalledError("this AsyncResult was set before");
  }

  Event event_;
  std::optional<Stored> value_;
  std::exception_ptr error_;
};

}  // namespace plait
