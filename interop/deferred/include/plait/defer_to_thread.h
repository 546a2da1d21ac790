// From the loop to threads and back, as Deferreds.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/deferred.h"
#include "plait/detail/thread_wait.h"
#include "plait/loop_handle.h"
#include "plait/maybe_deferred.h"
#include "plait/thread_pool.h"

namespace plait {
namespace detail {

// A call on its way to a thread and back. Whoever moves it out of `queued` has it.
template <class F>
struct ThreadCall {
  using T = std::invoke_result_t<F&>;
  enum class State : unsigned char { queued, begun, withdrawn };

  explicit ThreadCall(F&& f) : function(std::move(f)) {}

  bool begin(State to) {
    State expected = State::queued;
    return state.compare_exchange_strong(expected, to, std::memory_order_acq_rel);
  }
  void work() {
    try {
      if constexpr (std::is_void_v<T>) {
        (*function)();
        result.emplace();
      } else {
        result.emplace((*function)());
      }
    } catch (...) {
      result.emplace(Failure());
    }
    function.reset();
  }

  std::atomic<State> state{State::queued};
  std::optional<F> function;
  std::optional<Result<T>> result;
};

}  // namespace detail

// Calls f on a thread of the pool; fires on this loop with what it returns or throws. cancel(): an
// f that has not begun is never called; one that has goes on, and its result is the Deferred's: so
// f may refer to what the waiting fiber lends it. A full or stopped pool is a failed Deferred.
// Never switches. Throws: std::logic_error off a loop.
template <class F>
Deferred<std::invoke_result_t<std::decay_t<F>&>> deferToThreadPool(
    ThreadPool& pool, F&& f, std::source_location at = std::source_location::current()) {
  using Call = detail::ThreadCall<std::decay_t<F>>;
  using T = typename Call::T;
  auto call = std::make_shared<Call>(std::decay_t<F>(std::forward<F>(f)));
  Deferred<T> done(
      [call](const Deferred<T>&) {
        if (!call->begin(Call::State::withdrawn)) return CancelAnswer::later;
        call->function.reset();
        return CancelAnswer::now;
      },
      at);
  try {
    pool.callInThread(
        [call, done, home = LoopHandle(), at] {
          if (!call->begin(Call::State::begun)) return;
          call->work();
          try {
            home.callFromThread([call, done, at] { fire(done, std::move(*call->result), at); }, at);
          } catch (const ReactorStopped&) {
            // Nobody is there any more who waits for it.
          }
        },
        at);
  } catch (const Error&) {
    done.errback(at);
  }
  return done;
}

// On the default pool.
template <class F>
auto deferToThread(F&& f, std::source_location at = std::source_location::current()) {
  return deferToThreadPool(defaultPool(), std::forward<F>(f), at);
}

// Calls the functions one after the other on one thread of the default pool. The first that throws
// is reported and ends it. Never switches. Any thread. Throws: as callInThread().
void callMultipleInThread(std::vector<detail::UniqueFunction<void()>> functions,
                          std::source_location at = std::source_location::current());

// From another thread: calls f on the loop as a callback, and blocks this thread until what it
// returns, a Deferred included, has come to its end; returns or throws that.
// Throws: ReactorStopped if the loop ends first; std::logic_error on a loop's thread, which would
// wait for itself.
template <class F>
auto blockingCallFromThread(const LoopHandle& loop, F&& f,
                            std::source_location at = std::source_location::current()) {
  using U = detail::UnwrappedOf<std::invoke_result_t<std::decay_t<F>&>>;
  detail::requireNoLoop("blockingCallFromThread()");
  const auto wait = std::make_shared<detail::ThreadWait<Result<U>>>();
  loop.callFromThread(
      [f = std::decay_t<F>(std::forward<F>(f)), answer = detail::ThreadAnswer(wait)]() mutable {
        answer.begin();
        maybeDeferred(f).addBoth([answer = std::move(answer)](Result<U> result) mutable {
          answer.give(std::move(result));
        });
      },
      at);
  return wait->get("blockingCallFromThread: the loop ended before the call did").value();
}

}  // namespace plait
