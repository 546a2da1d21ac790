// A callable owned by one, as std::move_only_function of C++23. Small ones live inside, larger ones
// cost one allocation. An empty one must not be called.
#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

namespace plait::detail {

// std::invoke_r of C++23: a result that nobody wants is dropped.
template <class R, class F, class... Args>
R invokeAs(F& function, Args&&... args) {
  if constexpr (std::is_void_v<R>) {
    static_cast<void>(std::invoke(function, std::forward<Args>(args)...));
  } else {
    return std::invoke(function, std::forward<Args>(args)...);
  }
}

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> final {
 public:
  // Implicit, as std::function is: what is called for takes a lambda.
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)

  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  UniqueFunction(F&& function) {  // NOLINT(google-explicit-constructor)
    using Stored = std::decay_t<F>;
    if constexpr (sizeof(Stored) <= kInside && alignof(Stored) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Stored>) {
      ::new (static_cast<void*>(inside_)) Stored(std::forward<F>(function));
      table_ = &insideTable<Stored>;
    } else {
      ::new (static_cast<void*>(inside_))(Stored*)(new Stored(std::forward<F>(function)));
      table_ = &outsideTable<Stored>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this == &other) return *this;
    reset();
    take(other);
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return table_ != nullptr; }
  R operator()(Args... args) { return table_->call(inside_, std::forward<Args>(args)...); }

  void reset() noexcept {
    if (table_ == nullptr) return;
    std::exchange(table_, nullptr)->destroy(inside_);
  }

 private:
  static constexpr std::size_t kInside = 48;

  struct Table {
    R (*call)(void*, Args&&...);
    void (*move)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class F>
  static constexpr Table insideTable{[](void* self, Args&&... args) -> R {
                                       return invokeAs<R>(*static_cast<F*>(self),
                                                          std::forward<Args>(args)...);
                                     },
                                     [](void* to, void* from) noexcept {
                                       ::new (to) F(std::move(*static_cast<F*>(from)));
                                       static_cast<F*>(from)->~F();
                                     },
                                     [](void* self) noexcept { static_cast<F*>(self)->~F(); }};

  template <class F>
  static constexpr Table outsideTable{
      [](void* self, Args&&... args) -> R {
        return invokeAs<R>(**static_cast<F**>(self), std::forward<Args>(args)...);
      },
      [](void* to, void* from) noexcept { ::new (to)(F*)(*static_cast<F**>(from)); },
      [](void* self) noexcept { delete *static_cast<F**>(self); }};

  void take(UniqueFunction& other) noexcept {
    if (other.table_ == nullptr) return;
    table_ = std::exchange(other.table_, nullptr);
    table_->move(inside_, other.inside_);
  }

  const Table* table_ = nullptr;
  alignas(std::max_align_t) unsigned char inside_[kInside];
};

}  // namespace plait::detail
