// Calls from other threads into a loop.
#pragma once

#include <memory>
#include <source_location>
#include <utility>

#include "plait/detail/unique_function.h"

namespace plait {

namespace detail {
class Inbox;
}

// Names a loop for other threads. While one lives outside the loop's own thread's books, the loop
// counts as reachable: a run whose fibers are all parked waits instead of reporting a deadlock.
// Copies may be used and destroyed on any thread, also after the loop has ended.
class LoopHandle final {
 public:
  // The current loop's handle. Throws: std::logic_error off a loop.
  LoopHandle();
  explicit LoopHandle(std::shared_ptr<detail::Inbox> inbox) noexcept;
  LoopHandle(const LoopHandle& other) noexcept;
  LoopHandle& operator=(const LoopHandle& other) noexcept;
  ~LoopHandle();

  // Runs `f` on the loop's thread, as a callback, in the order of the calls of one thread. What it
  // throws goes to the loop's error sink. If the loop ends first, `f` is destroyed unrun.
  // Never switches. Any thread. Throws: ReactorStopped.
  template <class F>
  void callFromThread(F&& f, std::source_location at = std::source_location::current()) const {
    post(detail::UniqueFunction<void()>(std::forward<F>(f)), at);
  }

  // True once the loop takes no more calls. Any thread.
  bool isStopped() const noexcept;

 private:
  void post(detail::UniqueFunction<void()> f, std::source_location at) const;

  std::shared_ptr<detail::Inbox> inbox_;  // shared between the loop and every handle, on any thread
};

namespace detail {
void postToFirstLoop(UniqueFunction<void()> f, std::source_location at);
}

// LoopHandle::callFromThread for the loop that the process started first and that still runs.
// Never switches. Any thread. Throws: ReactorStopped if there is none.
template <class F>
void callFromThread(F&& f, std::source_location at = std::source_location::current()) {
  detail::postToFirstLoop(detail::UniqueFunction<void()>(std::forward<F>(f)), at);
}

}  // namespace plait
