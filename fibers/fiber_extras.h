// What only few fibers need, kept out of the control block: a name, locals, owned strikes, a timer.
#pragma once

#include <exception>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "plait/detail/fiber.h"
#include "plait/detail/timer_wheel.h"

namespace plait::detail {

// kill(E): strikes once with an exception, owned by the fiber until it strikes.
struct ExceptionStrike final : Strike {
  explicit ExceptionStrike(std::exception_ptr e) : Strike(&raise), error(std::move(e)) {}
  static void raise(Strike& strike) {
    // Nobody refers to it any more; its fiber's extras free it when the fiber ends.
    std::rethrow_exception(std::exchange(static_cast<ExceptionStrike&>(strike).error, nullptr));
  }
  std::exception_ptr error;
};

// The start of a fiber that was spawned for later.
struct StartTimer final : Timer {
  explicit StartTimer(Fiber& f) : Timer(&start), fiber(f) {}
  static void start(Timer& timer);
  Fiber& fiber;
};

struct LocalSlot {
  const void* key;
  void* value;
  void (*destroy)(void*) noexcept;
};

class LinkNode;

struct FiberExtras {
  std::string name;
  std::vector<LocalSlot> locals;
  std::vector<std::unique_ptr<ExceptionStrike>> strikes;
  std::unique_ptr<StartTimer> startTimer;
  std::stop_source stop{std::nostopstate};  // told of a kill, once somebody has asked for it
  std::vector<LinkNode*> links;             // not called yet; each deletes itself
};

}  // namespace plait::detail
