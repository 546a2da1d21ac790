// Twisted's DeferredLock and DeferredSemaphore: permits that are waited for by Deferreds, handed
// out in the order of asking. For callbacks and coroutines; fibers have Mutex and Semaphore, and
// may wait for these as for any Deferred. Each belongs to one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "plait/deferred.h"
#include "plait/detail/waiters.h"
#include "plait/maybe_deferred.h"

namespace plait {

class DeferredSemaphore;

namespace detail {

class SemaphoreState final
    : public Waiters<SemaphoreState, std::reference_wrapper<DeferredSemaphore>> {
 public:
  SemaphoreState(DeferredSemaphore& owner, std::size_t permits)
      : tokens(permits), limit(permits), owner_(owner) {}

  std::optional<std::reference_wrapper<DeferredSemaphore>> take() {
    if (tokens == 0) return std::nullopt;
    --tokens;
    return owner_;
  }
  void release();
  // The same, and the next one is served in a turn of its own: for destructors.
  void releaseLater() noexcept;

  std::size_t tokens;
  const std::size_t limit;

 private:
  DeferredSemaphore& owner_;
};

}  // namespace detail

// A permit of a coroutine: released when it goes; the next one has it in a turn of its own.
class [[nodiscard]] DeferredPermit final {
 public:
  explicit DeferredPermit(std::shared_ptr<detail::SemaphoreState> state) noexcept
      : state_(std::move(state)) {}
  DeferredPermit(DeferredPermit&&) noexcept = default;
  DeferredPermit& operator=(DeferredPermit&&) = delete;
  ~DeferredPermit() {
    if (state_) state_->releaseLater();
  }

 private:
  std::shared_ptr<detail::SemaphoreState> state_;
};

class DeferredSemaphore {
 public:
  // Throws: std::invalid_argument for no permit at all.
  explicit DeferredSemaphore(std::size_t tokens);
  DeferredSemaphore(const DeferredSemaphore&) = delete;
  DeferredSemaphore& operator=(const DeferredSemaphore&) = delete;

  // Fires with this when a permit is the caller's, at once if one is free. cancel() before that
  // leaves the line; afterwards it has no effect. May switch where a callback does.
  Deferred<std::reference_wrapper<DeferredSemaphore>> acquire(
      std::source_location at = std::source_location::current()) {
    return state_->wait(at);
  }
  // Gives a permit back: to the longest waiter, whose callbacks run before this returns, unless it
  // is called from such a callback: then they run when that one is done.
  // May switch where a callback does. Throws: std::logic_error for one too many.
  void release() { state_->release(); }

  // Acquires, calls f, and releases when what it returns has fired, whether with a value or with an
  // error. cancel(): while it waits, f is never called; afterwards f's Deferred is cancelled.
  template <class F>
  auto run(F f, std::source_location at = std::source_location::current()) {
    using U = detail::UnwrappedOf<std::invoke_result_t<F&>>;
    return acquire(at).addCallback(
        [f = std::move(f), state = state_, at](auto&&) mutable {
          return maybeDeferred(f).addBoth(
              [state](Result<U> result) {
                state->release();
                return result;
              },
              at);
        },
        at);
  }

  // For coroutines: `DeferredPermit permit = co_await semaphore.hold();`
  Deferred<DeferredPermit> hold(std::source_location at = std::source_location::current()) {
    return acquire(at).addCallback([state = state_](auto&&) { return DeferredPermit(state); }, at);
  }

  std::size_t tokens() const noexcept { return state_->tokens; }  // free now
  std::size_t limit() const noexcept { return state_->limit; }
  std::size_t waiting() const noexcept { return state_->waiting(); }

 private:
  std::shared_ptr<detail::SemaphoreState> state_;  // shared with the cancellers of who waits
};

// Mutual exclusion: a semaphore of one.
class DeferredLock final : public DeferredSemaphore {
 public:
  DeferredLock() : DeferredSemaphore(1) {}
  bool isLocked() const noexcept { return tokens() == 0; }
};

}  // namespace plait
