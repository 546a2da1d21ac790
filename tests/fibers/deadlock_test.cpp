// When nothing can wake anybody any more, run() says so.
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/cancel_shield.h"
#include "plait/detail/await.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/loop_handle.h"
#include "plait/mutex.h"
#include "plait/queue.h"
#include "plait/run.h"
#include "plait/timeout.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

// The message of the DeadlockError of a run; empty if there was none.
std::string deadlockOf(const std::function<void()>& main) {
  try {
    run(main);
  } catch (const DeadlockError& e) {
    return e.what();
  }
  return {};
}

// In a child, which is given up when it hangs: 42 if the run ended with a DeadlockError.
stacks::Death deadlockInChild(void (*main)()) {
  return stacks::inChild([main] {
    alarm(10);
    if (!deadlockOf(main).empty()) _exit(42);
  });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a deadlock names each fiber, its wait and the place of its spawn [LOOP-13]") {
  const unsigned line = __LINE__ + 2;
  const std::string text = deadlockOf([] {
    spawn({.name = "taker"}, [] { Queue<int>().get(); });
    callSoon([] { Event().wait(); });
    const AnyGreenlet finished = spawn({.name = "finished"}, [] {});
    spawn([] { spawn([] { Event().wait(); }).join(); });
    Event().wait();
  });

  const std::string here = "deadlock_test.cpp:";
  CHECK(contains(text, "'main' (spawned at "));
  CHECK(contains(text, "'taker' (spawned at "));
  CHECK(contains(text, here + std::to_string(line) + ") waits in Queue::get"));
  CHECK(contains(text, here + std::to_string(line + 1) + " waits in Event::wait"));
  CHECK(contains(text, "waits in join"));
  CHECK_FALSE(contains(text, "'finished'"));
  CHECK_FALSE(contains(text, "plait-closer"));
}

TEST_CASE("a deadlock tells what a fiber waits for and who holds that [LOOP-13]") {
  const std::string text = deadlockOf([] {
    Mutex mutex;
    const AnyGreenlet target = spawn({.name = "holder"}, [&mutex] {
      mutex.lock();
      Event().wait();
    });
    const AnyGreenlet waiter = spawn({.name = "waiter"}, [&mutex] { mutex.lock(); });
    waiter.join();
  });

  const std::size_t mutex = text.find("waits in Mutex::lock");
  REQUIRE(mutex != std::string::npos);
  CHECK(contains(text.substr(mutex, text.find('\n', mutex) - mutex), "holder"));
  const std::size_t join = text.find("waits in join");
  REQUIRE(join != std::string::npos);
  CHECK(contains(text.substr(join, text.find('\n', join) - join), "waiter"));
}

TEST_CASE("a deadlock unwinds every fiber before run throws [LOOP-13] [LOOP-16]") {
  std::string steps;
  const std::string text = deadlockOf([&steps] {
    spawn([&steps] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        yield();
        steps += "unwound ";
        throw;
      }
    });
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      steps += "main ";
      throw;
    }
  });

  CHECK_FALSE(text.empty());
  CHECK(steps.size() == std::string("unwound main ").size());
}

TEST_CASE("a deadlock of a shielded main is told too [LOOP-13]") {
  const stacks::Death death = deadlockInChild([] {
    const CancelShield shield;
    Event().wait();
  });

  CHECK(death.status == 42);
}

TEST_CASE("a deadlock in the handler of a kill is told too [LOOP-13]") {
  const stacks::Death death = deadlockInChild([] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      Event().wait();
    }
  });

  CHECK(death.status == 42);
}

TEST_CASE(
    "a main that swallows its kills for ever does not hide the deadlock [LOOP-13] [LOOP-17]") {
  const stacks::Death death = deadlockInChild([] {
    for (;;) {
      try {
        Event().wait();
      } catch (...) {
      }
    }
  });

  CHECK(death.status == 42);
}

FIBER_TEST_ON("sim", "a timer, a timeout's too, is hope [LOOP-14]") {
  Event event;
  callLater(10ms, [&event] { event.set(); });
  event.wait();

  const Timeout timeout(10ms);
  CHECK_THROWS_AS(Event().wait(), TimeoutExpired);
}

FIBER_TEST("an operation in flight is hope [LOOP-14]") {
  int ends[2];
  detail::Op pipe(detail::OpKind::pipe);
  pipe.buffer = ends;
  REQUIRE(detail::callKernel(pipe) == 0);
  Event ready;
  const AnyGreenlet reader = spawn([&] {
    detail::Op write(detail::OpKind::write, ends[1]);
    write.setBuffer("x", 1);
    detail::await(write, "write");
    char byte;
    detail::Op read(detail::OpKind::read, ends[0]);
    read.setBuffer(&byte, 1);
    detail::await(read, "read");
    ready.set();
  });

  ready.wait();

  reader.join();
  for (const int end : ends) {
    detail::Op close(detail::OpKind::close, end);
    detail::await(close, "close");
  }
}

TEST_CASE("another's handle of the loop is hope as long as it lives [LOOP-14]") {
  std::string steps;
  const std::string text = deadlockOf([&steps] {
    auto handle = std::make_unique<LoopHandle>();
    Event event;
    handle->callFromThread([&] {
      steps += "called ";
      handle.reset();
    });
    event.wait();
  });

  CHECK(steps == "called ");
  CHECK_FALSE(text.empty());
}
