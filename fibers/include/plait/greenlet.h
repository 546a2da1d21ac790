// Greenlets: fibers with a handle. A handle may be copied; dropping it lets the fiber run on, and
// an error that nobody took is reported once when the last handle is gone. Handles belong to the
// thread of their loop; they may outlive the run.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/detail/assert.h"
#include "plait/detail/fiber.h"
#include "plait/detail/unique_function.h"
#include "plait/error.h"
#include "plait/greenlet_exit.h"
#include "plait/spawn_options.h"
#include "plait/time.h"

namespace plait {

class AnyGreenlet;
using LinkId = std::uint64_t;

// A greenlet of whatever result.
class AnyGreenlet {
 public:
  using Link = detail::UniqueFunction<void(AnyGreenlet)>;

  AnyGreenlet() noexcept = default;  // refers to none; only comparison and bool are allowed
  explicit AnyGreenlet(detail::FiberPointer<> fiber) noexcept : fiber_(std::move(fiber)) {}

  // Waits until it has ended, however it ended. The error stays untaken.
  // May switch. Throws: std::logic_error if it is the caller itself.
  void join() const { fiber_->join(); }
  // The same for at most `timeout`; false if it still runs then. May switch.
  bool join(Duration timeout) const { return fiber_->join(timeout); }

  // Throws GreenletExit inside the fiber at its blocking call, or its next one, and again whenever
  // it swallows that; waits until it has ended. One that has not begun never runs. Killing oneself
  // throws at once. May switch. Throws: nothing of the killed one's.
  void kill() const;
  // The same, waiting at most `timeout`; false if it has not ended by then. May switch.
  bool kill(Duration timeout) const;
  // Throws `error` inside the fiber instead, once, and waits until the fiber has ended. May switch.
  void kill(std::exception_ptr error) const;
  // kill() without waiting. Never switches.
  void requestKill() const noexcept { fiber_->requestKill(); }
  void requestKill(std::exception_ptr error) const { fiber_->strikeWith(std::move(error)); }

  // Calls `f` with this greenlet as a callback of its own once it has ended, also if it has by now;
  // in the order of linking, joiners included. f may block; what it throws is reported. Never
  // switches.
  LinkId link(Link f, std::source_location at = std::source_location::current()) const {
    return fiber_->addLink(std::move(f), detail::LinkWhen::always, at);
  }
  // Only if it ended with a value, or only if it failed or was killed.
  LinkId linkValue(Link f, std::source_location at = std::source_location::current()) const {
    return fiber_->addLink(std::move(f), detail::LinkWhen::value, at);
  }
  LinkId linkException(Link f, std::source_location at = std::source_location::current()) const {
    return fiber_->addLink(std::move(f), detail::LinkWhen::exception, at);
  }
  // Forgets a link that has not been called yet; an unknown one is no error. Never switches.
  void unlink(LinkId id) const noexcept { fiber_->removeLink(id); }

  bool isReady() const noexcept { return fiber_->isFinished(); }
  bool isSuccessful() const noexcept { return isReady() && !fiber_->error(); }
  bool isKilled() const noexcept { return fiber_->isKilled(); }
  // Why it failed, null if it did not (yet); a kill shows as GreenletKilled. Counts as taking the
  // error.
  std::exception_ptr exception() const noexcept {
    fiber_->markObserved();
    return fiber_->error();
  }

  std::uint64_t id() const noexcept { return fiber_->id(); }
  std::string name() const { return fiber_->name(); }
  void setName(std::string name) const { fiber_->setName(std::move(name)); }
  const std::source_location& spawnedAt() const noexcept { return fiber_->spawnedAt(); }

  explicit operator bool() const noexcept { return static_cast<bool>(fiber_); }
  bool operator==(const AnyGreenlet& other) const noexcept {
    return fiber_.get() == other.fiber_.get();
  }

  detail::Fiber& fiber() const noexcept { return *fiber_; }

 private:
  detail::FiberPointer<> fiber_;
};

template <class T>
class Greenlet final : public AnyGreenlet {
 public:
  Greenlet() noexcept = default;
  explicit Greenlet(detail::FiberPointer<detail::FiberOf<T>> fiber) noexcept
      : AnyGreenlet(detail::FiberPointer<>(*fiber)) {}

  // Waits for the result; the reference is good while a handle lives. Through a temporary handle
  // the result is moved out. Waiting again gives the same value, or throws the same exception,
  // again. May switch. Throws: what the fiber threw; GreenletKilled; std::logic_error on the caller
  // itself.
  decltype(auto) get() const& {
    join();
    return take();
  }
  decltype(auto) get() && {
    join();
    return std::move(*this).moveOut();
  }
  // As get(), for at most `timeout`. Throws also: TimeoutError, then nothing was taken.
  decltype(auto) get(Duration timeout) const& {
    joinOrThrow(timeout);
    return take();
  }
  decltype(auto) get(Duration timeout) && {
    joinOrThrow(timeout);
    return std::move(*this).moveOut();
  }
  // Moves out the result of one that has ended. Never switches. Throws: as get().
  T result() && { return std::move(*this).moveOut(); }

 private:
  void joinOrThrow(Duration timeout) const {
    if (!join(timeout)) throw TimeoutError(fiber().describe() + " has not ended in time");
  }
  detail::FiberOf<T>& ended() const {
    PLAIT_ASSERT(isReady());
    if (fiber().error()) {
      fiber().markObserved();
      std::rethrow_exception(fiber().error());
    }
    return static_cast<detail::FiberOf<T>&>(fiber());
  }
  decltype(auto) take() const {
    if constexpr (std::is_void_v<T>) {
      ended();
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**ended().value);
    } else {
      return static_cast<T&>(*ended().value);
    }
  }
  T moveOut() && {
    if constexpr (std::is_void_v<T>) {
      ended();
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**ended().value);
    } else {
      return std::move(*ended().value);
    }
  }
};

namespace detail {

template <class F>
auto makeGreenlet(F&& f, const SpawnOptions& options, const std::source_location& at) {
  using Function = std::decay_t<F>;
  using T = std::invoke_result_t<Function&>;
  return FiberPointer<FiberOf<T>>(new FiberRunning<T, Function>(std::forward<F>(f), options, at),
                                  typename FiberPointer<FiberOf<T>>::Adopt());
}

}  // namespace detail

// Starts f on a fiber of its own: it begins when the caller next switches, after those spawned
// before. Arguments are captured by f, which may be move-only and is destroyed when the fiber ends.
// Never switches. Throws: std::logic_error off a loop.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto spawn(F&& f, std::source_location at = std::source_location::current()) {
  auto fiber = detail::makeGreenlet(std::forward<F>(f), {}, at);
  fiber->start();
  return Greenlet<std::invoke_result_t<std::decay_t<F>&>>(std::move(fiber));
}

template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto spawn(const SpawnOptions& options, F&& f,
           std::source_location at = std::source_location::current()) {
  auto fiber = detail::makeGreenlet(std::forward<F>(f), options, at);
  fiber->start();
  return Greenlet<std::invoke_result_t<std::decay_t<F>&>>(std::move(fiber));
}

// The same, `wait` from now; a kill before that cancels it. Never switches.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&>
auto spawnLater(Duration wait, F&& f, std::source_location at = std::source_location::current()) {
  auto fiber = detail::makeGreenlet(std::forward<F>(f), {}, at);
  fiber->startLater(wait);
  return Greenlet<std::invoke_result_t<std::decay_t<F>&>>(std::move(fiber));
}

// The running greenlet; a callback has an identity of its own. Throws: std::logic_error off a loop.
AnyGreenlet current();

// Lets everything else that is ready run first. May switch.
void yield();

// Parks for `wait`; zero and less is yield(). May switch.
void sleep(Duration wait);

// Ends when all have ended, or `count` of them, or the time is over; returns the ended ones in the
// order in which they ended. May switch.
std::vector<AnyGreenlet> joinAll(const std::vector<AnyGreenlet>& greenlets,
                                 Duration timeout = kForever, std::size_t count = ~std::size_t{0});
// As joinAll, but throws the first error as soon as one fails; the others run on. May switch.
void joinAllOrThrow(const std::vector<AnyGreenlet>& greenlets, Duration timeout = kForever);
// Kills all at once, then waits for all. May switch. Throws: TimeoutError.
void killAll(const std::vector<AnyGreenlet>& greenlets, Duration timeout = kForever);

namespace detail {
class EndCollector;
}

// What iwait() gives: greenlets in the order in which they end. Going on to the next may switch.
class EndedGreenlets final {
 public:
  EndedGreenlets(const std::vector<AnyGreenlet>& greenlets, Duration timeout);
  EndedGreenlets(EndedGreenlets&&) noexcept;
  ~EndedGreenlets();

  class Iterator final {
   public:
    explicit Iterator(EndedGreenlets* range) : range_(range) { ++*this; }
    const AnyGreenlet& operator*() const;
    Iterator& operator++();
    bool operator!=(std::nullptr_t) const noexcept { return range_ != nullptr; }

   private:
    EndedGreenlets* range_;
  };
  Iterator begin() { return Iterator(this); }
  std::nullptr_t end() const noexcept { return nullptr; }

 private:
  std::unique_ptr<detail::EndCollector> collector_;
  std::size_t left_;
  TimePoint deadline_;
};

// For `for (const AnyGreenlet& each : iwait(greenlets))`: those that have ended already come first;
// ends when all have ended or the time is over. May switch.
EndedGreenlets iwait(const std::vector<AnyGreenlet>& greenlets, Duration timeout = kForever);
template <class T>
EndedGreenlets iwait(const std::vector<Greenlet<T>>& greenlets, Duration timeout = kForever) {
  return iwait(std::vector<AnyGreenlet>(greenlets.begin(), greenlets.end()), timeout);
}

template <class T>
std::vector<AnyGreenlet> joinAll(const std::vector<Greenlet<T>>& greenlets,
                                 Duration timeout = kForever, std::size_t count = ~std::size_t{0}) {
  return joinAll(std::vector<AnyGreenlet>(greenlets.begin(), greenlets.end()), timeout, count);
}
template <class T>
void joinAllOrThrow(const std::vector<Greenlet<T>>& greenlets, Duration timeout = kForever) {
  joinAllOrThrow(std::vector<AnyGreenlet>(greenlets.begin(), greenlets.end()), timeout);
}
template <class T>
void killAll(const std::vector<Greenlet<T>>& greenlets, Duration timeout = kForever) {
  killAll(std::vector<AnyGreenlet>(greenlets.begin(), greenlets.end()), timeout);
}

}  // namespace plait
