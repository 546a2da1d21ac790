// What tests of kills share.
#pragma once

#include <exception>

#include "plait/event.h"
#include "plait/greenlet.h"

namespace plait::test {

// For kill(E).
template <class E>
std::exception_ptr error(const E& e) {
  return std::make_exception_ptr(e);
}

// Parks until it is killed, by whatever.
inline AnyGreenlet parked() {
  const AnyGreenlet greenlet = spawn([] { Event().wait(); });
  yield();
  return greenlet;
}

}  // namespace plait::test
