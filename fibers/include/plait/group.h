// Greenlets by the dozen: Group holds them, Pool bounds how many run, TaskGroup is a scope that
// none of them leaves.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <source_location>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plait/cancel_shield.h"
#include "plait/cancellation.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/semaphore.h"

namespace plait {

// A set of greenlets; one that ends leaves it. The group may die before its greenlets; they run on.
class Group {
 public:
  Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  virtual ~Group();

  // spawn() into the group. Never switches.
  template <class F>
  auto spawn(F&& f, std::source_location at = std::source_location::current()) {
    auto greenlet = plait::spawn(std::forward<F>(f), at);
    add(greenlet);
    return greenlet;
  }
  // Never switches. One that has ended already is not added.
  void add(const AnyGreenlet& greenlet);
  // Forgets it; it runs on. Never switches.
  void discard(const AnyGreenlet& greenlet);

  // Returns when the group is empty, at once if it is. May switch.
  void join() { join(kForever); }
  bool join(Duration timeout);  // False if the time was up. May switch.
  // As join(), then throws the first error of those that have failed meanwhile; earlier errors have
  // been reported. May switch.
  void joinOrThrow();
  // Kills all, and what they spawn into the group while dying, until it is empty. May switch.
  void kill() { kill(kForever); }
  bool kill(Duration timeout);  // False if the time was up. May switch.
  void requestKill() noexcept;  // Never switches.

  std::size_t size() const noexcept { return members_.size(); }
  bool isEmpty() const noexcept { return members_.empty(); }
  std::vector<AnyGreenlet> greenlets() const;

 protected:
  // From now on the first that ends by an exception other than a kill is kept, to be taken.
  void collectErrors(bool on) noexcept { collectors_ += on ? 1 : -1; }
  std::exception_ptr takeError() noexcept;
  bool hasError() const noexcept { return static_cast<bool>(firstFailed_); }
  // From now on new members are killed at once.
  void killNewcomers(bool on) noexcept { killers_ += on ? 1 : -1; }
  virtual void onError(const AnyGreenlet&) noexcept {}

 private:
  struct Member;
  void leave(Member& member) noexcept;

  std::unordered_map<detail::Fiber*, std::unique_ptr<Member>> members_;
  AnyGreenlet firstFailed_;
  int collectors_ = 0;
  int killers_ = 0;
  Event empty_;
};

// A Group of which at most `size` run: spawn() parks the caller while it is full, in order of
// arrival.
class Pool final : public Group {
 public:
  explicit Pool(std::size_t size) : slots_(std::make_shared<Semaphore>(size)) {}

  // May switch: waits for a slot.
  template <class F>
  auto spawn(F&& f, std::source_location at = std::source_location::current()) {
    slots_->acquire();
    return spawnIntoSlot(std::forward<F>(f), at);
  }
  // An empty handle while the pool is full. Never switches.
  template <class F>
  auto trySpawn(F&& f, std::source_location at = std::source_location::current()) {
    using Handle = Greenlet<std::invoke_result_t<std::decay_t<F>&>>;
    if (!slots_->tryAcquire()) return Handle();
    return spawnIntoSlot(std::forward<F>(f), at);
  }

  // Waits until a slot is free (it may be taken again before the caller uses it); returns how many
  // are. May switch.
  std::size_t waitAvailable(Duration timeout = kForever);

  // f of every item, at most size() at once; results in the order of the items; the first item's
  // error that fails is thrown when all before it have ended. May switch.
  template <class Range, class F>
  auto map(Range&& items, F f) {
    using Item = decltype(*std::begin(items));
    using T = std::invoke_result_t<F&, Item>;
    // They refer to this frame: none may outlive it, whatever ends it.
    struct KillRest {
      std::vector<Greenlet<T>> all;
      ~KillRest() {
        const CancelShield shield;
        killAll(all);
      }
    } running;
    for (auto&& item : items) {
      // A range that makes its items gives each away; one that holds them lends them.
      if constexpr (std::is_reference_v<Item>) {
        running.all.push_back(spawn([&f, &item]() -> T { return f(item); }));
      } else {
        running.all.push_back(
            spawn([&f, own = std::move(item)]() mutable -> T { return f(std::move(own)); }));
      }
    }
    if constexpr (std::is_void_v<T>) {
      for (auto& greenlet : running.all) greenlet.get();
    } else {
      std::vector<T> results;
      for (auto& greenlet : running.all) results.push_back(std::move(greenlet.get()));
      return results;
    }
  }

  std::size_t freeCount() const noexcept { return slots_->available(); }
  bool isFull() const noexcept { return freeCount() == 0; }

 private:
  // Gives the slot back when the greenlet ends in any way, killed before its start included.
  template <class F>
  auto spawnIntoSlot(F&& f, const std::source_location& at) {
    struct Slot {
      explicit Slot(std::shared_ptr<Semaphore> s) : slots(std::move(s)) {}
      Slot(Slot&&) noexcept = default;
      ~Slot() {
        if (slots) slots->release();
      }
      std::shared_ptr<Semaphore> slots;
    };
    return Group::spawn(
        // The slot first: copying the function may throw.
        [slot = Slot(slots_), function = std::decay_t<F>(std::forward<F>(f))]() mutable
            -> std::invoke_result_t<std::decay_t<F>&> { return std::invoke(function); },
        at);
  }

  std::shared_ptr<Semaphore> slots_;  // shared with the greenlets, which outlive the pool
};

class TaskGroup;

// How the first error in a TaskGroup leaves the function that was given to withTaskGroup().
class TaskGroupFailed final : public Cancellation {
 public:
  explicit TaskGroupFailed(const TaskGroup& group) noexcept : group_(&group) {}
  const char* reason() const noexcept override { return "a task of its group has failed"; }
  bool isFrom(const TaskGroup& group) const noexcept { return group_ == &group; }

 private:
  const TaskGroup* group_;
};

// A scope for greenlets: none outlives it, so they may refer to the frame around it. The first
// error kills the others.
class TaskGroup final : private Group {
 public:
  TaskGroup();
  // Without a join before: kills all, waits for them, and reports an error that nobody took. May
  // switch.
  ~TaskGroup() override;

  using Group::greenlets;
  using Group::isEmpty;
  using Group::requestKill;
  using Group::size;
  using Group::spawn;

  // Waits for all, those spawned meanwhile included. A kill of the caller kills them, and is passed
  // on when all have ended. May switch. Throws: the first error of any of them.
  void join();
  // Kills all and waits for them, shielded; returns the first error, if nobody took it. May switch.
  std::exception_ptr end();

 private:
  template <class F>
  friend auto withTaskGroup(F&& f);

  // The function of withTaskGroup(): while one lives, the first error of a greenlet strikes the
  // fiber that made it with TaskGroupFailed.
  class Body final {
   public:
    explicit Body(TaskGroup& group);
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    ~Body();

   private:
    friend class TaskGroup;
    struct Blow final : detail::Strike {
      explicit Blow(TaskGroup& g) : Strike(&raise), group(g) {}
      [[noreturn]] static void raise(detail::Strike& strike);
      TaskGroup& group;
    };
    TaskGroup& group_;
    detail::Fiber& fiber_;
    Blow blow_;
  };

  // The function has failed: ends the group and throws the first error, its own or a greenlet's.
  [[noreturn]] void fail(std::exception_ptr error);
  std::exception_ptr takeFirst() noexcept;
  void onError(const AnyGreenlet& failed) noexcept override;

  Body* body_ = nullptr;
};

// Calls f(group) and joins the group. The first error, of f or of a greenlet, kills the others, f's
// blocking call included, and is thrown when all have ended; a kill of the caller kills them and is
// passed on. May switch.
template <class F>
auto withTaskGroup(F&& f) {
  TaskGroup group;
  const auto call = [&] {
    const TaskGroup::Body body(group);
    return std::invoke(std::forward<F>(f), group);
  };
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F, TaskGroup&>>) {
      call();
      group.join();
    } else {
      auto result = call();
      group.join();
      return result;
    }
  } catch (const TaskGroupFailed& failed) {
    const std::exception_ptr first = group.end();
    if (failed.isFrom(group) && first) std::rethrow_exception(first);
    throw;
  } catch (const Cancellation&) {
    group.end();
    throw;
  } catch (...) {
    group.fail(std::current_exception());
  }
}

}  // namespace plait
