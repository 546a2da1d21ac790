// Cleanup that blocks, in destructors and in the handler of a kill.
#include <exception>
#include <stdexcept>
#include <string>

#include "at_end.h"
#include "fiber_test.h"
#include "kills.h"
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

FIBER_TEST("destructors and the handler of a kill may block, and kill waits [KILL-18]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    const AtEnd outer([&steps] {
      yieldMuch();
      steps += "outer ";
    });
    try {
      const AtEnd inner([&steps] {
        spawn([&steps] {
          yieldMuch();
          steps += "child ";
        }).join();
        steps += "inner ";
      });
      Event().wait();
    } catch (const GreenletExit&) {
      yieldMuch();
      steps += "handler ";
      throw;
    }
  });
  yield();

  target.kill();
  steps += "killed";

  CHECK(steps == "child inner handler outer killed");
}

FIBER_TEST("a handler of a kill may handle other errors while it blocks [KILL-18]") {
  std::string steps;
  const AnyGreenlet target = spawn([&steps] {
    try {
      Event().wait();
    } catch (const GreenletExit&) {
      try {
        throw std::runtime_error("while cleaning up");
      } catch (const std::runtime_error&) {
        yield();
        steps += "inner ";
      }
      yield();
      steps += "outer ";
      throw;
    }
  });
  yield();

  target.kill();

  CHECK(steps == "inner outer ");
  CHECK(target.isKilled());
}

FIBER_TEST("a kill waits while a GreenletExit that the fiber threw itself is handled [KILL-18]") {
  std::string steps;
  Event mayGoOn;
  const AnyGreenlet target = spawn([&] {
    try {
      throw GreenletExit();
    } catch (const GreenletExit&) {
      mayGoOn.wait();
      steps += "cleaned ";
    }
    yield();
    steps += "never";
  });
  yield();

  target.requestKill();
  settle();
  CHECK_FALSE(target.isReady());
  mayGoOn.set();
  target.join();

  CHECK(steps == "cleaned ");
  CHECK(target.isKilled());
}

FIBER_TEST("another kill changes nothing while the first is being handled [KILL-18] [KILL-19]") {
  for (const bool isKill : {true, false}) {
    std::string steps;
    Event mayGoOn;
    const AnyGreenlet target = spawn([&] {
      try {
        Event().wait();
      } catch (const GreenletExit&) {
        mayGoOn.wait();
        steps += "cleaned";
        throw;
      }
    });
    yield();
    target.requestKill();
    yield();

    if (isKill) target.requestKill();
    if (!isKill) target.requestKill(error(std::runtime_error("the second")));
    settle();
    CHECK_FALSE(target.isReady());
    mayGoOn.set();
    target.join();

    CHECK(steps == "cleaned");
    CHECK(target.isKilled());
    static_cast<void>(target.exception());
  }
}
