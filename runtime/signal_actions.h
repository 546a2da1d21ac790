// The signal actions of the process, as the watches (signals.cpp) and Ctrl-C (interrupt.cpp) share
// them: a watch of a signal goes before its base action, and its end brings that back.
#pragma once

#include <signal.h>

#include <atomic>

#include "plait/detail/raw.h"

namespace plait::detail::actions {

// For every change of an action, and for the two functions below it.
inline constinit raw::Lock lock;
struct sigaction base(int signal) noexcept;
void setBase(int signal, const struct sigaction& action) noexcept;

// What a handler may see is taken out of its table, then waitForHandlers() is called, and only then
// it dies.
inline constinit std::atomic<int> handlersRunning{0};

class HandlerScope final {
 public:
  HandlerScope() noexcept { handlersRunning.fetch_add(1, std::memory_order_seq_cst); }
  HandlerScope(const HandlerScope&) = delete;
  HandlerScope& operator=(const HandlerScope&) = delete;
  ~HandlerScope() { handlersRunning.fetch_sub(1, std::memory_order_release); }
};

inline void waitForHandlers() noexcept {
  while (handlersRunning.load(std::memory_order_seq_cst) != 0) raw::yieldThread();
}

}  // namespace plait::detail::actions
