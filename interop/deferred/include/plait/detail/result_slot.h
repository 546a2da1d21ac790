// Room for one value of any type, or for a Failure. Small values live inside.
#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "plait/detail/assert.h"

namespace plait::detail {

class ResultSlot final {
 public:
  enum class State : unsigned char { empty, value, failure };

  ResultSlot() noexcept {}
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;
  ~ResultSlot() { clear(); }

  State state() const noexcept { return state_; }

  // Whether setValue<T>(args...) cannot throw.
  template <class T, class... Args>
  static constexpr bool setsSafely() noexcept {
    if constexpr (std::is_void_v<T>) {
      return true;
    } else {
      return kInside<T> && std::is_nothrow_constructible_v<T, Args...>;
    }
  }

  // The slot must be empty.
  template <class T, class... Args>
  void setValue(Args&&... args) {
    if constexpr (!std::is_void_v<T>) {
      if constexpr (kInside<T>) {
        ::new (static_cast<void*>(inside_)) T(std::forward<Args>(args)...);
      } else {
        ::new (static_cast<void*>(inside_))(T*)(new T(std::forward<Args>(args)...));
      }
      ops_ = opsOf<T>();
    }
    state_ = State::value;
  }
  void setFailure(std::exception_ptr error) noexcept {
    ::new (static_cast<void*>(inside_)) std::exception_ptr(std::move(error));
    ops_ = opsOf<std::exception_ptr>();
    state_ = State::failure;
  }

  template <class T>
  T& value() noexcept {
    if constexpr (kInside<T>) {
      return *std::launder(reinterpret_cast<T*>(inside_));
    } else {
      return **std::launder(reinterpret_cast<T**>(inside_));
    }
  }
  std::exception_ptr& failure() noexcept {
    return *std::launder(reinterpret_cast<std::exception_ptr*>(inside_));
  }

  // As clear(), where the type is known.
  template <class T>
  void clearValue() noexcept {
    state_ = State::empty;
    if constexpr (!std::is_void_v<T>) {
      if constexpr (!kInside<T>) {
        delete &value<T>();
      } else {
        value<T>().~T();
      }
      ops_ = nullptr;
    }
  }
  void clear() noexcept {
    state_ = State::empty;
    if (const Ops* const ops = std::exchange(ops_, nullptr)) ops->destroy(inside_);
  }
  template <class T>
  T takeValue() {
    struct Clear {
      ResultSlot& slot;
      ~Clear() { slot.clearValue<T>(); }
    };
    const Clear clear{*this};
    if constexpr (!std::is_void_v<T>) return std::move(value<T>());
  }
  const std::exception_ptr& failure() const noexcept {
    return *std::launder(reinterpret_cast<const std::exception_ptr*>(inside_));
  }
  std::exception_ptr takeFailure() noexcept {
    std::exception_ptr error = std::move(failure());
    clear();
    return error;
  }
  // Into an empty slot.
  void moveTo(ResultSlot& other) noexcept {
    if (ops_ != nullptr) ops_->move(other.inside_, inside_);
    other.ops_ = std::exchange(ops_, nullptr);
    other.state_ = std::exchange(state_, State::empty);
  }

 private:
  static constexpr std::size_t kBytes = 40;
  template <class T>
  static constexpr bool kInside = sizeof(T) <= kBytes && alignof(T) <= alignof(void*) &&
                                  std::is_nothrow_move_constructible_v<T>;

  // Null for a void result: nothing to move or to destroy.
  struct Ops {
    void (*move)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };
  template <class T>
  static constexpr Ops insideOps{[](void* to, void* from) noexcept {
                                   ::new (to) T(std::move(*static_cast<T*>(from)));
                                   static_cast<T*>(from)->~T();
                                 },
                                 [](void* self) noexcept { static_cast<T*>(self)->~T(); }};
  template <class T>
  static constexpr Ops outsideOps{
      [](void* to, void* from) noexcept { ::new (to)(T*)(*static_cast<T**>(from)); },
      [](void* self) noexcept { delete *static_cast<T**>(self); }};
  template <class T>
  static constexpr const Ops* opsOf() noexcept {
    if constexpr (kInside<T>) {
      return &insideOps<T>;
    } else {
      return &outsideOps<T>;
    }
  }

  const Ops* ops_ = nullptr;
  State state_ = State::empty;
  alignas(void*) std::byte inside_[kBytes];
};

}  // namespace plait::detail
