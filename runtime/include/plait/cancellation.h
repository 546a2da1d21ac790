// What travels through a fiber that is being cancelled. It is not a std::exception, so that
// `catch (const std::exception&)` in user code does not swallow it. A kill (GreenletExit) and an
// expired Timeout (TimeoutExpired) derive from it; both are declared in fibers/.
#pragma once

namespace plait {

class Cancellation {
 public:
  virtual ~Cancellation() = default;
  virtual const char* reason() const noexcept = 0;

 protected:
  Cancellation() = default;
  Cancellation(const Cancellation&) = default;
  Cancellation& operator=(const Cancellation&) = default;
};

}  // namespace plait
