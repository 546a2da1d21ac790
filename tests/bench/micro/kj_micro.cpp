// kj::Promise: the same chains, on a loop that runs nothing else.
#include <atomic>
#include <cstdlib>
#include <new>

#include <kj/async.h>
#include <kj/vector.h>

#include "report.h"

namespace {

std::atomic<long> allocations{0};

int chain(kj::WaitScope& scope, int links) {
  int seen = 0;
  auto paf = kj::newPromiseAndFulfiller<int>();
  kj::Promise<int> promise = kj::mv(paf.promise);
  for (int i = 1; i < links; ++i) promise = promise.then([](int value) { return value + 1; });
  promise = promise.then([&seen](int value) { return seen = value; });
  paf.fulfiller->fulfill(1);
  promise.wait(scope);
  return seen;
}

}  // namespace

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const room = std::malloc(bytes)) return room;
  throw std::bad_alloc();
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }

int main() {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  report("chain_1", nanosecondsEach(1'000'000, [&scope](long count) {
           for (long i = 0; i < count; ++i) chain(scope, 1);
         }));
  report("hop_of_10", nanosecondsEach(2'000'000, [&scope](long count) {
           for (long i = 0; i < count; i += 10) chain(scope, 10);
         }));
  report("gather_1000", nanosecondsEach(300, [&scope](long count) {
           for (long i = 0; i < count; ++i) {
             kj::Vector<kj::Own<kj::PromiseFulfiller<int>>> fulfillers;
             auto builder = kj::heapArrayBuilder<kj::Promise<int>>(1000);
             for (int j = 0; j < 1000; ++j) {
               auto paf = kj::newPromiseAndFulfiller<int>();
               fulfillers.add(kj::mv(paf.fulfiller));
               builder.add(kj::mv(paf.promise));
             }
             auto all = kj::joinPromises(builder.finish());
             for (auto& each : fulfillers) each->fulfill(1);
             all.wait(scope);
           }
         }));
  for (const int links : {1, 4, 10}) {
    const long before = allocations;
    chain(scope, links);
    std::printf("{\"name\": \"chain_%d_allocations\", \"allocations\": %ld}\n", links,
                allocations - before);
  }
}
