// Boost.Fiber's yield, spawn + join and channel hand-over, with its default round-robin scheduler.
#include <vector>

#include <boost/fiber/all.hpp>

#include "report.h"

namespace fibers = boost::fibers;

namespace {

void yields(long total, long fiberCount) {
  std::vector<fibers::fiber> all;
  for (long f = 0; f < fiberCount; ++f) {
    all.emplace_back([each = total / fiberCount] {
      for (long i = 0; i < each; ++i) boost::this_fiber::yield();
    });
  }
  for (fibers::fiber& fiber : all) fiber.join();
}

// The pooled stacks are the fast way: by default each spawn would malloc and free 128 KiB.
void spawnsAndJoins(long total, long batch) {
  static fibers::pooled_fixedsize_stack stacks(64 * 1024);
  std::vector<fibers::fiber> all;
  for (long done = 0; done < total; done += batch) {
    for (long i = 0; i < batch; ++i) {
      all.emplace_back(fibers::launch::post, std::allocator_arg, stacks, [] {});
    }
    for (fibers::fiber& fiber : all) fiber.join();
    all.clear();
  }
}

template <class Channel>
void handOver(Channel& channel, long total) {
  fibers::fiber consumer([&channel] {
    long item = 0;
    while (channel.pop(item) == fibers::channel_op_status::success) {
    }
  });
  for (long i = 0; i < total; ++i) channel.push(i);
  channel.close();
  consumer.join();
}

}  // namespace

int main() {
  report("yield_2", nanosecondsEach(2'000'000, [](long n) { yields(n, 2); }));
  report("yield_1000", nanosecondsEach(2'000'000, [](long n) { yields(n, 1000); }));
  report("spawn_join", nanosecondsEach(500'000, [](long n) { spawnsAndJoins(n, 1); }));
  report("spawn_join_batch", nanosecondsEach(500'000, [](long n) { spawnsAndJoins(n, 1000); }));
  report("queue_handover", nanosecondsEach(1'000'000, [](long n) {
           fibers::unbuffered_channel<long> channel;
           handOver(channel, n);
         }));
  report("queue_handover_buffered", nanosecondsEach(1'000'000, [](long n) {
           fibers::buffered_channel<long> channel(64);
           handOver(channel, n);
         }));
  // A fiber waits for a future, another one fires it: both take one turn each.
  report("wait_unfired", nanosecondsEach(500'000, [](long count) {
           fibers::promise<int>* waited = nullptr;
           bool over = false;
           fibers::fiber waiter([&] {
             for (long i = 0; i < count; ++i) {
               fibers::promise<int> promise;
               auto future = promise.get_future();
               waited = &promise;
               future.get();
             }
             over = true;
           });
           fibers::fiber firer([&] {
             while (!over) {
               if (waited != nullptr) std::exchange(waited, nullptr)->set_value(1);
               boost::this_fiber::yield();
             }
           });
           waiter.join();
           firer.join();
         }));
}
