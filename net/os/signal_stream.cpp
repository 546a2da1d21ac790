#include "plait/signal_stream.h"

#include <bitset>
#include <set>
#include <vector>

#include "plait/queue.h"
#include "plait/signal.h"

namespace plait::os {
namespace detail {

// The watches are callbacks, which run in the order in which the signals came.
class SignalStreamState final {
 public:
  SignalStreamState(std::initializer_list<int> signals) {
    for (const int each : std::set<int>(signals)) {
      watches_.push_back(onSignal(each, [this, each] { add(each); }));
    }
  }

  int next() { return taken(arrived_.get()); }
  std::optional<int> tryNext() {
    const std::optional<int> number = arrived_.tryGet();
    if (number) taken(*number);
    return number;
  }

 private:
  static constexpr std::size_t kSignals = 65;

  void add(int number) {
    if (isWaiting_[static_cast<std::size_t>(number)]) return;
    isWaiting_.set(static_cast<std::size_t>(number));
    arrived_.tryPut(number);
  }

  int taken(int number) noexcept {
    isWaiting_.reset(static_cast<std::size_t>(number));
    return number;
  }

  std::bitset<kSignals> isWaiting_;  // for somebody to take it
  Queue<int> arrived_{kSignals};     // never full: each signal waits once
  std::vector<SignalHandle> watches_;
};

}  // namespace detail

SignalStream::SignalStream(std::initializer_list<int> signals)
    : state_(std::make_unique<detail::SignalStreamState>(signals)) {}

SignalStream::~SignalStream() = default;

int SignalStream::next() { return state_->next(); }
std::optional<int> SignalStream::tryNext() { return state_->tryNext(); }

}  // namespace plait::os
