// std::future and Deferred, both ways; std::stop_token and kills, both ways.
#pragma once

#include <future>
#include <memory>
#include <source_location>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "plait/defer_to_thread.h"
#include "plait/deferred.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/thread_pool.h"

namespace plait {

// Where threads wait for futures: up to 256 of them, apart from the default pool, so that what
// fills a future there always finds a thread.
ThreadPool& futurePool();

// Fires in a later turn when the future is done, with its value or its exception; a thread of
// futurePool() waits meanwhile. A std::future cannot be cancelled: cancel() of one that no thread
// waits for yet is CancelledError, otherwise the Deferred fires at the future's end.
// Throws: std::future_error for one without a state; std::logic_error off a loop.
template <class T>
Deferred<T> fromFuture(std::future<T> future,
                       std::source_location at = std::source_location::current()) {
  static_assert(!std::is_reference_v<T>, "a Deferred holds values; use a pointer");
  if (!future.valid()) throw std::future_error(std::future_errc::no_state);
  return deferToThreadPool(
      futurePool(), [future = std::move(future)]() mutable { return future.get(); }, at);
}
template <class T>
Deferred<T> toDeferred(std::future<T>&& future) {
  return fromFuture(std::move(future));
}

// The Deferred's end as a future, for a thread. The result is taken. Never switches, but for what
// the chain does if it has fired. Throws: AlreadyChainedError.
template <class T>
std::future<T> asFuture(const Deferred<T>& deferred,
                        std::source_location at = std::source_location::current()) {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  deferred.addBoth(
      [promise = std::move(promise)](Result<T> result) mutable {
        if (!result.isValue()) return promise.set_exception(result.failure().exception());
        if constexpr (std::is_void_v<T>) {
          promise.set_value();
        } else {
          promise.set_value(std::move(result).value());
        }
      },
      at);
  // A Deferred<void> is still one after it.
  if constexpr (std::is_void_v<T>) detail::DeferredAccess::home(deferred).spend(at);
  return future;
}

// While it lives, a stop request kills the greenlet, from whatever thread it comes. Belongs to the
// greenlet's loop.
class [[nodiscard]] KillOnStop final {
 public:
  // Throws: std::logic_error off a loop.
  KillOnStop(const std::stop_token& token, const AnyGreenlet& greenlet);

 private:
  struct Request {
    LoopHandle loop;
    std::shared_ptr<AnyGreenlet> greenlet;
    void operator()() const;
  };
  std::shared_ptr<AnyGreenlet> greenlet_;  // emptied here, where the request arrives
  std::stop_callback<Request> callback_;

 public:
  KillOnStop(const KillOnStop&) = delete;
  KillOnStop& operator=(const KillOnStop&) = delete;
  ~KillOnStop();
};

// A token that is asked to stop when the greenlet is killed, at once and whatever it is doing: for
// work that it has given to threads. Callbacks of the token run on the loop's thread, on the stack
// of who kills, and must not block.
std::stop_token stopTokenOf(const AnyGreenlet& greenlet);

}  // namespace plait
