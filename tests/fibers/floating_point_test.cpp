// The floating-point environment belongs to each fiber, and a fresh one has the default.
#include <cfenv>
#include <vector>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/greenlet.h"
#include "plait/run.h"

using namespace plait;
using namespace plait::test;

namespace {

struct Controls {
  int rounding = std::fegetround();
  unsigned trapped = static_cast<unsigned>(fegetexcept());
#ifdef __x86_64__
  unsigned vector = __builtin_ia32_stmxcsr() & ~0x3fu;  // without the flags of past operations
#endif
  bool operator==(const Controls&) const = default;
};

// The default in its scope and after it.
class DefaultScope final {
 public:
  DefaultScope() { std::fesetenv(FE_DFL_ENV); }
  DefaultScope(const DefaultScope&) = delete;
  DefaultScope& operator=(const DefaultScope&) = delete;
  ~DefaultScope() { std::fesetenv(FE_DFL_ENV); }
};

Controls defaults() {
  const DefaultScope scope;
  return Controls();
}

void makeUnusual(int rounding = FE_UPWARD) {
  std::fesetround(rounding);
  feenableexcept(FE_DIVBYZERO);
#ifdef __x86_64__
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040u);  // denormals are zero, in and out
#endif
}

}  // namespace

FIBER_TEST("the rounding mode and other controls are the same after a switch [CONTEXT-6]") {
  const auto keeper = [](int rounding) {
    return spawn([rounding] {
      makeUnusual(rounding);
      const Controls mine;
      for (int i = 0; i < 5; ++i) {
        yield();
        if (Controls() != mine) return false;
      }
      return std::fegetround() == rounding;
    });
  };
  const DefaultScope scope;

  const std::vector<Greenlet<bool>> all{keeper(FE_UPWARD), keeper(FE_DOWNWARD),
                                        keeper(FE_TOWARDZERO), keeper(FE_TONEAREST)};
  joinAll(all);

  for (const auto& greenlet : all) CHECK(greenlet.get());
  CHECK(Controls() == defaults());
}

FIBER_TEST("a fiber that an unusual one switches to first begins with the default [CONTEXT-6]") {
  const DefaultScope scope;
  Controls seen;

  const AnyGreenlet fresh = spawn([&seen] { seen = Controls(); });
  makeUnusual();
  yield();
  const Controls own;
  std::fesetenv(FE_DFL_ENV);

  CHECK(fresh.isReady());
  CHECK(seen == defaults());
  CHECK(own.rounding == FE_UPWARD);
}

FIBER_TEST("a fiber that takes over the stack of an unusual one begins fresh [CONTEXT-6]") {
  const DefaultScope scope;
  std::vector<Controls> seen;

  for (int i = 0; i < 3; ++i) {
    spawn([&seen] {
      seen.emplace_back();
      makeUnusual();
    });
  }
  settle();

  CHECK(seen == std::vector<Controls>(3, defaults()));
}

FIBER_TEST("a callback does not see what a fiber or a parked callback has set [CONTEXT-6]") {
  const DefaultScope scope;
  std::vector<Controls> seen;

  spawn([] { makeUnusual(); });
  callSoon([&seen] { seen.emplace_back(); });
  spawn([] {
    makeUnusual();
    yield();
  });
  callSoon([&seen] {
    seen.emplace_back();
    makeUnusual();
    yield();
    seen.emplace_back();
  });
  callSoon([&seen] { seen.emplace_back(); });
  settle();

  REQUIRE(seen.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(seen[i] == defaults());
  CHECK(seen[3].rounding == FE_UPWARD);
}

TEST_CASE("a run inside unusual controls begins with the default and gives them back [CONTEXT-6]") {
  const DefaultScope scope;
  Controls inside;
  makeUnusual();
  const Controls before;

  run([&inside] {
    inside = Controls();
    std::fesetround(FE_DOWNWARD);
    yield();
  });

  const Controls after;
  std::fesetenv(FE_DFL_ENV);
  CHECK(inside == defaults());
  CHECK(after == before);
}
