// What a fiber needs to be switched to: its stack, and the state that the C++ runtime and libc keep
// per thread but that belongs to the code that runs (exceptions being handled, errno).
#pragma once

#include <new>

#include "context.h"
#include "plait/detail/fiber.h"

namespace plait::detail {

// The layout of __cxa_eh_globals, fixed by the Itanium C++ ABI.
struct ExceptionState {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

struct FiberMachine {
  Context context;
  Stack stack;
  ExceptionState exceptions;
  int errorNumber = 0;

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
