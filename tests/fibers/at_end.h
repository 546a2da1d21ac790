// Calls a function when it is destroyed; moved from, it does not.
#pragma once

#include <functional>
#include <utility>

namespace plait::test {

class AtEnd final {
 public:
  explicit AtEnd(std::function<void()> f) : f_(std::move(f)) {}
  AtEnd(AtEnd&& other) noexcept : f_(std::exchange(other.f_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (f_) f_();
  }

 private:
  std::function<void()> f_;
};

}  // namespace plait::test
