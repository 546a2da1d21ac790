// Slabs, guards, reuse and trimming of stacks. No fiber runs here.
#include "stack_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "plait/error.h"
#include "stack_slab.h"
#include "stacks.h"

using namespace stacks;
using plait::detail::findGuard;
using plait::detail::kGuardBytes;

namespace {

constexpr std::size_t kPage = 4096;

void touchDown(const Stack& stack, std::size_t depth) {
  for (std::size_t at = kPage; at <= depth; at += kPage) {
    *const_cast<volatile std::byte*>(stack.top() - at) = std::byte{1};
  }
}

std::size_t residentBytes(const std::vector<Stack>& stacks) {
  std::size_t sum = 0;
  for (const Stack& stack : stacks) sum += stacks::residentBytes(stack);
  return sum;
}

std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

}  // namespace

TEST_CASE("a stack is as big as asked for and can be written from end to end") {
  StackPool pool;

  const Stack stack = pool.allocate(StackPool::kDefaultBytes, nobody);

  CHECK(stack.bytes == StackPool::kDefaultBytes);
  touchDown(stack, stack.bytes);
  CHECK(residentBytes(stack) == stack.bytes);
  pool.release(stack);
}

TEST_CASE("no stack is smaller than the minimum, and sizes round up to a class") {
  StackPool pool;
  const std::size_t least = StackPool::kMinimumBytes;

  const Stack tiny = pool.allocate(0, nobody);
  const Stack odd = pool.allocate(least + 1, nobody);
  const Stack same = pool.allocate(least + least / 4, nobody);

  CHECK(tiny.bytes == least);
  CHECK(odd.bytes == least + least / 4);
  CHECK(same.bytes == odd.bytes);
  CHECK(same.slab == odd.slab);
  for (const Stack& stack : {tiny, odd, same}) pool.release(stack);
}

TEST_CASE("a size that no memory can give is an error with a way out") {
  StackPool pool;

  CHECK_THROWS_WITH_AS(pool.allocate(SIZE_MAX, nobody), doctest::Contains("stackBytes"),
                       plait::Error);
  CHECK(pool.statistics().inUse == 0);
}

TEST_CASE("the stack released last is handed out first, per size") {
  StackPool pool;
  const Stack first = pool.allocate(StackPool::kDefaultBytes, nobody);
  const Stack second = pool.allocate(StackPool::kDefaultBytes, nobody);
  const Stack big = pool.allocate(4 * StackPool::kDefaultBytes, nobody);
  pool.release(second);
  pool.release(first);
  pool.release(big);

  const Stack third = pool.allocate(StackPool::kDefaultBytes, nobody);
  const Stack fourth = pool.allocate(StackPool::kDefaultBytes, nobody);

  CHECK(third.bottom == first.bottom);
  CHECK(fourth.bottom == second.bottom);
  CHECK(pool.statistics().inUse == 2);
  CHECK(pool.statistics().free == 1);
  pool.release(third);
  pool.release(fourth);
}

TEST_CASE("taking and releasing a stack leaves its pages alone") {
  Taken taken(100);
  taken.releaseAll();

  const Stack stack = taken.pool.allocate(StackPool::kMinimumBytes, nobody);

  CHECK(residentBytes(stack) == 0);
  taken.pool.release(stack);
}

TEST_CASE("stacks do not overlap, and a guard is between any two") {
  Taken taken(200);

  std::vector<Stack> sorted = taken.stacks;
  std::sort(sorted.begin(), sorted.end(),
            [](const Stack& a, const Stack& b) { return a.bottom < b.bottom; });
  for (std::size_t at = 1; at < sorted.size(); ++at) {
    REQUIRE(sorted[at].bottom - kGuardBytes >= sorted[at - 1].top());
  }
}

TEST_CASE("a hundred thousand stacks need few mappings") {
  if (isGuardInstallMissing()) return;
  const std::size_t before = mappings();

  const Taken taken(100'000);

  CHECK(taken.pool.statistics().unguarded == 0);
  CHECK(mappings() < before + 200);
}

TEST_CASE("without guards the pool goes on and counts the stacks") {
  const Mask masked(kMaskBoth);

  const Taken taken(20);

  CHECK(taken.pool.statistics().unguarded == 20);
  write(taken.stacks[1].bottom - 1);
}

TEST_CASE("guards by mprotect leave mappings for the rest of the program") {
  // Stacks that earlier tests abandoned have guards of that kind only if all tests run so.
  const bool haveOthers = plait::detail::isMasked("guard_install");
  const Death death = inChild([haveOthers] {
    const Mask masked(kMaskInstall);
    const Taken taken(40'000);
    const std::size_t unguarded = taken.pool.statistics().unguarded;
    void* const page = mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool isRight = unguarded == 10'000 || (haveOthers && unguarded > 10'000);
    _exit(isRight && page != MAP_FAILED ? 42 : 1);
  });

  CHECK(death.status == 42);
}

TEST_CASE("when the kernel has no mapping left, stacks go unguarded") {
  const Death death = inChild([] {
    const Mask masked(kMaskInstall);
    Taken taken(1);
    taken.stacks.reserve(16);
    // Neighbours of different protection do not merge, so these use up the limit.
    int protection = PROT_NONE;
    for (void* page = nullptr; page != MAP_FAILED; protection ^= PROT_READ) {
      page = mmap(nullptr, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    while (taken.stacks.size() < 16) {
      taken.stacks.push_back(taken.pool.allocate(StackPool::kMinimumBytes, nobody));
    }
    _exit(taken.pool.statistics().unguarded == 15 ? 42 : 1);
  });

  CHECK(death.status == 42);
}

TEST_CASE("trimming gives back what a thousand deep stacks hold") {
  constexpr std::size_t kDepth = 100 * 1024;
  Taken taken(1000, StackPool::kDefaultBytes);
  const std::vector<Stack> stacks = taken.stacks;
  for (const Stack& stack : stacks) touchDown(stack, kDepth);
  taken.releaseAll();
  REQUIRE(residentBytes(stacks) == 1000 * kDepth);

  CHECK_FALSE(taken.pool.trim());

  CHECK(residentBytes(stacks) == StackPool::kWarmStacks * StackPool::kWarmBytes);
  CHECK(residentBytes(stacks.back()) == StackPool::kWarmBytes);
  CHECK(residentBytes(stacks.front()) == 0);
}

TEST_CASE("trimming leaves stacks in use alone") {
  Taken taken(300);
  for (const Stack& stack : taken.stacks) touchDown(stack, stack.bytes);
  std::vector<Stack> used;
  for (std::size_t at = 0; at < taken.stacks.size(); ++at) {
    if (at % 3 == 0) {
      used.push_back(taken.stacks[at]);
    } else {
      taken.pool.release(taken.stacks[at]);
    }
  }
  taken.stacks = used;

  taken.pool.trim();

  CHECK(residentBytes(used) == used.size() * StackPool::kMinimumBytes);
}

TEST_CASE("trimming again visits what was used since, and only that") {
  Taken taken(200);
  const std::vector<Stack> stacks = taken.stacks;
  taken.releaseAll();
  taken.pool.trim();
  const Stack first = taken.pool.allocate(StackPool::kMinimumBytes, nobody);
  const Stack second = taken.pool.allocate(StackPool::kMinimumBytes, nobody);
  touchDown(first, first.bytes);
  touchDown(second, second.bytes);
  const Stack& cold = stacks.front();
  touchDown(cold, kPage);  // as nobody does: shows whether trim() goes there
  taken.pool.release(first);
  taken.pool.release(second);

  taken.pool.trim();

  CHECK(residentBytes(first) == StackPool::kWarmBytes);
  CHECK(residentBytes(second) == StackPool::kWarmBytes);
  CHECK(residentBytes(cold) == kPage);
}

TEST_CASE("trimming many stacks takes several calls and forgets none") {
  Taken taken(3000);
  const std::vector<Stack> stacks = taken.stacks;
  for (const Stack& stack : stacks) touchDown(stack, kPage);
  taken.releaseAll();

  int calls = 1;
  while (taken.pool.trim()) ++calls;

  CHECK(calls == 3);
  CHECK(residentBytes(stacks) == StackPool::kWarmStacks * kPage);
  CHECK_FALSE(taken.pool.trim());
}

TEST_CASE("an address in a slab that is gone is no guard") {
  std::byte* guard = nullptr;
  {
    const Taken taken(1);
    guard = taken.stacks.front().bottom - 1;
    CHECK(findGuard(guard).isGuard);
    CHECK_FALSE(findGuard(guard + 1).isGuard);
  }

  CHECK_FALSE(findGuard(guard).isGuard);
}

TEST_CASE("the owner is the last one set, and a stack given back has none") {
  std::array<std::byte, 16> otherStorage{};
  const Fiber& other = reinterpret_cast<const Fiber&>(otherStorage);
  StackPool pool;

  const Stack stack = pool.allocate(1, nobody);
  const void* const guard = stack.bottom - 1;
  CHECK(findGuard(guard).owner == &nobody);
  pool.setOwner(stack, other);
  CHECK(findGuard(guard).owner == &other);
  pool.release(stack);
  CHECK(findGuard(guard).owner == nullptr);
}

TEST_CASE("the memory of an abandoned pool stays mapped, and its guards known") {
  Stack stack;
  {
    StackPool pool;
    stack = pool.allocate(1, nobody);
    pool.abandon();
  }

  touchDown(stack, stack.bytes);
  CHECK(findGuard(stack.bottom - 1).owner == &nobody);
}
