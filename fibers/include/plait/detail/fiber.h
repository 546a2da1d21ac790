// The control block of a greenlet. It is not on the fiber's stack, so a finished fiber frees its
// stack while handles to it live. Belongs to its loop's thread, the reference count included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "plait/detail/task.h"
#include "plait/detail/unique_function.h"
#include "plait/detail/wait_queue.h"
#include "plait/detail/waiter.h"
#include "plait/spawn_options.h"
#include "plait/time.h"

namespace plait {
class AnyGreenlet;
}

namespace plait::detail {

enum class LinkWhen : std::uint8_t { always, value, exception };

class Scheduler;
struct FiberExtras;
struct FiberMachine;

// Whoever wants to know that a fiber has ended: a joiner or a link, in order of registration.
class DoneNode : public WaitNode {
 public:
  using Notify = void (*)(DoneNode&, class Fiber&) noexcept;
  explicit DoneNode(Notify onEnd) noexcept : notify_(onEnd) {}
  void notify(Fiber& fiber) noexcept { notify_(*this, fiber); }

 private:
  Notify notify_;
};

// Something that wants to strike a fiber: once, at its next chance.
class Strike : public WaitNode {
 public:
  using Throw = void (*)(Strike&);  // throws; the strike has been taken out of the list before
  explicit Strike(Throw onRaise) noexcept : raise_(onRaise) {}
  void raise() { raise_(*this); }

  // The scope that may be struck begins here, on the running fiber.
  void beginScope(const class Fiber& running) noexcept;

  // How deep the fiber was in shields and unwinding when the strike's scope began: it strikes only
  // where the fiber is not deeper.
  unsigned shieldDepth = 0;
  unsigned unwindDepth = 0;
  bool insideHandler = false;  // made while a kill was being handled

 private:
  Throw raise_;
};

class Fiber : public Task {
 public:
  enum class State : std::uint8_t { created, ready, running, parked, finished };

 private:
  // First what every switch touches, to lie in one cache line with the Task. FiberMachine: the
  // context, the exception state, errno and the stack; fibers/machine.h.
  static constexpr std::size_t kMachineBytes = 112;
  Scheduler* scheduler_ = nullptr;
  State state_ = State::created;
  bool pending_ = false;  // a kill, a strike or a NoSwitchScope wants to be looked at
  bool killRequested_ = false;
  bool killed_ = false;
  bool observed_ = false;
  bool isCallback_ = false;  // a dispatcher whose callback asked who it is
  bool resultClaimed_ = false;

 protected:
  bool holdsValue_ = false;  // one whose destructor is the user's, and may block

 private:
  alignas(void*) std::byte machine_[kMachineBytes];

 public:
  Fiber(const SpawnOptions& options, const std::source_location& at);

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) return destroy();
    if (references_ == 1 && state_ != State::finished) countDropped();
  }

  State state() const noexcept { return state_; }
  bool isFinished() const noexcept { return state_ == State::finished; }
  bool isKilled() const noexcept { return killed_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  void markObserved() noexcept { observed_ = true; }
  // A result that can only be moved belongs to the first who says so.
  bool claimResult() noexcept { return !std::exchange(resultClaimed_, true); }
  std::uint64_t id() const noexcept { return id_; }
  std::string name() const;
  void setName(std::string name);
  const std::source_location& spawnedAt() const noexcept { return spawnedAt_; }
  std::string describe() const;      // "greenlet 'x' (spawned at f.cpp:3)"
  std::string describeWait() const;  // "Queue::get"; empty unless parked

  // Puts the fiber into the current loop's ready queue. Throws: std::logic_error off a loop.
  void start();
  // Arms its start; cancelled by a kill.
  void startLater(Duration wait);

  void addDone(DoneNode& node) noexcept { done_.append(node); }
  void requestKill() noexcept;
  void strike(Strike& strike) noexcept;
  // kill(E): owned by the fiber.
  void strikeWith(std::exception_ptr error);

  std::uint64_t addLink(UniqueFunction<void(AnyGreenlet)> f, LinkWhen when,
                        const std::source_location& at);
  void removeLink(std::uint64_t id) noexcept;

  // Asked to stop when the fiber is killed.
  std::stop_token stopToken();

  // Parks the current fiber until this one has ended. Throws what strikes the current one.
  void join();
  bool join(Duration timeout);

  // The current fiber; a callback gets an identity of its own by asking.
  static Fiber& current(const char* what);
  static Fiber* currentOrNull() noexcept;
  bool handlesKill() const noexcept { return isHandlingKill(); }
  // Throws what may strike now, if there is something.
  void throwPending() {
    if (hasPending()) throwPendingNow();
  }
  // Throws: std::logic_error inside a NoSwitchScope.
  void requireMayPark(const char* call) const;
  // May be true when nothing is left, never the other way round.
  bool hasPending() const noexcept { return pending_; }

  unsigned shieldDepth = 0;
  unsigned noSwitchDepth = 0;
  void markPending() noexcept { pending_ = true; }
  const std::source_location* noSwitchPlace = nullptr;

  FiberExtras& extras();  // what few fibers need: locals, links, a name
  FiberExtras* extrasOrNull() noexcept { return extras_.get(); }

  static void resume(Task& task) noexcept;  // this Task's run

 protected:
  virtual ~Fiber();
  virtual void body() = 0;
  virtual void dropFunction() noexcept = 0;
  virtual void dropValue() noexcept {}

 private:
  friend class Scheduler;
  friend class WaiterCore;
  friend struct FiberMachine;

  void destroy() noexcept;
  void countDropped() noexcept;
  bool isHandlingKill() const noexcept;
  void runBody() noexcept;
  void dropLocals() noexcept;
  void throwPendingNow();
  void deliver() noexcept;
  void startNow() noexcept;
  unsigned unwindDepth() const noexcept;
  bool killMayStrike() const noexcept;
  Strike* nextStrike() const noexcept;
  bool somethingMayStrike() const noexcept;

  WaiterCore* waiter_ = nullptr;

  std::uint32_t references_ = 1;
  std::uint32_t killStrikes_ = 0;
  std::uint64_t id_ = 0;       // given when the scheduler first hears of it
  Fiber* previous_ = nullptr;  // of all fibers of the scheduler
  Fiber* next_ = nullptr;
  WaitQueue<DoneNode> done_;
  WaitQueue<Strike> strikes_;
  std::exception_ptr error_;
  std::unique_ptr<FiberExtras> extras_;
  std::source_location spawnedAt_;
  std::size_t stackBytes_;
};

// An owning pointer to a control block.
template <class F = Fiber>
class FiberPointer final {
 public:
  FiberPointer() noexcept = default;
  struct Adopt {};
  FiberPointer(F* fiber, Adopt) noexcept : fiber_(fiber) {}
  explicit FiberPointer(F& fiber) noexcept : fiber_(&fiber) { fiber_->retain(); }
  FiberPointer(const FiberPointer& other) noexcept : fiber_(other.fiber_) {
    if (fiber_ != nullptr) fiber_->retain();
  }
  FiberPointer(FiberPointer&& other) noexcept : fiber_(std::exchange(other.fiber_, nullptr)) {}
  FiberPointer& operator=(FiberPointer other) noexcept {
    std::swap(fiber_, other.fiber_);
    return *this;
  }
  ~FiberPointer() {
    if (fiber_ != nullptr) fiber_->release();
  }

  F* get() const noexcept { return fiber_; }
  F* operator->() const noexcept { return fiber_; }
  F& operator*() const noexcept { return *fiber_; }
  explicit operator bool() const noexcept { return fiber_ != nullptr; }

 private:
  F* fiber_ = nullptr;
};

// A fiber that may leave a value.
template <class T>
class FiberOf : public Fiber {
 public:
  using Fiber::Fiber;
  using Stored = std::conditional_t<
      std::is_void_v<T>, std::monostate,
      std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;
  std::optional<Stored> value;

 private:
  void dropValue() noexcept override {
    value.reset();
    this->holdsValue_ = false;
  }
};

template <class T, class F>
class FiberRunning final : public FiberOf<T> {
 public:
  template <class G>
  FiberRunning(G&& function, const SpawnOptions& options, const std::source_location& at)
      : FiberOf<T>(options, at), function_(std::in_place, std::forward<G>(function)) {}

 private:
  void body() override {
    if constexpr (std::is_void_v<T>) {
      std::invoke(*function_);
      this->value.emplace();
    } else if constexpr (std::is_reference_v<T>) {
      this->value.emplace(std::addressof(std::invoke(*function_)));
    } else {
      this->value.emplace(std::invoke(*function_));
      this->holdsValue_ = !std::is_trivially_destructible_v<T>;
    }
  }
  void dropFunction() noexcept override { function_.reset(); }

  std::optional<F> function_;
};

}  // namespace plait::detail
