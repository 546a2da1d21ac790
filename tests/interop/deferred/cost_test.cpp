// What a Deferred costs. The sanitizers have allocators of their own, which must not be replaced:
// under them nothing is counted.
#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "deferred_support.h"
#include "plait/deferred.h"
#include "plait/detail/sanitizer.h"

using namespace plait;
using namespace plait::test;

#if !defined(PLAIT_ASAN) && !defined(PLAIT_TSAN)

namespace {

std::atomic<int> allocations{0};

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const room = std::malloc(bytes == 0 ? 1 : bytes)) return room;
  throw std::bad_alloc();
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }

TEST_CASE("a Deferred with four small callbacks is one allocation [DEFERRED-115]") {
  int seen = 0;
  const int before = allocations;

  {
    const Deferred<int> d;
    d.addCallback([&seen](int value) { return value + seen; });
    d.addCallback([&seen](int value) { return value + seen; });
    d.addErrback([&seen](const Failure&) { return seen; });
    d.addCallback([&seen](int value) { seen = value; });
    d.callback(1);
  }

  CHECK(allocations - before == 1);
  CHECK(seen == 1);
}

TEST_CASE("callbacks added one after the other to a fired Deferred cost nothing [DEFERRED-115]") {
  const Deferred<int> d = succeed(0);
  const int before = allocations;

  for (int i = 0; i < 1000; ++i) d.addCallback([](int value) { return value + 1; });

  CHECK(allocations == before);
}

#endif
