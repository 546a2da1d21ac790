// The stack of a throw, seen while it is still there: a function called through this is found by
// the unwinder's search for a handler, which comes before anything is unwound.
#pragma once

#include <exception>
#include <memory>
#include <string>

namespace plait::detail {

class Backtrace;

// On the stack of who will catch.
class ThrowRecord final {
 public:
  ThrowRecord() noexcept = default;
  ThrowRecord(const ThrowRecord&) = delete;
  ThrowRecord& operator=(const ThrowRecord&) = delete;
  ~ThrowRecord() {
    if (trace_ != nullptr) [[unlikely]]
      drop();
  }

  // Calls f. If it throws, the stack of that is here when the handler runs (x86-64; elsewhere it is
  // just called).
  template <class F>
  void call(F& f) {
    callThrough([](void* function) { (*static_cast<F*>(function))(); }, &f);
  }

  // For the handler: remembers the stack for this exception, unless an earlier one is known: that
  // of the first throw.
  void keepFor(const std::exception_ptr& error) noexcept;

  // Called while the unwinder searches.
  void take() noexcept;

 private:
  void callThrough(void (*function)(void*), void* context);
  void drop() noexcept;

  Backtrace* trace_ = nullptr;
};

// Of one of the last 256 exceptions that were kept; empty otherwise.
std::string throwStackOf(const std::exception_ptr& error);

}  // namespace plait::detail
