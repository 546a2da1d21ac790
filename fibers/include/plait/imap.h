// Lazy maps over a Pool: results come as they are asked for, and the work runs ahead of them by a
// bounded number of items. For inputs that do not fit into memory, or never end.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "plait/cancel_shield.h"
#include "plait/greenlet.h"
#include "plait/group.h"
#include "plait/queue.h"
#include "plait/semaphore.h"

namespace plait {

enum class MapOrder : bool { ofItems, ofCompletion };

inline constexpr std::size_t kMapAhead = 64;  // items begun whose result was not taken yet

namespace detail {

// What the feeder, the tasks and the reader of a lazy map share. Who closes `results`: in the order
// of items the feeder when it ends; in the order of completion the last task that ends after it.
template <class T>
struct LazyMapState {
  LazyMapState(MapOrder o, std::size_t ahead) : order(o), slots(ahead) {}

  // A task that has begun; owns itself until the task has ended.
  struct Running final : DoneNode {
    Running(LazyMapState& s, Greenlet<T> g) : DoneNode(&ended), state(s), greenlet(std::move(g)) {}
    static void ended(DoneNode& node, Fiber&) noexcept {
      const std::unique_ptr<Running> self(static_cast<Running*>(&node));
      LazyMapState& state = self->state;
      if (state.order == MapOrder::ofCompletion && !state.results.isClosed()) {
        state.results.tryPut(std::move(self->greenlet));
      }
      --state.running;
      state.closeIfOver();
    }
    LazyMapState& state;
    Greenlet<T> greenlet;
  };

  void begun(const Greenlet<T>& greenlet) {
    tasks.add(greenlet);
    auto node = std::make_unique<Running>(*this, greenlet);
    ++running;
    greenlet.fiber().addDone(*node.release());
    if (order == MapOrder::ofItems) results.tryPut(greenlet);
  }
  void closeIfOver() noexcept {
    if (feeding || (order == MapOrder::ofCompletion && running > 0)) return;
    results.close();
  }

  const MapOrder order;
  Semaphore slots;
  Queue<Greenlet<T>> results{kUnbounded};  // bounded by the slots
  Group tasks;
  std::size_t running = 0;
  bool feeding = true;
  std::exception_ptr inputError;
};

// An item of a range that was given is moved out of it, one of a range that was lent, itself or by
// a view of it, copied.
template <class Range, class Each>
decltype(auto) give(Each& item) noexcept {
  if constexpr (std::is_lvalue_reference_v<Range> || std::ranges::view<Range> ||
                std::ranges::borrowed_range<Range>) {
    return static_cast<Each&>(item);
  } else {
    return static_cast<Each&&>(item);
  }
}

}  // namespace detail

// The results of imap(). Destroyed early, it kills what runs and waits for that. May switch.
template <class T>
class LazyMap final {
 public:
  // `feed` begins the tasks; they may refer to it.
  template <class Feed>
  LazyMap(MapOrder order, std::size_t ahead, Feed feed)
      : feed_(std::make_shared<Feed>(std::move(feed))),
        state_(std::make_unique<detail::LazyMapState<T>>(order, ahead)) {
    feeder_ = spawn([state = state_.get(), &feed = *static_cast<Feed*>(feed_.get())] {
      try {
        feed(*state);
      } catch (const Cancellation&) {
        state->feeding = false;
        state->results.close();
        throw;
      } catch (...) {
        state->inputError = std::current_exception();
      }
      state->feeding = false;
      state->closeIfOver();
    });
  }
  LazyMap(LazyMap&&) noexcept = default;
  LazyMap& operator=(LazyMap&&) = delete;
  ~LazyMap() {
    if (!state_) return;
    const CancelShield shield;
    feeder_.kill();
    state_->tasks.kill();
  }

  // The next result; nothing at the end. After an error the next one may be asked for. May switch.
  // Throws: what the item's call threw; at the end, what the range itself threw.
  std::optional<T> next() {
    if (!next_) next_ = state_->results.next();
    if (!next_) {
      if (state_->inputError) {
        std::rethrow_exception(std::exchange(state_->inputError, nullptr));
      }
      return std::nullopt;
    }
    next_->join();
    state_->slots.release();
    return std::move(*std::exchange(next_, std::nullopt)).result();
  }

  // For `for (auto& result : imap(…))`.
  class Iterator final {
   public:
    explicit Iterator(LazyMap* map) : map_(map) { ++*this; }
    T& operator*() { return *value_; }
    Iterator& operator++() {
      value_ = map_->next();
      return *this;
    }
    bool operator!=(std::nullptr_t) const noexcept { return value_.has_value(); }

   private:
    LazyMap* map_;
    std::optional<T> value_;
  };
  Iterator begin() { return Iterator(this); }
  std::nullptr_t end() const noexcept { return nullptr; }

 private:
  std::shared_ptr<void> feed_;  // shared with nobody: any type
  std::unique_ptr<detail::LazyMapState<T>> state_;
  Greenlet<void> feeder_;
  std::optional<Greenlet<T>> next_;  // its result is still to be waited for
};

// Calls f with each item on a greenlet of `pool`, as far as its slots go, and never more than
// `ahead` items ahead of the results that were taken. A range given as lvalue, and the pool, must
// outlive the map. Never switches; what it gives does.
template <class Range, class F>
auto imap(Pool& pool, Range&& items, F f, MapOrder order = MapOrder::ofItems,
          std::size_t ahead = kMapAhead) {
  using Item = std::decay_t<decltype(*std::begin(items))>;
  using T = std::invoke_result_t<F&, Item>;
  static_assert(std::is_object_v<T>, "imap() needs a function that returns a value");
  if (ahead == 0) throw std::invalid_argument("imap: nothing can run 0 items ahead");
  // A range given as rvalue moves in; a reference stays one.
  struct Feed {
    void operator()(detail::LazyMapState<T>& state) {
      for (auto&& item : items) {
        state.slots.acquire();
        state.begun(pool.spawn([this, own = Item(detail::give<Range>(item))]() mutable -> T {
          return std::invoke(f, std::move(own));
        }));
      }
    }
    Pool& pool;
    Range items;
    F f;
  };
  return LazyMap<T>(order, ahead, Feed{pool, std::forward<Range>(items), std::move(f)});
}

}  // namespace plait
