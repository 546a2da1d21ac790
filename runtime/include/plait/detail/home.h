// Which thread something belongs to, told by the address of the thread's control block: one
// register read to ask, so it can be asked at every call.
#pragma once

#include <memory>

namespace plait::detail {

class Inbox;

class Home final {
 public:
  static Home here() noexcept { return Home(__builtin_thread_pointer()); }
  bool isHere() const noexcept { return thread_ == __builtin_thread_pointer(); }
  bool operator==(const Home& other) const noexcept = default;

  // Of the loop that runs there now; null if none does. Any thread.
  std::shared_ptr<Inbox> inbox() const;

 private:
  explicit Home(const void* thread) noexcept : thread_(thread) {}
  const void* thread_;
};

}  // namespace plait::detail
