// What the stacks of many fibers cost.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "fiber_test.h"
#include "machine.h"
#include "plait/detail/sanitizer.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/statistics.h"
#include "stacks.h"

using namespace plait;
using namespace plait::test;
using plait::detail::FiberMachine;
using stacks::contains;
using stacks::Death;
using stacks::dig;
using stacks::inChild;
using stacks::isGuardInstallMissing;
using stacks::residentBytes;

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kPage = 4096;

detail::Stack stackOf(const AnyGreenlet& greenlet) {
  return FiberMachine::of(greenlet.fiber()).stack;
}

std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

}  // namespace

FIBER_TEST("a hundred thousand parked fibers need few mappings [CONTEXT-11] [CONTEXT-17]") {
  if (isGuardInstallMissing()) return;
  if (detail::kSanitized) {
    MESSAGE("left out: a sanitizer keeps memory of its own for each stack");
    return;
  }
  constexpr std::size_t kMany = 100'000;
  const std::size_t before = mappings();
  Event end;
  std::vector<AnyGreenlet> all;
  all.reserve(kMany);
  for (std::size_t i = 0; i < kMany; ++i) {
    all.push_back(spawn({.stackBytes = 64 * kKiB}, [&end] { end.wait(); }));
  }
  yield();
  REQUIRE(loopStatistics().fibersParked == kMany);

  CHECK(mappings() < before + 200);
  std::size_t resident = 0;
  for (std::size_t i = 0; i < kMany; i += 100) resident += residentBytes(stackOf(all[i]));
  CHECK(resident <= kMany / 100 * 2 * kPage);

  end.set();
  joinAll(all);
}

FIBER_TEST("stacks are never backed by huge pages [CONTEXT-17]") {
  const AnyGreenlet parked = spawn([] { Event().wait(); });
  yield();
  const auto inside = reinterpret_cast<std::uintptr_t>(stackOf(parked).top() - 1);

  std::ifstream maps("/proc/self/smaps");
  bool isMine = false;
  std::string flags;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> from >> dash >> to && dash == '-') {
      isMine = from <= inside && inside < to;
    } else if (isMine && line.starts_with("VmFlags:")) {
      flags = line + " ";
    }
  }

  CHECK(contains(flags, " nh "));
  parked.kill();
}

FIBER_TEST("a fiber that has ended gives its stack back under its handle [CONTEXT-18]") {
  const std::size_t before = loopStatistics().stacks;
  std::vector<AnyGreenlet> all;
  for (int i = 0; i < 50; ++i) all.push_back(spawn([] { yield(); }));
  yield();
  CHECK(loopStatistics().stacks >= before + 50);

  joinAll(all);

  CHECK(loopStatistics().stacks <= before + 1);
}

FIBER_TEST_ON("sim", "memory of once-deep stacks returns to the system [CONTEXT-18]") {
  constexpr std::size_t kDepth = 100 * kKiB;
  constexpr std::size_t kMany = 500;
  std::vector<AnyGreenlet> all;
  std::vector<detail::Stack> used;
  for (std::size_t i = 0; i < kMany; ++i) {
    all.push_back(spawn([&used] {
      dig(kDepth);
      used.push_back(stackOf(current()));
      yield();
    }));
  }
  joinAll(all);
  REQUIRE(used.size() == kMany);

  // The loop gives back what is free when it has nothing else to do.
  for (int i = 0; i < 5; ++i) sleep(std::chrono::milliseconds(1));

  std::size_t resident = 0;
  for (const detail::Stack& stack : used) resident += residentBytes(stack);
  CHECK(resident < kMany * kDepth / 20);
}
