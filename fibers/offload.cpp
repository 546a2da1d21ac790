#include "plait/offload.h"

#include "plait/detail/fiber.h"
#include "plait/detail/loop.h"
#include "plait/detail/pool_job.h"
#include "plait/detail/waiter.h"

namespace plait::detail {
namespace {

// Lives in the parked fiber's frame. Who wakes: the job's `done`, a Task on the loop, once. Who may
// leave: a killed waiter, only if the job could be withdrawn, and then `done` never comes.
struct Offloaded final : PoolJob {
  Offloaded(void (*f)(void*) noexcept, void* c) : PoolJob(&work, &done), call(f), context(c) {}

  static void work(PoolJob& job) noexcept {
    auto& self = static_cast<Offloaded&>(job);
    self.call(self.context);
  }
  static void done(PoolJob& job) { static_cast<Offloaded&>(job).waiter.wake(true); }

  void (*call)(void*) noexcept;
  void* context;
  Waiter<bool> waiter{{"offload", nullptr, nullptr}};
};

}  // namespace

void runOnPool(ThreadPool& pool, void (*call)(void*) noexcept, void* context) {
  checkpoint();
  Fiber::currentOrNull()->requireMayPark("offload");
  Offloaded job(call, context);
  pool.submit(job);
  job.waiter.park([&pool, &job] {
    if (Loop::current()->isForked()) return OnCancel::stay;
    return pool.tryWithdraw(job) ? OnCancel::leave : OnCancel::stay;
  });
}

}  // namespace plait::detail
