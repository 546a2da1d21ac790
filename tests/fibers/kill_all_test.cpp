// Killing many.
#include <exception>
#include <stdexcept>
#include <vector>

#include "fiber_test.h"
#include "kills.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

void yieldMuch() {
  for (int i = 0; i < 3; ++i) yield();
}

}  // namespace

FIBER_TEST("killAll kills all before it waits: what had not started never does [KILL-22]") {
  int begun = 0;
  std::vector<AnyGreenlet> all;
  all.push_back(spawn([] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      yieldMuch();
      throw;
    }
  }));
  yield();
  for (int i = 0; i < 3; ++i) all.push_back(spawn([&begun] { ++begun; }));

  killAll(all);

  CHECK(begun == 0);
  for (const AnyGreenlet& greenlet : all) CHECK(greenlet.isKilled());
}

FIBER_TEST_ON("sim", "killAll with a period throws when some still live then [KILL-22]") {
  const TimePoint start = now();
  const std::vector<AnyGreenlet> all{spawn([] { Event().wait(); }), spawn([] {
                                       const CancelShield shield;
                                       sleep(10ms);
                                     })};
  yield();

  CHECK_THROWS_AS(killAll(all, 4ms), TimeoutError);

  CHECK(now() - start == 4ms);
  CHECK(all[0].isKilled());
  CHECK_FALSE(all[1].isReady());
  CHECK_NOTHROW(killAll(all, 1h));
}

FIBER_TEST("killAll of nothing or of ended fibers returns at once [KILL-23]") {
  const std::vector<AnyGreenlet> ended{spawn([] {}), spawn([] { throw GreenletExit(); })};
  joinAll(ended);
  bool hasSwitched = false;
  const AnyGreenlet other = spawn([&hasSwitched] { hasSwitched = true; });

  killAll(std::vector<AnyGreenlet>());
  killAll(ended);
  killAll(ended, 0s);

  CHECK_FALSE(hasSwitched);
  other.join();
}

FIBER_TEST("a target whose cleanup throws does not keep killAll from the others [KILL-23]") {
  ExpectedErrors errors;
  std::vector<AnyGreenlet> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(spawn([] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        throw std::runtime_error("cleanup failed");
      }
    }));
  }
  all.push_back(spawn([] { Event().wait(); }));
  yield();

  CHECK_NOTHROW(killAll(all));

  for (const AnyGreenlet& greenlet : all) CHECK(greenlet.isReady());
  CHECK(all[3].isKilled());
  all.clear();
  CHECK(errors.take(3).size() == 3);
}
