// What the kernel does synchronously or not at all through the ring: run on the thread pool, told
// as an IoError.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

#include "plait/error.h"
#include "plait/offload.h"

namespace plait::os::detail {

// Calls f, which sets errno and returns less than 0 if it fails, until it is not interrupted. The
// result, or negative errno.
template <class F>
std::int64_t callSystem(F&& f) {
  for (;;) {
    const std::int64_t result = f();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

// The same on the pool. A kill of the caller waits until f is over, if it has begun. May switch.
template <class F>
std::int64_t offloadCall(F&& f) {
  return offload([&f] { return callSystem(f); });
}

// The same for a call that was `tried`: "removing /tmp/x". May switch. Throws: IoError.
template <class F>
std::int64_t offloadOrThrow(const std::string& tried, F&& f) {
  const std::int64_t result = offloadCall(f);
  if (result < 0) throw IoError(static_cast<int>(-result), tried);
  return result;
}

}  // namespace plait::os::detail
