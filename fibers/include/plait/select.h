// Waits for several things and commits exactly one: the others are left as they were. Among those
// that are ready at once the choice rotates, so none starves.
//
//   std::size_t which = select(onGet(jobs, [&](Job job) { run(job); }), onSet(stop, [] {}),
//                              onTimeout(2s, [] {}));
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "plait/detail/alarm.h"
#include "plait/detail/signal_node.h"
#include "plait/event.h"
#include "plait/queue.h"
#include "plait/semaphore.h"

namespace plait {
namespace detail {

class SelectCase;

// What the cases of one select share: who is committed, and whom to wake.
class Selection final {
 public:
  explicit Selection(std::span<SelectCase* const> cases) noexcept : cases_(cases) {}

  // Waits until one case is committed; returns its number. Throws what strikes the fiber.
  std::size_t wait();
  // Called by a case that was fired: takes all others out of their queues.
  void commit(const SelectCase& winner) noexcept;

 private:
  void withdrawAll() noexcept;

  std::span<SelectCase* const> cases_;
  Waiter<std::size_t> waiter_{{"select", nullptr, nullptr}};
};

class SelectCase {
 public:
  virtual bool tryNow() = 0;             // commits at once if it can
  virtual void enlist(Selection&) = 0;   // puts itself into its queue
  virtual void withdraw() noexcept = 0;  // leaves it; no effect if it is not in it
  virtual void finish() = 0;             // after the commit, on the selecting fiber

 protected:
  ~SelectCase() = default;
};

template <class Q, class F>
class OnGet final : public SelectCase {
  using T = typename Q::Item;

 public:
  OnGet(Q& queue, F f) : queue_(queue), f_(std::move(f)) {}
  OnGet(OnGet&& other) noexcept : queue_(other.queue_), f_(std::move(other.f_)) {}

  bool tryNow() override {
    if (queue_.hasItem()) {
      node_.item.emplace(queue_.takeItem());
      return true;
    }
    node_.closed = queue_.isClosed();
    return node_.closed;
  }
  void enlist(Selection& selection) override {
    node_.selection = &selection;
    node_.self = this;
    queue_.getters().append(node_);
  }
  void withdraw() noexcept override { node_.unlink(); }
  void finish() override {
    if (node_.closed) throw QueueClosed("select: get from a closed and empty queue");
    std::invoke(f_, std::move(*node_.item));
  }

 private:
  struct Node final : GetNode<T> {
    void deliver(T&& value) override {
      item.emplace(std::move(value));
      selection->commit(*self);
    }
    void refuse() noexcept override {
      closed = true;
      selection->commit(*self);
    }
    Selection* selection = nullptr;
    SelectCase* self = nullptr;
    std::optional<T> item;
    bool closed = false;
  };

  Q& queue_;
  F f_;
  Node node_;
};

template <class Q, class F>
class OnPut final : public SelectCase {
  using T = typename Q::Item;

 public:
  OnPut(Q& queue, T item, F f) : queue_(queue), node_(std::move(item)), f_(std::move(f)) {}
  OnPut(OnPut&& other) noexcept
      : queue_(other.queue_), node_(std::move(other.node_.item)), f_(std::move(other.f_)) {}

  bool tryNow() override {
    node_.closed = queue_.isClosed();
    return node_.closed || queue_.offer(node_.item);
  }
  void enlist(Selection& selection) override {
    node_.selection = &selection;
    node_.self = this;
    queue_.putters().append(node_);
  }
  void withdraw() noexcept override { node_.unlink(); }
  void finish() override {
    if (node_.closed) throw QueueClosed("select: put into a closed queue");
    std::invoke(f_);
  }

 private:
  struct Node final : PutNode<T> {
    explicit Node(T&& i) : item(std::move(i)) {}
    T take() override {
      T taken = std::move(item);
      selection->commit(*self);
      return taken;
    }
    void refuse() noexcept override {
      closed = true;
      selection->commit(*self);
    }
    Selection* selection = nullptr;
    SelectCase* self = nullptr;
    T item;
    bool closed = false;
  };

  Q& queue_;
  Node node_;
  F f_;
};

// An event that is set, or a permit that is handed over.
template <class Source, class F>
class OnSignal final : public SelectCase {
 public:
  OnSignal(Source& source, F f) : source_(source), f_(std::move(f)) {}
  OnSignal(OnSignal&& other) noexcept : source_(other.source_), f_(std::move(other.f_)) {}

  bool tryNow() override {
    if constexpr (std::is_same_v<Source, Event>) {
      return source_.isSet();
    } else {
      return source_.tryAcquire();
    }
  }
  void enlist(Selection& selection) override {
    node_.selection = &selection;
    node_.self = this;
    source_.waiters().append(node_);
  }
  void withdraw() noexcept override { node_.unlink(); }
  void finish() override { std::invoke(f_); }

 private:
  struct Node final : SignalNode {
    Node() : SignalNode(&fired) {}
    static void fired(SignalNode& node) noexcept {
      auto& mine = static_cast<Node&>(node);
      mine.selection->commit(*mine.self);
    }
    Selection* selection = nullptr;
    SelectCase* self = nullptr;
  };

  Source& source_;
  F f_;
  Node node_;
};

template <class F>
class OnTimeout final : public SelectCase {
 public:
  OnTimeout(Duration wait, F f) : wait_(wait), f_(std::move(f)) {}
  OnTimeout(OnTimeout&& other) noexcept : wait_(other.wait_), f_(std::move(other.f_)) {}

  // Even a wait of zero lets what is ready at once go first, and what becomes ready in this turn.
  bool tryNow() override { return false; }
  void enlist(Selection& selection) override { alarm_.emplace(wait_, Ring{&selection, this}); }
  void withdraw() noexcept override { alarm_.reset(); }
  void finish() override { std::invoke(f_); }

 private:
  struct Ring {
    Selection* selection;
    OnTimeout* self;
    void operator()() const { selection->commit(*self); }
  };

  Duration wait_;
  F f_;
  std::optional<Alarm<Ring>> alarm_;
};

std::size_t nextSelectStart() noexcept;

}  // namespace detail

// The case "an item can be taken": f gets it. A closed, empty queue makes select() throw
// QueueClosed.
template <class Q, class F>
detail::OnGet<Q, std::decay_t<F>> onGet(Q& queue, F&& f) {
  return {queue, std::forward<F>(f)};
}
// The case "there is room": `item` is put, then f is called; not chosen, it is dropped.
template <class Q, class F>
detail::OnPut<Q, std::decay_t<F>> onPut(Q& queue, typename Q::Item item, F&& f) {
  return {queue, std::move(item), std::forward<F>(f)};
}
template <class F>
detail::OnSignal<Event, std::decay_t<F>> onSet(Event& event, F&& f) {
  return {event, std::forward<F>(f)};
}
template <class F>
detail::OnSignal<Semaphore, std::decay_t<F>> onAcquire(Semaphore& semaphore, F&& f) {
  return {semaphore, std::forward<F>(f)};
}
// The case "nothing else for so long".
template <class F>
detail::OnTimeout<std::decay_t<F>> onTimeout(Duration wait, F&& f) {
  return {wait, std::forward<F>(f)};
}

// Commits exactly one of the cases, calls its function, and returns its number.
// May switch. Throws: QueueClosed; what the function throws.
template <class... Cases>
std::size_t select(Cases&&... cases) {
  constexpr std::size_t kCount = sizeof...(Cases);
  const std::array<detail::SelectCase*, kCount> all{&cases...};
  detail::checkpoint();
  const std::size_t start = detail::nextSelectStart() % kCount;
  std::size_t chosen = kCount;
  for (std::size_t i = 0; i < kCount && chosen == kCount; ++i) {
    if (all[(start + i) % kCount]->tryNow()) chosen = (start + i) % kCount;
  }
  if (chosen == kCount) chosen = detail::Selection(all).wait();
  all[chosen]->finish();
  return chosen;
}

}  // namespace plait
