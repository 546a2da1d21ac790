#include "plait/detail/await.h"

#include <cerrno>

#include "plait/detail/loop.h"
#include "scheduler.h"

namespace plait::detail {
namespace {

Kernel& kernelNow(const char* what) { return Loop::require(what).kernel(); }

}  // namespace

std::int32_t await(Op& op, const char* what) {
  checkpoint();
  return awaitNow(op, what);
}

std::int32_t awaitNow(Op& op, const char* what) {
  Fiber& self = *Fiber::currentOrNull();
  self.requireMayPark(what);
  Kernel& kernel = Scheduler::current()->loop().kernel();
  Waiter<std::int32_t> waiter({what});
  op.completionData = &waiter;
  op.complete = [](Op& done, std::int32_t result, bool) {
    static_cast<Waiter<std::int32_t>*>(done.completionData)->wake(std::move(result));
  };
  kernel.submit(op);
  const std::int32_t result = waiter.park([&kernel, &op] {
    if (!Scheduler::current()->isForked()) kernel.cancel(op);
    return OnCancel::stay;
  });
  // Only a cancelled op makes way for what cancelled it; any other outcome is a result.
  if (result == -ECANCELED) self.throwPending();
  return result;
}

std::int32_t callKernel(Op& op) { return kernelNow("a descriptor").call(op); }

void cancelDescriptor(int descriptor) { kernelNow("close()").cancelDescriptor(descriptor); }

void submitToKernel(Op& op) { kernelNow("an operation").submit(op); }

void cancelInKernel(Op& op) { kernelNow("an operation").cancel(op); }

}  // namespace plait::detail
