// How plait uses its kernel: what is submitted, what a cancel leaves, and small rings.
#include <array>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/detail/await.h"
#include "plait/statistics.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

using namespace plait;
using namespace std::chrono_literals;

namespace {

RunOptions tinyRing() {
  RunOptions options;
  options.kernel = "uring";
  options.queueEntries = 8;
  return options;
}

}  // namespace

FIBER_TEST(
    "a killed reader leaves only when the kernel has given its buffer back [KERNEL-1] [KERNEL-2]") {
  auto [near, far] = net::socketPair();
  std::array<std::byte, 16> buffer{};
  auto reader = spawn([&near, &buffer] { near.readSome(buffer); });
  test::settle();
  CHECK(loopStatistics().inFlight == 1);

  reader.requestKill();
  CHECK_FALSE(reader.isReady());
  reader.join();

  CHECK(reader.isKilled());
  CHECK(loopStatistics().inFlight == 0);
  // The answer to the cancel was nobody's completion: the stream is as good as before.
  far.writeAll("after");
  CHECK(near.readSome(buffer) == 5);
}

FIBER_TEST_WITH(tinyRing(),
                "operations in time leave no trace of their timeouts in the ring [KERNEL-7]") {
  const auto submittedBy = [](Duration limit) {
    const auto before = loopStatistics().submitted;
    withTimeout(limit, [] {
      for (int i = 0; i < 100; ++i) {
        detail::Op nop(detail::OpKind::nop);
        detail::await(nop, "nop");
      }
    });
    return loopStatistics().submitted - before;
  };
  submittedBy(kForever);  // the wake-up is armed with the first wait

  CHECK(submittedBy(30s) == submittedBy(kForever));
}

FIBER_TEST_WITH(tinyRing(), "a ring of eight entries serves a thousand fibers [KERNEL-8]") {
  int done = 0;
  std::vector<Greenlet<void>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(spawn([&done] {
      for (int j = 0; j < 10; ++j) {
        detail::Op nop(detail::OpKind::nop);
        if (detail::await(nop, "nop") == 0) ++done;
      }
    }));
  }
  joinAll(all);

  CHECK(done == 10'000);
}

TEST_CASE("a run belongs to whatever thread calls it [KERNEL-10]") {
  int value = 0;
  std::thread([&value] { value = run([] { return spawn([] { return 7; }).get(); }); }).join();

  CHECK(value == 7);
}
