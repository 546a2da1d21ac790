// What Deferreds and the bridges to fibers and threads cost.
#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <vector>

#include "micro/report.h"
#include "plait/background.h"
#include "plait/coroutine.h"
#include "plait/deferred.h"
#include "plait/deferred_list.h"
#include "plait/detail/waiter.h"
#include "plait/run.h"
#include "plait/wait_for_deferred.h"
#include "plait/wait_for_greenlet.h"

namespace {
std::atomic<long> allocations{0};
}

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const room = std::malloc(bytes)) return room;
  throw std::bad_alloc();
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }

using namespace plait;

namespace {

constexpr int kTen = 10;

int chain(int links) {
  int seen = 0;
  const Deferred<int> d;
  for (int i = 1; i < links; ++i) d.addCallback([](int value) { return value + 1; });
  d.addCallback([&seen](int value) { return seen = value; });
  d.callback(1);
  return seen;
}

void chains() {
  report("chain_1", nanosecondsEach(2'000'000, [](long count) {
           for (long i = 0; i < count; ++i) chain(1);
         }));
  report("hop_of_10", nanosecondsEach(3'000'000, [](long count) {
           for (long i = 0; i < count; i += kTen) chain(kTen);
         }));
  report("errback_hop", nanosecondsEach(1'000'000, [](long count) {
           for (long i = 0; i < count; i += kTen) {
             const Deferred<int> d;
             for (int j = 1; j < kTen; ++j) d.addErrback([](Failure failure) { return failure; });
             d.addErrback([](const Failure&) { return 1; });
             d.errback(std::runtime_error("no luck"));
           }
         }));
  report("gather_1000", nanosecondsEach(300, [](long count) {
           for (long i = 0; i < count; ++i) {
             std::vector<Deferred<int>> all;
             for (int j = 0; j < 1000; ++j) all.emplace_back();
             const auto gathered = gatherResults(all);
             for (const Deferred<int>& each : all) each.callback(1);
           }
         }));
  for (const int links : {1, 4, kTen}) {
    const long before = allocations;
    chain(links);
    std::printf("{\"name\": \"chain_%d_allocations\", \"allocations\": %ld}\n", links,
                allocations - before);
  }
}

// A fiber that waits, and one that wakes it: both take one turn each.
template <class Wait, class Fire>
void pingPong(const char* name, Wait wait, Fire fire) {
  report(name, nanosecondsEach(1'000'000, [&](long count) {
           bool over = false;
           auto waiter = spawn([&] {
             for (long i = 0; i < count; ++i) wait();
             over = true;
           });
           auto firer = spawn([&] {
             while (!over) {
               fire();
               yield();
             }
           });
           waiter.get();
           firer.get();
         }));
}

void waits() {
  report("wait_fired", nanosecondsEach(2'000'000, [](long count) {
           for (long i = 0; i < count; ++i) {
             Deferred<int> d;
             d.callback(1);
             waitForDeferred(std::move(d));
           }
         }));
  detail::Waiter<bool>* parked = nullptr;
  pingPong(
      "park_wake",
      [&parked] {
        detail::checkpoint();
        detail::Waiter<bool> waiter({"benchmark", nullptr, nullptr});
        parked = &waiter;
        waiter.park([] { return detail::OnCancel::stay; });
      },
      [&parked] {
        if (parked != nullptr) std::exchange(parked, nullptr)->wake(true);
      });
  Deferred<int>* waited = nullptr;
  pingPong(
      "wait_unfired",
      [&waited] {
        Deferred<int> d;
        waited = &d;
        waitForDeferred(Deferred<int>(d));
      },
      [&waited] {
        if (waited != nullptr) std::exchange(waited, nullptr)->callback(1);
      });
  report("greenlet_deferred_fiber", nanosecondsEach(500'000, [](long count) {
           for (long i = 0; i < count; ++i) waitForDeferred(deferToGreenlet([] { return 1; }));
         }));
}

Deferred<int> plusOne(Deferred<int> d) { co_return co_await std::move(d) + 1; }

Deferred<long> awaits(long count) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += co_await succeed(1);
  co_return sum;
}

void coroutines() {
  report("coroutine_await_fired", nanosecondsEach(2'000'000, [](long count) { awaits(count); }));
  report("coroutine_call_and_await", nanosecondsEach(1'000'000, [](long count) {
           for (long i = 0; i < count; ++i) {
             const Deferred<int> d;
             const Deferred<int> result = plusOne(d);
             d.callback(1);
           }
         }));
}

}  // namespace

int main() {
  run([] {
    chains();
    waits();
    coroutines();
  });
  setup();
  report("eventual_result_roundtrip", nanosecondsEach(20'000, [](long count) {
           for (long i = 0; i < count; ++i) runInReactor([] { return 1; }).wait();
         }));
  shutdown();
}
