// A value of which each fiber has its own; made when a fiber first asks, destroyed when the fiber
// ends.
#pragma once

#include <utility>

#include "plait/detail/unique_function.h"

namespace plait {

namespace detail {
void* findLocal(const void* key);
void addLocal(const void* key, void* value, void (*destroy)(void*) noexcept);
}  // namespace detail

// Must outlive the fibers that use it: usually a global.
template <class T>
class FiberLocal final {
 public:
  FiberLocal() : make_([] { return new T(); }) {}
  // `make` gives the first value in each fiber.
  template <class F>
  explicit FiberLocal(F make) : make_([f = std::move(make)]() mutable { return new T(f()); }) {}
  FiberLocal(const FiberLocal&) = delete;
  FiberLocal& operator=(const FiberLocal&) = delete;

  // The current fiber's. Never switches. Throws: what making it throws; std::logic_error off a
  // fiber.
  T& operator*() { return *get(); }
  T* operator->() { return get(); }
  T* get() {
    void* value = detail::findLocal(this);
    if (value == nullptr) {
      value = make_();
      detail::addLocal(this, value, [](void* p) noexcept { delete static_cast<T*>(p); });
    }
    return static_cast<T*>(value);
  }

 private:
  detail::UniqueFunction<T*()> make_;
};

}  // namespace plait
