// Deferreds in the order in which they were asked for, each to be fired with what comes free. One
// that is cancelled leaves, and nothing is handed to it.
//
// Who fires: whoever has made something available, on its stack, until either side is used up. What
// callbacks make available meanwhile is handed out by the same loop and not within theirs, so the
// stack does not grow with the number of waiters.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "plait/cancellation.h"
#include "plait/deferred.h"
#include "plait/detail/loop.h"
#include "plait/detail/stack_marks.h"
#include "plait/shared_deferred.h"

namespace plait::detail {

// `Source` derives from this and is held by shared_ptr; `std::optional<T> take()` gives what there
// is for the next waiter.
template <class Source, class T>
class Waiters : public std::enable_shared_from_this<Source> {
 public:
  std::size_t waiting() const noexcept { return waiting_.size(); }

  Deferred<T> wait(const std::source_location& at) {
    const auto place = waiting_.emplace(waiting_.end());
    Deferred<T> next(
        [weak = this->weak_from_this(), place](const Deferred<T>&) {
          // Fired ones are cancelled no more, so the place is still in the list.
          if (const auto self = weak.lock()) self->waiting_.erase(place);
        },
        at);
    place->emplace(next);
    serve();
    return next;
  }

  void serve() {
    const auto self = this->shared_from_this();
    if (marks_.isHere()) {
      // The loop below goes on with it, unless the callback that it runs parks: then a turn of its
      // own does.
      if (Loop::current() != nullptr && !std::exchange(isAsked_, true)) serveLater();
      return;
    }
    const StackMark mark(marks_);
    while (!waiting_.empty()) {
      std::optional<T> next = self->take();
      if (!next) return;
      const Deferred<T> waiter = std::move(*waiting_.front());
      waiting_.pop_front();
      try {
        waiter.callback(std::move(*next));
      } catch (const Cancellation&) {
        // Whoever serves is killed; the others are served all the same.
        if (!waiting_.empty()) afterThis([self] { self->serve(); });
        throw;
      }
    }
  }

  void serveLater() {
    afterThis([self = this->shared_from_this()] {
      self->isAsked_ = false;
      self->serve();
    });
  }

 protected:
  ~Waiters() = default;

 private:
  std::list<std::optional<Deferred<T>>> waiting_;
  bool isAsked_ = false;  // serveLater() is on its way
  StackMarks marks_;
};

}  // namespace plait::detail
