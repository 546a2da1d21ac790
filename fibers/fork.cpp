#include "plait/fork.h"

#include <stdexcept>

#include "plait/detail/process.h"
#include "scheduler.h"

namespace plait {

void afterForkInChild() {
  detail::Fiber::current("afterForkInChild()");
  detail::Scheduler& scheduler = *detail::Scheduler::current();
  if (scheduler.loop().forkGeneration() == detail::process::forkGeneration()) {
    throw std::logic_error("afterForkInChild() called in a process that owns its loop");
  }
  scheduler.forgetOthersAfterFork();
}

namespace detail {

void Scheduler::forgetOthersAfterFork() {
  Fiber& self = *Fiber::currentOrNull();
  loop_.restartAfterFork(makeKernel());
  // What the other fibers own stays as it is in memory, as after any fork: nobody runs its destructors.
  stacks_.abandon();
  giveIdentity();
  newDispatcher();
  first_ = &self;
  self.previous_ = self.next_ = nullptr;
  fiberCount_ = 1;
  closer_ = nullptr;
  closing_ = false;
  if (main == &self) return;
  main = &self;
  mainEnded->unlink();
  self.addDone(*mainEnded);
}

}  // namespace detail
}  // namespace plait
