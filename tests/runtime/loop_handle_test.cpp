#include "plait/loop_handle.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/detail/process.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/group.h"
#include "plait/queue.h"
#include "plait/semaphore.h"
#include "plait/statistics.h"
#include "plait/timeout.h"
#include "stacks.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("posted calls run on the loop's thread, once, in the order of their caller [THREAD-7]") {
  constexpr int kThreads = 4;
  constexpr int kCalls = 5000;
  const LoopHandle handle;
  const auto here = std::this_thread::get_id();
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kCalls;
  Event done;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const LoopHandle mine(handle);
      for (int i = 0; i < kCalls; ++i) {
        mine.callFromThread([&, t, i] {
          CHECK(std::this_thread::get_id() == here);
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (--left == 0) done.set();
        });
      }
    });
  }

  done.wait();
  for (std::thread& thread : threads) thread.join();

  for (const std::vector<int>& order : seen) {
    REQUIRE(order.size() == kCalls);
    for (int i = 0; i < kCalls; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("a sleeping loop wakes for every posted call [THREAD-7]") {
  for (const std::string& kernel : kernels()) {
    CAPTURE(kernel);
    runFiberTest(onKernel(kernel), [] {
      const LoopHandle handle;
      Queue<int> calls;
      std::thread caller([loop = threadId(), &handle, &calls] {
        for (int i = 0; i < 200; ++i) {
          waitUntilAsleep(loop);
          handle.callFromThread([&calls, i] { calls.tryPut(i); });
        }
      });

      for (int i = 0; i < 200; ++i) CHECK(calls.get() == i);
      caller.join();
    });
  }
}

FIBER_TEST("a loop wakes for a call that comes while it is on its way to sleep [THREAD-7]") {
  // Each side waits for the other, so every call meets the loop at its going to sleep.
  const LoopHandle handle;
  std::atomic<int> asked{0};
  int answered = 0;
  Event answer;
  std::thread caller([&] {
    for (int i = 1; i <= 3000; ++i) {
      asked.wait(i - 1);
      handle.callFromThread([&answered, &answer] {
        ++answered;
        answer.set();
      });
    }
  });

  for (int i = 1; i <= 3000; ++i) {
    answer.clear();
    asked = i;
    asked.notify_one();
    answer.wait();
    CHECK(answered == i);
  }
  caller.join();
}

FIBER_TEST("the free callFromThread finds the loop that started first [THREAD-7]") {
  const auto here = std::this_thread::get_id();
  const LoopHandle keepsAlive;
  Event done;
  std::thread caller([&] {
    run([&] {
      callFromThread([&] {
        CHECK(std::this_thread::get_id() == here);
        done.set();
      });
    });
  });

  done.wait();
  caller.join();
}

TEST_CASE("callFromThread without any loop throws ReactorStopped [THREAD-8]") {
  CHECK_THROWS_AS(callFromThread([] {}), ReactorStopped);
  run([] {});
  CHECK_THROWS_AS(callFromThread([] {}), ReactorStopped);
}

TEST_CASE("a LoopHandle off a loop throws [THREAD-6]") {
  CHECK_THROWS_AS(LoopHandle(), std::logic_error);
}

TEST_CASE(
    "posting to a loop that has ended throws, and the function is destroyed unrun [THREAD-8]") {
  std::optional<LoopHandle> handle;
  run([&] {
    handle.emplace();
    CHECK_FALSE(handle->isStopped());
  });
  auto captured = std::make_shared<int>(0);

  CHECK(handle->isStopped());
  CHECK_THROWS_AS(handle->callFromThread([captured] { ++*captured; }), ReactorStopped);
  const LoopHandle copy(*handle);
  CHECK_THROWS_AS(copy.callFromThread([captured] { ++*captured; }), ReactorStopped);
  run([&] { CHECK_THROWS_AS(copy.callFromThread([captured] { ++*captured; }), ReactorStopped); });

  CHECK(captured.use_count() == 1);
  CHECK(*captured == 0);
}

TEST_CASE("a call that was posted too late for its loop is destroyed, run or unrun [THREAD-8]") {
  constexpr int kThreads = 4;
  constexpr long kWaitingMax = 50;
  for (int round = 0; round < 50; ++round) {
    auto captured = std::make_shared<std::atomic<int>>(0);
    std::atomic<int> posted{0};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    run([&] {
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([handle = LoopHandle(), captured, &posted, &ready] {
          ++ready;
          try {
            for (;;) {
              handle.callFromThread([captured] { ++*captured; });
              ++posted;
              while (captured.use_count() > kWaitingMax) std::this_thread::yield();
            }
          } catch (const ReactorStopped&) {
          }
        });
      }
      while (ready < kThreads) yield();
    });
    for (std::thread& thread : threads) thread.join();

    CHECK(captured.use_count() == 1);
    CHECK(*captured <= posted);
  }
}

FIBER_TEST("what a posted call throws is reported, and the next ones run [LOOP-9]") {
  ExpectedErrors errors;
  const LoopHandle handle;
  Event done;
  std::thread caller([&] {
    handle.callFromThread([] { throw std::runtime_error("posted"); });
    handle.callFromThread([&] { done.set(); });
  });

  done.wait();
  caller.join();

  const auto reported = errors.take();
  REQUIRE(reported.size() == 1);
  CHECK(reported[0].find("loop_handle_test.cpp:") != std::string::npos);
  CHECK(reported[0].ends_with("posted"));
}

FIBER_TEST("a posted call may park, and the calls behind it run [LOOP-7]") {
  const LoopHandle handle;
  Event go;
  std::string order;
  std::thread caller([&] {
    handle.callFromThread([&] {
      go.wait();
      order += 'p';
    });
    handle.callFromThread([&] {
      order += 'n';
      go.set();
    });
  });
  caller.join();
  while (order.size() < 2) yield();

  CHECK(order == "np");
}

TEST_CASE("handles may be copied, assigned and dropped on any thread [THREAD-8]") {
  if (detail::process::foreignThreads() > 1) return;  // a sanitizer's: no deadlock is found
  std::atomic<int> called{0};
  std::optional<LoopHandle> ended;
  run([&ended] { ended.emplace(); });
  // One handle that is counted too often keeps the loop waiting for ever; one that is not counted
  // is seen by nobody but the deadlock that comes too early.
  CHECK_THROWS_AS(run([&called, &ended] {
                    std::optional<LoopHandle> handle;
                    handle.emplace();
                    std::vector<std::thread> threads;
                    for (int t = 0; t < 4; ++t) {
                      threads.emplace_back([handle = *handle, &ended, &called] {
                        LoopHandle other(*ended);
                        CHECK(other.isStopped());
                        other = handle;
                        for (int i = 0; i < 1000; ++i) {
                          const LoopHandle copy(other);
                          other = copy;
                          CHECK_FALSE(copy.isStopped());
                        }
                        other.callFromThread([&called] { ++called; });
                      });
                    }
                    for (std::thread& thread : threads) thread.join();
                    handle.reset();
                    Event().wait();
                  }),
                  DeadlockError);
  CHECK(called == 4);
}

TEST_CASE("calls that need a loop throw off a loop and say so [THREAD-6]") {
  Event event;
  Semaphore semaphore(1);
  Queue<int> queue;
  const auto says = [](const std::function<void()>& f) {
    try {
      f();
    } catch (const std::logic_error& error) {
      return std::string(error.what()).find("plait::run()") != std::string::npos;
    }
    return false;
  };

  CHECK(says([&] { event.wait(); }));
  CHECK(says([&] { semaphore.acquire(); }));
  CHECK(says([&] { queue.put(1); }));
  CHECK(says([&] { queue.get(); }));
  CHECK(says([] { spawn([] {}); }));
  CHECK(says([] { yield(); }));
  CHECK(says([] { sleep(1s); }));
  CHECK(says([] { current(); }));
  CHECK(says([] { loopStatistics(); }));
  CHECK(says([] { Timeout(1s); }));
  CHECK(semaphore.available() == 1);
  CHECK(queue.isEmpty());
}

TEST_CASE("waking a fiber from a wrong thread ends the process with a message [THREAD-6]") {
  // In a child: the runtime refuses to go on with what it cannot trust.
  const stacks::Death death = stacks::inChild([] {
    run([] {
      Event event;
      auto waiter = spawn([&] { event.wait(); });
      settle();
      std::thread([&] { event.set(); }).join();
      waiter.join();
    });
  });

  CHECK(death.signal == SIGABRT);
  CHECK(death.standardError.starts_with("plait: assertion failed: "));
  CHECK(death.standardError.find("waiter.cpp:") != std::string::npos);
}
