// What happens at the end of a fiber's stack.
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/detail/sanitizer.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/run.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;
using stacks::contains;
using stacks::Death;
using stacks::dig;
using stacks::inChild;

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kDefault = detail::StackPool::kDefaultBytes;

}  // namespace

TEST_CASE("an overflow names the fiber, its spawn and its size, then SIGSEGV [CONTEXT-13]") {
  const unsigned line = __LINE__ + 2;
  const Death death = inChild([] {
    run([] { spawn({.name = "digger", .stackBytes = 512 * kKiB}, [] { dig(1u << 30); }).join(); });
  });

  CHECK(contains(death.standardError, "'digger'"));
  CHECK(contains(death.standardError, "stack_overflow_test.cpp:" + std::to_string(line)));
  CHECK(contains(death.standardError, "overflowed its 512 KiB stack"));
#ifndef PLAIT_ASAN  // which has a handler of its own, and exits
  CHECK(death.signal == SIGSEGV);
#endif
}

TEST_CASE("an overflow of a stack used before names its fiber of now [CONTEXT-13]") {
  const Death death = inChild([] {
    run([] {
      spawn({.name = "before"}, [] {});
      spawn({.name = "parked"}, [] { Event().wait(); });
      yield();
      spawn({.name = "digger"}, [] { dig(1u << 30); }).join();
    });
  });

  CHECK(contains(death.standardError, "'digger'"));
  CHECK_FALSE(contains(death.standardError, "'before'"));
  CHECK_FALSE(contains(death.standardError, "'parked'"));
}

TEST_CASE("an overflow in main and in a callback is named too [CONTEXT-13]") {
  const Death inMain = inChild([] { run([] { dig(1u << 30); }); });
  CHECK(contains(inMain.standardError, "'main'"));

  for (const bool asks : {false, true}) {
    const unsigned line = __LINE__ + 3;
    const Death inCallback = inChild([asks] {
      run([asks] {
        callSoon([asks] {
          if (asks) static_cast<void>(current());
          dig(1u << 30);
        });
        Event().wait();
      });
    });

    CHECK(contains(inCallback.standardError, "overflowed its"));
    CHECK(contains(inCallback.standardError, "callback"));
    CHECK(contains(inCallback.standardError, "stack_overflow_test.cpp:" + std::to_string(line)));
  }
}

TEST_CASE(
    "another bad access in a fiber is no overflow, and the handler before gets it [CONTEXT-14]") {
  for (const bool hasHandler : {false, true}) {
    const Death death = inChild([hasHandler] {
      if (hasHandler) ::signal(SIGSEGV, [](int) { _exit(42); });
      run([] {
        spawn([] {
          char* volatile bad = reinterpret_cast<char*>(kPage / 2);
          stacks::write(bad);
        }).join();
      });
    });

    CHECK_FALSE(contains(death.standardError, "overflowed"));
    if (hasHandler) CHECK(death.status == 42);
#ifndef PLAIT_ASAN
    if (!hasHandler) CHECK(death.signal == SIGSEGV);
#endif
  }
}

TEST_CASE("a frame larger than the rest of the stack hits the guard [CONTEXT-15]") {
  const Death death = inChild([] {
    run([] {
      std::vector<AnyGreenlet> neighbours;
      for (int i = 0; i < 4; ++i) neighbours.push_back(spawn([] { Event().wait(); }));
      spawn({.name = "wide"}, [] {
        std::array<char, 4 * kDefault> frame;
        frame[0] = 1;
        asm volatile("" : : "r"(frame.data()) : "memory");  // or the compiler keeps one byte of it
        _exit(frame[0] == 1 ? 1 : 2);
      }).join();
    });
  });

  CHECK(contains(death.standardError, "'wide'"));
  CHECK(contains(death.standardError, "overflowed its"));
  CHECK(death.status != 1);
}

TEST_CASE("stacks are guarded by page protection where nothing else can be had [CONTEXT-12]") {
  const Death death = inChild([] {
    const stacks::Mask masked(stacks::kMaskInstall);
    run([] { spawn({.name = "digger"}, [] { dig(1u << 30); }).join(); });
  });

  CHECK(contains(death.standardError, "'digger'"));
}

TEST_CASE("stacks without a guard are warned about once [CONTEXT-12]") {
  std::vector<std::string> reports;
  {
    const stacks::Mask masked(stacks::kMaskBoth);
    RunOptions options;
    options.errorSink = [&reports](const ErrorReport& report) {
      reports.push_back(report.context + ": " + describe(report.error));
    };
    run(options, [] {
      for (int i = 0; i < 5; ++i) spawn([] { Event().wait(); });
      yield();
    });
  }

  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "guard"));
}
