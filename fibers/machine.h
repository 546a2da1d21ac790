// What a fiber needs to be switched to: its stack, and the state that the C++ runtime and libc keep
// per thread but that belongs to the code that runs (exceptions being handled, errno).
#pragma once

#include <new>

#include "context.h"
#include "plait/detail/fiber.h"

namespace plait::detail {

// The layout of __cxa_eh_globals, fixed by the Itanium C++ ABI; errno stands in its padding.
struct ExceptionState {
  void* caught = nullptr;
  unsigned uncaught = 0;
  int errorNumber = 0;  // ours
};

struct FiberMachine {
  Context context;
  ExceptionState exceptions;
  Stack stack;

  // No fiber has a context without a stack.
  bool isPrepared() const noexcept { return context.suspended != nullptr; }

  static FiberMachine& of(Fiber& fiber) noexcept {
    return *std::launder(reinterpret_cast<FiberMachine*>(fiber.machine_));
  }
  static const FiberMachine& of(const Fiber& fiber) noexcept {
    return *std::launder(reinterpret_cast<const FiberMachine*>(fiber.machine_));
  }
  static void construct(Fiber& fiber) noexcept {
    static_assert(sizeof(FiberMachine) <= Fiber::kMachineBytes);
    ::new (static_cast<void*>(fiber.machine_)) FiberMachine();
  }
};

}  // namespace plait::detail
