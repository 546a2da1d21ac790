// The honest way for what cannot suspend: run it on a thread of a pool and park only the fiber.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/thread_pool.h"

namespace plait {

namespace detail {
void runOnPool(ThreadPool& pool, void (*call)(void*) noexcept, void* context);
}

// Calls f on a thread of the pool and returns what it returns, or throws what it throws. f may
// refer to the caller's frame: a caller that is killed before f has begun leaves at once and f is
// never called; once it has begun the caller stays parked until it ends, its result is returned,
// and the kill strikes at the next blocking call. f must not call into the loop but through a
// LoopHandle. May switch. Throws: what f throws; ReactorStopped, LimitError from the pool.
template <class F>
std::invoke_result_t<F&> offload(ThreadPool& pool, F&& f) {
  using T = std::invoke_result_t<F&>;
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  struct Work {
    std::remove_reference_t<F>& function;
    std::optional<Stored> value;
    std::exception_ptr error;
  } work{f, std::nullopt, nullptr};
  detail::runOnPool(
      pool,
      [](void* context) noexcept {
        Work& mine = *static_cast<Work*>(context);
        try {
          if constexpr (std::is_void_v<T>) {
            std::invoke(mine.function);
          } else {
            mine.value.emplace(std::invoke(mine.function));
          }
        } catch (...) {
          mine.error = std::current_exception();
        }
      },
      &work);
  if (work.error) std::rethrow_exception(work.error);
  if constexpr (!std::is_void_v<T>) return std::move(*work.value);
}

template <class F>
std::invoke_result_t<F&> offload(F&& f) {
  return offload(defaultPool(), std::forward<F>(f));
}

}  // namespace plait
