// What a Deferred is a handle on: one result on its way through a list of links, in one allocation.
// A link takes the result and leaves another one; the types are known to the links alone. Each T of
// a Deferred<T> is a typed view onto this.
//
// Who owns whom: handles and an inner chain own the outer one that waits for it; the outer one, a
// waiting fiber and a coroutine point weakly at the inner one, and know where they point only as
// long as their link is in its list. So a chain whose last handle is gone can never fire, and then
// it fires itself with BrokenDeferredError.
//
// Everything but copying, dropping and comparing handles belongs to the thread that made it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <typeinfo>
#include <utility>

#include "plait/detail/home.h"
#include "plait/detail/result_slot.h"
#include "plait/detail/unique_function.h"

namespace plait::detail {

class Chain;
struct ChainRecord;

// One step of a chain. Lives in the chain's own memory, or in the frame of who waits.
struct Link {
  // Takes the result of `chain` and leaves the next one. The link is gone afterwards. Returns a
  // chain that has become runnable and runs before this one goes on, with a reference; or null.
  // Only a Cancellation is thrown. Without a chain it shall only go.
  using Step = Chain* (*)(Link& link, Chain* chain);

  explicit Link(Step onStep) noexcept : step(onStep) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  Step step;
  Link* next = nullptr;
};

// What a canceller says about the Deferred that it has not fired: cancelled now (CancelledError
// follows), or later, when the work has come to its end and fires it.
enum class CancelAnswer : bool { now, later };

class ChainPointer;

class Chain final {
 public:
  using Canceller = UniqueFunction<CancelAnswer(Chain&)>;
  using State = ResultSlot::State;

  Chain(const std::type_info& type, const std::source_location& at) noexcept;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // --- any thread

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    // The only one left needs nobody's consent.
    if (references_.load(std::memory_order_acquire) == 1 ||
        references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      lastReleased();
    }
  }

  bool isHome() const noexcept { return home_.isHere(); }

  // --- the home thread

  std::uint32_t generation() const noexcept { return generation_; }
  bool isCalled() const noexcept { return called_; }
  // Its result can be taken now.
  bool isResolved() const noexcept {
    return called_ && !running_ && paused_ == 0 && waitingFor_ == nullptr && first_ == nullptr;
  }
  // One of its callbacks is at work, further down this stack.
  bool isRunningHere() const noexcept;
  ResultSlot& slot() noexcept { return slot_; }
  const std::source_location& createdAt() const noexcept { return createdAt_; }

  // Afterwards the result goes into slot(), then endFire(). False if it shall be dropped, because a
  // cancel came before. Throws: AlreadyCalledError.
  bool beginFire(const std::source_location& at) {
    if (called_) return mayDropFire(at);
    called_ = true;
    firedAt_ = at;
    if (isDebugging()) [[unlikely]]
      recordFire();
    return true;
  }
  // The result is in the slot.
  void endFire() {
    if (canceller_ != nullptr) dropCanceller();
    run();
  }
  // Throws: std::logic_error if the view that has `type` came after a change of type.
  void requireOriginal(std::uint32_t generation, const std::type_info& type) const {
    if (generation != 0) throwNotOriginal(type);
  }
  void run() {
    if (first_ != nullptr && isRunnable()) runLinks();
  }

  // False if that could not have any effect: it is done, or paused.
  bool cancel();
  void pause() noexcept { ++paused_; }
  void unpause();

  // Room for a link, valid until it has run.
  void* allocate(std::size_t bytes, std::size_t alignment) {
    const std::size_t padding = -reinterpret_cast<std::uintptr_t>(free_) & (alignment - 1);
    if (static_cast<std::size_t>(end_ - free_) < padding + bytes) {
      return allocateOutside(bytes, alignment);
    }
    std::byte* const room = free_ + padding;
    free_ = room + bytes;
    return room;
  }
  // Puts the link in, and runs it if everything before it has run.
  void append(Link& link) {
    *(first_ == nullptr ? &first_ : &last_->next) = &link;
    last_ = &link;
    run();
  }
  // Takes out one that has not run.
  void remove(Link& link) noexcept;
  bool contains(const Link& link) const noexcept;

  // The views of this generation are spent from now on.
  void spend(const std::source_location& at) noexcept {
    ++generation_;
    spentAt_ = at;
  }
  // Gives them back, if nothing else has spent the next ones.
  void unspend() noexcept { --generation_; }
  // Throws: AlreadyChainedError.
  void requireGeneration(std::uint32_t generation) const {
    if (generation != generation_) throwSpent();
  }

  // This chain goes on when `inner` has its result, which may be now. A cancel of this one is
  // handed on meanwhile. Throws: AlreadyChainedError; std::logic_error if `inner` waits for this
  // one.
  void takeFrom(Chain& inner, std::uint32_t generation);
  // Fires `target` with this one's result at this place of the list.
  void chainTo(ChainPointer target, const std::source_location& at);

  // The chain that is asked when this one is cancelled; for coroutines.
  void setWaitingFor(Chain* inner) noexcept {
    if (waitingFor_ != nullptr) waitingFor_->isAwaited_ = false;
    waitingFor_ = inner;
    if (inner != nullptr) inner->isAwaited_ = true;
  }
  // The chain that fires this one, by chainDeferred().
  void setChainedTo(const Chain* source) noexcept { chainedTo_ = source; }
  // Throws: std::logic_error.
  void requireOtherThan(const Chain& other) const;
  // Who will fire it, if that is known: for whoever must not wait for itself.
  void setProducer(const void* producer) noexcept { producer_ = producer; }
  // Of the chain that is waited for in the end.
  const void* lastProducer() const noexcept {
    const Chain* each = this;
    while (each->waitingFor_ != nullptr) each = each->waitingFor_;
    return each->producer_;
  }
  // A cancel came while it could not be handed on; asks once.
  bool takeCancelAsked() noexcept { return std::exchange(cancelAsked_, false); }
  void setCanceller(Canceller canceller);
  void dropCancellerIfAny() noexcept {
    if (canceller_ != nullptr) dropCanceller();
  }

  // A Cancellation leaves a callback: the chain will go on with CancelledError.
  void setCancelled(const char* by) noexcept;
  // Runs it in a turn of its own; without a loop, now.
  void runLater() noexcept;

  void setFailure(std::exception_ptr error) noexcept { slot_.setFailure(std::move(error)); }
  // Its failure is in good hands: never reported.
  void forgetFailure() noexcept { unhandledIsQuiet_ = true; }

  // "Deferred created at f.cpp:12"; with a type, also what has become of it.
  std::string describe() const;
  std::string describe(const std::type_info& type) const;

  static bool isDebugging() noexcept { return debugging_.load(std::memory_order_relaxed); }
  static void setDebugging(bool on) noexcept { debugging_.store(on, std::memory_order_relaxed); }

 private:
  friend class Destruction;
  ~Chain();

  bool isRunnable() const noexcept {
    return called_ && !running_ && paused_ == 0 && waitingFor_ == nullptr;
  }
  static constexpr std::size_t kInsideBytes = 192;
  struct Chunk {
    Chunk* next;
  };

  void lastReleased() noexcept;
  void releaseOffHome() noexcept;
  bool breakLater() noexcept;
  void endNow() noexcept;
  void breakNow();
  bool cancelThis();
  // Links, canceller and result, unrun.
  void dropAll() noexcept;
  void runLinks();
  void stopRunning(bool isFirst) noexcept;
  void dropCanceller() noexcept;
  bool mayDropFire(const std::source_location& at);
  void recordFire();
  void* allocateOutside(std::size_t bytes, std::size_t alignment);
  void freeMemory() noexcept;
  bool isWaitingFor(const Chain& other) const noexcept;
  void reportUnhandled() noexcept;
  [[noreturn]] void throwSpent() const;
  [[noreturn]] void throwNotOriginal(const std::type_info& type) const;

  static std::atomic<bool> debugging_;

  std::atomic<std::uint32_t> references_{1};
  std::uint32_t generation_ = 0;
  Home home_ = Home::here();
  Link* first_ = nullptr;
  Link* last_ = nullptr;
  bool called_ = false;
  bool running_ = false;
  bool swallowsNext_ = false;  // cancelled without a canceller: one late fire is dropped
  bool released_ = false;      // the last handle went while a callback ran
  bool cancelAsked_ = false;   // while a callback of it was parked
  bool breaking_ = false;      // it waits for the turn that breaks it
  bool homeless_ = false;      // its thread's loop refused the last handle
  bool isAwaited_ = false;     // another one waits for it
  bool unhandledIsQuiet_ = false;
  std::uint32_t paused_ = 0;
  ResultSlot slot_;
  Chain* waitingFor_ = nullptr;
  Chain* below_ = nullptr;        // while it runs, or waits for its end: the one after it
  const void* runner_ = nullptr;  // while it runs: the stack
  Canceller* canceller_ = nullptr;
  const void* producer_ = nullptr;
  const Chain* chainedTo_ = nullptr;
  const std::type_info* type_;
  std::source_location createdAt_;
  std::source_location firedAt_;
  std::source_location spentAt_;
  ChainRecord* record_ = nullptr;
  Chunk* chunks_ = nullptr;
  std::byte* base_ = inside_;  // what is below stays until the chain ends
  std::byte* free_ = inside_;
  std::byte* end_ = inside_ + kInsideBytes;
  alignas(std::max_align_t) std::byte inside_[kInsideBytes];
};

// What the end of a run has cut off: no news.
bool isCutOff(const std::exception_ptr& error) noexcept;

// Owns a reference.
class ChainPointer final {
 public:
  ChainPointer() noexcept = default;
  struct Adopt {};
  ChainPointer(Chain* chain, Adopt) noexcept : chain_(chain) {}
  explicit ChainPointer(Chain& chain) noexcept : chain_(&chain) { chain.retain(); }
  ChainPointer(const ChainPointer& other) noexcept : chain_(other.chain_) {
    if (chain_ != nullptr) chain_->retain();
  }
  ChainPointer(ChainPointer&& other) noexcept : chain_(std::exchange(other.chain_, nullptr)) {}
  ChainPointer& operator=(ChainPointer other) noexcept {
    std::swap(chain_, other.chain_);
    return *this;
  }
  ~ChainPointer() {
    if (chain_ != nullptr) chain_->release();
  }

  Chain* get() const noexcept { return chain_; }
  Chain* operator->() const noexcept { return chain_; }
  Chain& operator*() const noexcept { return *chain_; }
  explicit operator bool() const noexcept { return chain_ != nullptr; }
  Chain* detach() noexcept { return std::exchange(chain_, nullptr); }

 private:
  Chain* chain_ = nullptr;
};

}  // namespace plait::detail
