// What the thread keeps and belongs to each fiber: errno, locals, jumps. A fiber never moves.
#include <sys/mman.h>

#include <cerrno>
#include <csetjmp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/detail/await.h"
#include "plait/event.h"
#include "plait/fiber_local.h"
#include "plait/greenlet.h"
#include "plait/run.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;

namespace {

thread_local int threadLocal = 0;

// What a compiler may not know: where the thread-local is after a call.
[[gnu::noinline]] int* addressOfThreadLocal() { return &threadLocal; }

}  // namespace

FIBER_TEST("errno is the same after a switch as before [CONTEXT-6]") {
  const auto keeper = [](int number) {
    return spawn([number] {
      errno = number;
      for (int i = 0; i < 5; ++i) {
        yield();
        if (errno != number) return false;
      }
      return true;
    });
  };
  const std::vector<Greenlet<bool>> all{keeper(EINTR), keeper(ENOENT), keeper(0), keeper(EIO)};
  callSoon([] { errno = EDOM; });
  callSoon([] {
    errno = ERANGE;
    yield();
    CHECK(errno == ERANGE);
  });
  errno = EPERM;

  yield();

  CHECK(errno == EPERM);
  for (const auto& greenlet : all) CHECK(greenlet.get());
}

FIBER_TEST("errno survives waiting for an operation and for a timer [CONTEXT-6]") {
  errno = EDOM;
  detail::Op nop(detail::OpKind::nop);
  detail::await(nop, "nop");
  CHECK(errno == EDOM);

  sleep(std::chrono::nanoseconds(1));
  CHECK(errno == EDOM);
}

TEST_CASE("errno survives a switch that makes a stack whose guard is refused [CONTEXT-6]") {
  const stacks::Death death = stacks::inChild([] {
    run([] {
      // Guards without mappings are refused in locked memory.
      if (::mlockall(MCL_FUTURE | MCL_ONFAULT) != 0) _exit(42);
      const AnyGreenlet other = spawn({.stackBytes = 96 * 1024}, [] {});
      errno = EDOM;
      yield();
      if (errno == EDOM && other.isReady()) _exit(42);
    });
  });

  CHECK(death.status == 42);
}

FIBER_TEST("a fiber begins with errno 0, whatever ran before it [CONTEXT-6]") {
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) {
    spawn([&seen] {
      seen.push_back(errno);
      errno = EIO;
    });
    callSoon([] { errno = EDOM; });
  }
  errno = ENOENT;

  settle();

  CHECK(seen == std::vector<int>(3, 0));
}

FIBER_TEST("a fiber stays on its thread for its whole life [CONTEXT-7]") {
  const std::thread::id thread = std::this_thread::get_id();
  const int* const address = addressOfThreadLocal();
  bool isSame = true;
  const auto wander = [&] {
    for (int i = 0; i < 5; ++i) {
      isSame = isSame && std::this_thread::get_id() == thread && addressOfThreadLocal() == address;
      yield();
    }
  };

  const AnyGreenlet one = spawn(wander);
  const AnyGreenlet two = spawn(wander);
  callSoon(wander);
  joinAll({one, two});
  settle();

  CHECK(isSame);
}

FIBER_TEST("a fiber local has one value per fiber, destroyed at the fiber's end [CONTEXT-8]") {
  struct Value {
    ~Value() {
      if (log != nullptr) *log += std::to_string(number) + (current().isReady() ? "! " : " ");
    }
    int number = 0;
    std::string* log = nullptr;
  };
  static FiberLocal<Value> local;
  std::string log;
  const auto own = [&log](int number) {
    return spawn([&log, number] {
      const bool wasFresh = local->number == 0;
      local->number = number;
      local->log = &log;
      for (int i = 0; i < number; ++i) yield();
      return wasFresh && local->number == number;
    });
  };

  const std::vector<Greenlet<bool>> all{own(3), own(1), own(2)};
  joinAll(all);

  for (const auto& greenlet : all) CHECK(greenlet.get());
  CHECK(log == "1 2 3 ");
}

FIBER_TEST("a fiber local of a killed fiber is destroyed, and may block meanwhile [CONTEXT-8]") {
  struct Value {
    ~Value() {
      for (int i = 0; i < 3; ++i) yield();
      if (steps != nullptr) *steps += "local ";
    }
    std::string* steps = nullptr;
  };
  static FiberLocal<Value> local;
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    local->steps = &steps;
    Event().wait();
  });
  yield();

  target.kill();
  steps += "killed";

  CHECK(steps == "local killed");
}

FIBER_TEST("a callback begins without locals and loses its own at its end [CONTEXT-8]") {
  static FiberLocal<std::shared_ptr<int>> local;
  std::vector<bool> wasEmpty;
  const auto value = std::make_shared<int>(1);
  const auto use = [&] {
    wasEmpty.push_back(*local == nullptr);
    *local = value;
  };

  use();
  callSoon(use);
  callSoon([&] {
    use();
    yield();
    wasEmpty.push_back(*local == nullptr);
  });
  callSoon(use);
  settle();

  CHECK(wasEmpty == std::vector<bool>{true, true, true, true, false});
  CHECK(value.use_count() == 2);
}

FIBER_TEST("a fiber local begins with what its function makes [CONTEXT-8]") {
  static int made = 0;
  static FiberLocal<std::unique_ptr<int>> local([] { return std::make_unique<int>(++made); });

  const auto one = spawn([] { return **local * 10 + **local; });

  CHECK(**local == 1);
  CHECK(one.get() == 22);
}

FIBER_TEST("setjmp and longjmp work within a fiber's stack [CONTEXT-9]") {
  const auto jumper = [](int rounds) {
    return spawn([rounds] {
      std::jmp_buf back;
      volatile int jumps = 0;
      setjmp(back);
      yield();
      if (jumps < rounds) {
        jumps = jumps + 1;
        std::longjmp(back, 1);
      }
      return static_cast<int>(jumps);
    });
  };

  const auto one = jumper(3);
  const auto two = jumper(5);

  CHECK(one.get() == 3);
  CHECK(two.get() == 5);
}
