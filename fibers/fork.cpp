#include "plait/fork.h"

#include <pthread.h>

#include <functional>
#include <stdexcept>

#include "plait/detail/process.h"
#include "scheduler.h"

#ifdef PLAIT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace plait {
namespace {

// Only the thread that forked lives on in the child, in the fiber that forked.
[[maybe_unused]] const int kRegistered = ::pthread_atfork(nullptr, nullptr, [] {
  if (detail::currentFiber != nullptr) detail::currentFiber->markPending();
});

// Whether a local of the running fiber is there.
bool isOnStack(const detail::Stack& stack, const void* place) noexcept {
#ifdef PLAIT_ASAN
  // Looking for uses after return, it keeps the locals of a frame elsewhere.
  void* const elsewhere = __asan_get_current_fake_stack();
  if (elsewhere != nullptr &&
      __asan_addr_is_in_fake_stack(elsewhere, const_cast<void*>(place), nullptr, nullptr)) {
    return true;
  }
#endif
  return place >= stack.bottom && place < stack.top();
}

}  // namespace

void afterForkInChild() {
  detail::Fiber::current("afterForkInChild()");
  detail::Scheduler& scheduler = *detail::Scheduler::current();
  if (!scheduler.isForked()) {
    throw std::logic_error("afterForkInChild() called in a process that owns its loop");
  }
  scheduler.forgetOthersAfterFork();
}

namespace detail {

void Scheduler::forgetOthersAfterFork() {
  Fiber& self = *Fiber::currentOrNull();
  std::unique_ptr<Kernel> kernel = makeKernel();
  // The forgotten leave every queue, or what this fiber puts there would go to one that never runs.
  // A wait that is not on this thread alone sees that this is a child, and is left as it is.
  forEach([&self](Fiber& fiber) {
    if (&fiber == &self || fiber.waiter_ == nullptr) return;
    WaiterCore& waiter = *fiber.waiter_;
    if (waiter.state_ == WaiterCore::State::parked) waiter.onCancel_(waiter.context_);
    waiter.state_ = WaiterCore::State::left;
  });
  const auto isMine = [&self](const SpawnObserverNode& each) {
    return isOnStack(FiberMachine::of(self).stack, &each);
  };
  while (SpawnObserverNode* const other = spawnObservers.find(std::not_fn(isMine))) other->unlink();
  loop_.restartAfterFork(std::move(kernel), [&self](const Timer& timer) {
    return isOnStack(FiberMachine::of(self).stack, &timer);
  });
  // What the other fibers own stays as it is in memory, as after any fork: nobody runs its
  // destructors.
  stacks_.abandon();
  spare_ = Stack();
  giveIdentity();
  newDispatcher();
  first_ = &self;
  self.previous_ = self.next_ = nullptr;
  fiberCount_ = 1;
  closer_ = nullptr;
  closing_ = false;
  // Joiners and links are the parent's.
  while (self.done_.pop() != nullptr) continue;
  main = &self;
  mainEnded->unlink();
  self.addDone(*mainEnded);
}

}  // namespace detail
}  // namespace plait
