// Stacks as fibers have them: sizes, addresses, backtraces.
#include <execinfo.h>
#include <link.h>
#include <netdb.h>
#include <sys/mman.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fiber_test.h"
#include "machine.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/run.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;
using plait::detail::FiberMachine;
using stacks::contains;
using stacks::Death;
using stacks::dig;
using stacks::inChild;
using stacks::residentBytes;

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kDefault = detail::StackPool::kDefaultBytes;

detail::Stack stackOf(const AnyGreenlet& greenlet) {
  return FiberMachine::of(greenlet.fiber()).stack;
}

std::size_t stackBytes(SpawnOptions options) {
  return spawn(options, [] { return stackOf(current()).bytes; }).get();
}

}  // namespace

// --- sizes ---

FIBER_TEST("the size of a stack is an option of each spawn, 64 KiB at least [CONTEXT-16]") {
  const std::size_t factor = detail::StackPool::kSanitizerFactor;

  CHECK(stackBytes({}) == factor * 256 * kKiB);
  CHECK(stackBytes({.stackBytes = 1}) == factor * 64 * kKiB);
  CHECK(stackBytes({.stackBytes = 1024 * kKiB}) >= 1024 * kKiB);
  CHECK(stackBytes({.stackBytes = 1000 * kKiB}) >= 1000 * kKiB);
  CHECK(spawn({.stackBytes = 4096 * kKiB}, [] { return dig(3500 * kKiB); }).get() > 0);
}

TEST_CASE("the size of a run's stacks is an option of the run [CONTEXT-16]") {
  RunOptions options;
  options.stackBytes = 2048 * kKiB;

  run(options, [] {
    CHECK(stackOf(current()).bytes == 2048 * kKiB);
    CHECK(stackBytes({}) == 2048 * kKiB);
    CHECK(stackBytes({.stackBytes = 512 * kKiB}) == 512 * kKiB);
  });
}

FIBER_TEST("a stack that no memory can give fails its fiber, and the others run on [CONTEXT-16]") {
  bool hasRun = false;
  const auto capture = std::make_shared<int>(1);
  const auto refused =
      spawn({.name = "giant", .stackBytes = SIZE_MAX / 2}, [&hasRun, capture] { hasRun = true; });
  const auto other = spawn([] { return 3; });

  CHECK_THROWS_WITH_AS(refused.get(), doctest::Contains("SpawnOptions::stackBytes"), Error);

  CHECK_FALSE(hasRun);
  CHECK(capture.use_count() == 1);
  CHECK(other.get() == 3);
}

FIBER_TEST("what programs do on a stack uses less than half of the default one [CONTEXT-16]") {
  const auto used = [](const std::function<void()>& work) {
    const AnyGreenlet fresh = spawn({.stackBytes = kDefault - kPage}, [&work] {
      const detail::Stack stack = stackOf(current());
      madvise(stack.bottom, stack.bytes - 4 * kPage, MADV_DONTNEED);
      work();
      CHECK(residentBytes(stack) < kDefault / 2);
    });
    fresh.join();
    return fresh.isSuccessful();
  };

  CHECK(used([] {
    std::array<char, 100> text{};
    std::snprintf(text.data(), text.size(), "%30.17Lg %s", 1.0L / 3, "formatted");
  }));
  CHECK(used([] {
    std::ostringstream stream;
    stream << std::setprecision(30) << 1.0L / 3 << std::hex << 255;
  }));
  CHECK(used([] {
    addrinfo* found = nullptr;
    if (getaddrinfo("localhost", "80", nullptr, &found) == 0) freeaddrinfo(found);
  }));
  CHECK(used([] {
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception&) {
    }
  }));
  CHECK(used([] {
    std::array<void*, 100> frames;
    CHECK(backtrace(frames.data(), 100) > 0);
  }));
  CHECK(used([] {
    std::size_t files = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at("/proc/self/net", error), end;
         at != end && files < 1000; at.increment(error)) {
      ++files;
    }
  }));
}

// --- addresses ---

FIBER_TEST("addresses of a parked fiber's locals stay valid for others [CONTEXT-10]") {
  std::vector<int*> addresses;
  Event go;
  const auto own = [&](int number) {
    return spawn([&, number] {
      int local = number;
      addresses.push_back(&local);
      go.wait();
      return addresses[static_cast<std::size_t>(number)] == &local && local == 10 * number;
    });
  };
  const std::vector<Greenlet<bool>> all{own(0), own(1), own(2)};
  yield();

  for (int* address : addresses) *address *= 10;
  go.set();

  for (const auto& greenlet : all) CHECK(greenlet.get());
}

FIBER_TEST("a backtrace in a fiber ends at the fiber's entry [CONTEXT-19]") {
  struct Walk {
    int frames = 0;
    bool isInside = true;
    detail::Stack stack;
  };
  const auto walk = [] {
    Walk seen;
    seen.stack = stackOf(current());
    const auto step = [](_Unwind_Context* context, void* data) {
      Walk& mine = *static_cast<Walk*>(data);
      const auto frame = static_cast<std::uintptr_t>(_Unwind_GetCFA(context));
      const auto bottom = reinterpret_cast<std::uintptr_t>(mine.stack.bottom);
      mine.isInside = mine.isInside && frame >= bottom && frame <= bottom + mine.stack.bytes;
      return ++mine.frames > 200 ? _URC_NORMAL_STOP : _URC_NO_REASON;
    };
    const _Unwind_Reason_Code end = _Unwind_Backtrace(step, &seen);
    CHECK(end == _URC_END_OF_STACK);
    CHECK(seen.isInside);
    CHECK(seen.frames < 100);
  };

  walk();
  spawn(walk).join();
  callSoon(walk);
  settle();
}

// --- linkage ---

TEST_CASE("the program has one unwinder, and plait no mark for shadow stacks [CONTEXT-20]") {
  struct Found {
    int unwinders = 0;
    bool isMarked = false;
  } found;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* data) {
        Found& mine = *static_cast<Found*>(data);
        const std::string_view name = object->dlpi_name;
        mine.unwinders += contains(name, "libgcc_s") || contains(name, "libunwind");
        if (!name.empty() && !contains(name, "plait")) return 0;
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& header = object->dlpi_phdr[i];
          if (header.p_type != PT_GNU_PROPERTY) continue;
          // note: name size, size, type, "GNU\0"; property: type, size, bits
          const auto* const words =
              reinterpret_cast<const std::uint32_t*>(object->dlpi_addr + header.p_vaddr);
          const std::size_t end = 4 + words[1] / 4;
          for (std::size_t at = 4; at + 2 < end; at += 2 + (words[at + 1] + 7) / 8 * 2) {
            if (words[at] == 0xc0000002 && (words[at + 2] & 2) != 0) mine.isMarked = true;
          }
        }
        return 0;
      },
      &found);

  CHECK(found.unwinders <= 1);
  CHECK_FALSE(found.isMarked);
}
