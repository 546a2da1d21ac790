// What travels through a fiber that is being cancelled. It is not a std::exception, so that
// `catch (const std::exception&)` in user code does not swallow it. A kill (GreenletExit) and an
// expired Timeout (TimeoutExpired) derive from it; both are declared in fibers/.
#pragma once

#include <exception>

namespace plait {

class Cancellation {
 public:
  virtual ~Cancellation() = default;
  virtual const char* reason() const noexcept = 0;
  // What it becomes when it leaves a callback and is nobody's: null for an end as asked for.
  virtual std::exception_ptr asError() const { return nullptr; }

 protected:
  Cancellation() = default;
  Cancellation(const Cancellation&) = default;
  Cancellation& operator=(const Cancellation&) = default;
};

}  // namespace plait
