// Several Deferreds as one. The results are taken from the members: whoever wants them elsewhere
// too shares them first. Cancelling what these functions return cancels all members.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/arrival.h"

namespace plait {

// The failure of one of several. Equal if index and exception are.
class FirstError final : public Error {
 public:
  FirstError(Failure failure, std::size_t index);
  const Failure& subFailure() const noexcept { return failure_; }
  std::size_t index() const noexcept { return index_; }
  bool operator==(const FirstError& other) const noexcept {
    return index_ == other.index_ && failure_.exception() == other.failure_.exception();
  }

 private:
  Failure failure_;
  std::size_t index_;
};

// All have failed.
class FailureGroup final : public Error {
 public:
  explicit FailureGroup(std::vector<Failure> failures);
  const std::vector<Failure>& failures() const noexcept { return failures_; }

 private:
  std::vector<Failure> failures_;
};

struct ListOptions {
  bool fireOnOneErrback = false;  // the first failure ends it, as FirstError
  bool consumeErrors = false;     // failures that come after the end are not reported
};

// The member that was first, and its value (std::monostate for void).
template <class T>
struct FirstResult {
  std::size_t index;
  typename Result<T>::Stored value;
};

namespace detail {

// A Deferred whose cancel() goes to all members of a state that is made after it. The pointer is
// weak, or the Deferred would keep its own producer alive.
template <class Out, class State>
struct Cancellable {
  explicit Cancellable(const std::source_location& at)
      : deferred(
            [state = state](const Deferred<Out>&) {
              const std::shared_ptr<State> alive = state->lock();
              return alive ? alive->cancel() : CancelAnswer::now;
            },
            at) {}

  std::shared_ptr<std::weak_ptr<State>> state = std::make_shared<std::weak_ptr<State>>();
  Deferred<Out> deferred;
};

template <class T>
class AllState final : public Members {
 public:
  using Out = std::vector<Result<T>>;
  AllState(std::size_t count, Deferred<Out> out, const ListOptions& options)
      : Members(count), out_(std::move(out)), results_(count), missing_(count), options_(options) {}

  Result<void> arrived(std::size_t index, Result<T> result) {
    const bool isOver = out_.isCalled();
    --missing_;
    if (isOver) {
      if (result.isValue() || options_.consumeErrors) return {};
      return result.failure();
    }
    if (!result.isValue() && options_.fireOnOneErrback) {
      out_.errback(FirstError(result.failure(), index));
      return {};
    }
    results_[index].emplace(std::move(result));
    if (missing_ == 0) finish();
    return {};
  }
  void finish() {
    Out all;
    all.reserve(results_.size());
    for (auto& each : results_) all.push_back(std::move(*each));
    out_.callback(std::move(all));
  }
  void allExpected() const noexcept {}
  CancelAnswer cancel() {
    cancelAll();
    return CancelAnswer::later;
  }

 private:
  Deferred<Out> out_;
  std::vector<std::optional<Result<T>>> results_;
  std::size_t missing_;
  ListOptions options_;
};

// The first value wins; in a race the others are cancelled.
template <class T, class Out>
class FirstState final : public Members {
 public:
  FirstState(std::size_t count, Deferred<Out> out, bool isRace)
      : Members(count), out_(std::move(out)), failures_(count), missing_(count), isRace_(isRace) {}

  Result<void> arrived(std::size_t index, Result<T> result) {
    --missing_;
    if (decided_ || out_.isCalled()) {
      // Of a race that was cancelled: it is over when all have ended.
      if (cancelled_ && missing_ == 0 && !out_.isCalled()) failCancelled();
      return {};
    }
    if (result.isValue()) {
      decided_ = true;
      FirstResult<T> first = take(index, std::move(result));
      if (isRace_) cancelAll();
      out_.callback(std::move(first));
      return {};
    }
    failures_[index].emplace(result.failure());
    if (missing_ == 0) failAll();
    return {};
  }
  // All members are known: those behind a winner that had fired before, too.
  void allExpected() {
    if (decided_ && isRace_) cancelAll();
  }
  CancelAnswer cancel() {
    if (decided_ && !cancelled_) return CancelAnswer::later;  // the value is on its way
    if (isRace_) decided_ = cancelled_ = true;
    cancelAll();
    if (isRace_ && missing_ == 0 && !out_.isCalled()) return CancelAnswer::now;
    return CancelAnswer::later;
  }

 private:
  static FirstResult<T> take(std::size_t index, Result<T> result) {
    if constexpr (std::is_void_v<T>) {
      return {index, std::monostate()};
    } else {
      return {index, std::move(result).value()};
    }
  }
  void failCancelled() { out_.errback(CancelledError("the race was cancelled")); }
  void failAll() {
    std::vector<Failure> failures;
    failures.reserve(failures_.size());
    for (auto& each : failures_) failures.push_back(std::move(*each));
    if constexpr (std::is_same_v<Out, FirstResult<T>>) {
      out_.errback(FailureGroup(std::move(failures)));
    } else {
      std::vector<Result<T>> all;
      for (Failure& each : failures) all.emplace_back(std::move(each));
      out_.callback(std::move(all));
    }
  }

  Deferred<Out> out_;
  std::vector<std::optional<Failure>> failures_;
  std::size_t missing_;
  bool isRace_;
  bool decided_ = false;
  bool cancelled_ = false;
};

template <class State, class T, class Out, class... Args>
Deferred<Out> waitForMembers(const std::vector<Deferred<T>>& members,
                             const std::source_location& at, bool isReadyIfEmpty, Args&&... args) {
  for (const Deferred<T>& each : members) requireUntaken(each);
  Cancellable<Out, State> out(at);
  const auto state =
      std::make_shared<State>(members.size(), out.deferred, std::forward<Args>(args)...);
  *out.state = state;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Arrival<State, T>::expect(state, i, members[i], at);
  }
  state->allExpected();
  if (members.empty() && isReadyIfEmpty) out.deferred.callback(Out(), at);
  return out.deferred;
}

}  // namespace detail

// Twisted's DeferredList: every result in the order of the list, when the last is there; at once
// for an empty list. Throws: AlreadyChainedError for a member that was taken.
template <class T>
Deferred<std::vector<Result<T>>> deferredList(
    const std::vector<Deferred<T>>& members, ListOptions options = {},
    std::source_location at = std::source_location::current()) {
  return detail::waitForMembers<detail::AllState<T>, T, std::vector<Result<T>>>(members, at, true,
                                                                                options);
}

// DeferredList with fireOnOneCallback: the first value and its index; if all fail, the results of
// all. The others run on. An empty list never fires.
template <class T>
Deferred<std::variant<FirstResult<T>, std::vector<Result<T>>>> deferredListFirst(
    const std::vector<Deferred<T>>& members,
    std::source_location at = std::source_location::current()) {
  using Out = std::variant<FirstResult<T>, std::vector<Result<T>>>;
  return detail::waitForMembers<detail::FirstState<T, Out>, T, Out>(members, at, false, false);
}

// The values in the order of the list; FirstError as soon as one fails, while the others run on.
// Their later failures are reported unless `consumeErrors`. For void: a Deferred<void>.
template <class T>
auto gatherResults(const std::vector<Deferred<T>>& members, bool consumeErrors = false,
                   std::source_location at = std::source_location::current()) {
  return deferredList(members, {true, consumeErrors}, at)
      .addCallback(
          [](std::vector<Result<T>> results) {
            if constexpr (!std::is_void_v<T>) {
              std::vector<T> values;
              values.reserve(results.size());
              for (Result<T>& each : results) values.push_back(std::move(each).value());
              return values;
            }
          },
          at);
}

// The first value wins; the others are cancelled before the callbacks see it, and what they still
// come to is dropped. FailureGroup if all fail. Cancelled: CancelledError once all have ended. An
// empty race never fires.
template <class T>
Deferred<FirstResult<T>> race(const std::vector<Deferred<T>>& members,
                              std::source_location at = std::source_location::current()) {
  using Out = FirstResult<T>;
  return detail::waitForMembers<detail::FirstState<T, Out>, T, Out>(members, at, false, true);
}

}  // namespace plait
