#include "plait/run_threads.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/offload.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

TEST_CASE(
    "runThreads runs main once on each of its threads and returns when all ended [THREAD-9]") {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<std::size_t> indices;
  std::atomic<int> ended{0};

  runThreads(4, [&](TeamMember& member) {
    CHECK(member.count() == 4);
    sleep(1us);
    {
      const std::lock_guard guard(mutex);
      threads.insert(std::this_thread::get_id());
      indices.insert(member.index());
    }
    if (member.index() == 0) CHECK(current().name() == "main");
    ++ended;
  });

  CHECK(ended == 4);
  CHECK(threads.size() == 4);
  CHECK(threads.contains(std::this_thread::get_id()));
  CHECK(indices == std::set<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("all loops exist before the first main begins, and can call each other [THREAD-9]") {
  constexpr std::size_t kCount = 3;
  std::atomic<int> greeted{0};

  runThreads(kCount, [&](TeamMember& member) {
    Event heard;
    int missing = kCount;
    std::vector<LoopHandle> others;
    for (std::size_t i = 0; i < kCount; ++i) others.push_back(member.loop(i));
    const LoopHandle mine = others[member.index()];
    for (const LoopHandle& other : others) {
      other.callFromThread([&greeted, &heard, &missing, mine] {
        ++greeted;
        mine.callFromThread([&heard, &missing] {
          if (--missing == 0) heard.set();
        });
      });
    }
    heard.wait();
    // The others may still need this loop.
    member.stop();
    member.stopRequested().wait();
    while (greeted < static_cast<int>(kCount * kCount)) yield();
  });

  CHECK(greeted == kCount * kCount);
}

TEST_CASE("a stop reaches every loop [THREAD-9]") {
  std::atomic<int> stopped{0};
  runThreads(4, [&](TeamMember& member) {
    if (member.index() == 2) member.stop();
    member.stopRequested().wait();
    ++stopped;
  });
  CHECK(stopped == 4);
}

TEST_CASE("a stop from a thread of nobody reaches every loop [THREAD-9]") {
  std::atomic<int> stopped{0};
  std::thread stranger;
  runThreads(2, [&](TeamMember& member) {
    if (member.index() == 0) stranger = std::thread([&member] { member.stop(); });
    member.stopRequested().wait();
    ++stopped;
    if (member.index() == 0) offload([&] { stranger.join(); });
  });
  CHECK(stopped == 2);
}

TEST_CASE("an error of one main stops the others and is thrown [THREAD-9]") {
  for (std::size_t failing = 0; failing < 3; ++failing) {
    CAPTURE(failing);
    std::atomic<int> asked{0};
    std::atomic<int> unwound{0};
    CHECK_THROWS_WITH(runThreads(3,
                                 [&](TeamMember& member) {
                                   struct Count {
                                     std::atomic<int>& unwound;
                                     ~Count() { ++unwound; }
                                   };
                                   const Count count{unwound};
                                   if (member.index() == failing) {
                                     throw std::runtime_error("of one");
                                   }
                                   try {
                                     sleep(1h);
                                   } catch (...) {
                                     if (member.stopRequested().isSet()) ++asked;
                                     throw;
                                   }
                                 }),
                      "of one");
    CHECK(unwound == 3);
    CHECK(asked == 2);
  }
}

TEST_CASE(
    "of several errors the first is thrown, and a main that swallows its kill ends [THREAD-9]") {
  CHECK_THROWS_AS(runThreads(4, [](TeamMember&) { throw std::runtime_error("each"); }),
                  std::runtime_error);
  CHECK_THROWS_WITH(runThreads(2,
                               [](TeamMember& member) {
                                 if (member.index() == 1) throw std::runtime_error("first");
                                 try {
                                   sleep(1h);
                                 } catch (const Cancellation&) {
                                 }
                               }),
                    "first");
}

TEST_CASE("runThreads of one thread is a run [THREAD-9]") {
  bool ran = false;
  runThreads(1, [&](TeamMember& member) {
    CHECK(member.index() == 0);
    yield();
    ran = true;
  });
  CHECK(ran);
}

TEST_CASE("runThreads without a thread, or inside a run, is refused [THREAD-9]") {
  CHECK_THROWS_AS(runThreads(0, [](TeamMember&) {}), std::logic_error);
  run([] {
    CHECK_THROWS_WITH_AS(runThreads(1, [](TeamMember&) {}), doctest::Contains("runThreads"),
                         std::logic_error);
  });
}

TEST_CASE("a loop that has ended is told apart [THREAD-8]") {
  runThreads(2, [](TeamMember& member) {
    if (member.index() == 1) return;
    for (;;) {
      try {
        member.loop(1).callFromThread([] {});
      } catch (const ReactorStopped&) {
        return;
      }
      yield();
    }
  });
  std::optional<LoopHandle> kept;
  runThreads(2, [&](TeamMember& member) {
    if (member.index() == 0) kept = member.loop(0);
  });
  CHECK(kept->isStopped());
}

TEST_CASE("options that no kernel takes are an error of runThreads [THREAD-9]") {
  CHECK_THROWS_AS(runThreads(3, [](TeamMember&) {}, onKernel("none")), Error);
}

TEST_CASE("a thread that cannot be started is an error, and no main is left waiting [THREAD-9]") {
  CHECK(inChild([] {
          // No thread finds room for such a stack.
          pthread_attr_t attributes;
          ::pthread_attr_init(&attributes);
          ::pthread_attr_setstacksize(&attributes, std::size_t{1} << 46);
          if (::pthread_setattr_default_np(&attributes) != 0) return 50;
          bool wasTold = true;
          try {
            runThreads(
                2, [&](TeamMember& member) { wasTold = member.stopRequested().wait(5s); },
                onKernel("sim"));
          } catch (const std::system_error&) {
            return wasTold ? 0 : 1;
          }
          return 2;
        }) == 0);
}

namespace {

// Copied by each loop that begins: from then on no thread finds room for its stack.
struct RefuseThreads {
  RefuseThreads() = default;
  RefuseThreads(const RefuseThreads&) { setStacks(std::size_t{1} << 46); }
  static void setStacks(std::size_t bytes) {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, bytes);
    ::pthread_setattr_default_np(&attributes);
  }
  void operator()(const ErrorReport&) const {}
};

}  // namespace

TEST_CASE("loops that exist when a thread is refused end, and no main begins [THREAD-9]") {
  CHECK(inChild([] {
          RunOptions options = onKernel("sim");
          options.errorSink = RefuseThreads();
          RefuseThreads::setStacks(std::size_t{1} << 18);  // making the option has copied it too
          std::atomic<int> begun{0};
          try {
            runThreads(1000, [&](TeamMember&) { ++begun; }, options);
          } catch (const std::system_error&) {
            return begun == 0 ? 0 : 1;
          }
          return 2;
        }) == 0);
}

TEST_CASE("loops hand each other values by calls [THREAD-7]") {
  // The objects of a loop are its own; what may cross is a call.
  std::atomic<bool> crossed{false};
  runThreads(2, [&](TeamMember& member) {
    if (member.index() == 1) {
      Event got;
      int value = 0;
      const LoopHandle mine;
      member.loop(0).callFromThread([&, mine] {
        int computed = 41;
        ++computed;
        mine.callFromThread([&, computed] {
          value = computed;
          got.set();
        });
      });
      got.wait();
      CHECK(value == 42);
      crossed = true;
      member.stop();
    }
    member.stopRequested().wait();
  });
  CHECK(crossed);
}
