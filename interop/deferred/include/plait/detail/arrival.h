// What waits for several Deferreds at once: a state that is told of each result, and that can
// cancel those which are still to come.
#pragma once

#include <cstddef>
#include <memory>
#include <source_location>
#include <utility>
#include <vector>

#include "plait/deferred.h"

namespace plait::detail {

// Weak pointers to the chains that are waited for, kept true by their Arrivals.
class Members {
 public:
  explicit Members(std::size_t count) : chains_(count) {}

  void cancelAll() {
    // A canceller may end others: each is looked at when its turn comes.
    for (std::size_t i = 0; i < chains_.size(); ++i) {
      if (chains_[i] != nullptr) chains_[i]->cancel();
    }
  }

 protected:
  ~Members() = default;

 private:
  template <class State, class T>
  friend class Arrival;
  std::vector<Chain*> chains_;
};

// Throws: AlreadyChainedError if the result was taken. For all members before the first is
// expected, so that a refusal takes nothing.
template <class T>
void requireUntaken(const Deferred<T>& member) {
  DeferredAccess::home(member).requireGeneration(DeferredAccess::generation(member));
}

// The callback in a member's chain. Calls state->arrived(index, Result<T>), which says whether the
// failure shall be left in the member, unhandled.
template <class State, class T>
class Arrival final {
 public:
  static void expect(const std::shared_ptr<State>& state, std::size_t index,
                     const Deferred<T>& member, const std::source_location& at) {
    // One whose result is there already arrives now: the pointer must be set before.
    Chain& chain = DeferredAccess::home(member);
    chain.requireGeneration(DeferredAccess::generation(member));
    member.addBoth(Arrival(state, index, chain), at);
    // The result is the state's, also where the type has stayed.
    if constexpr (std::is_void_v<T>) chain.spend(at);
  }

  Arrival(Arrival&&) noexcept = default;
  ~Arrival() {
    if (state_) state_->chains_[index_] = nullptr;
  }

  Result<void> operator()(Result<T> result) {
    state_->chains_[index_] = nullptr;
    return state_->arrived(index_, std::move(result));
  }

 private:
  Arrival(std::shared_ptr<State> state, std::size_t index, Chain& chain)
      : state_(std::move(state)), index_(index) {
    state_->chains_[index_] = &chain;
  }

  std::shared_ptr<State> state_;  // shared by the members' chains
  std::size_t index_;
};

}  // namespace plait::detail
