// Unix signals as a stream of events for fibers; plait/signal.h has the form with a callback.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>

namespace plait::os {

namespace detail {
class SignalStreamState;
}

// As long as it lives, the signals come here instead of their default action. Of one signal that
// arrives several times before next() takes it, one is kept, as the kernel does. The last object of
// a signal restores what stood before.
class SignalStream final {
 public:
  // Never switches. Throws: std::logic_error off a loop; IoError for a signal that cannot be taken.
  SignalStream(std::initializer_list<int> signals);
  SignalStream(const SignalStream&) = delete;
  SignalStream& operator=(const SignalStream&) = delete;
  ~SignalStream();  // nobody may be parked in it

  // The number of the next one, in the order of arrival. Several fibers may wait; each signal goes
  // to one. A run in which all wait for signals is no deadlock. May switch.
  int next();
  std::optional<int> tryNext();  // Never switches.

 private:
  std::unique_ptr<detail::SignalStreamState> state_;
};

}  // namespace plait::os
