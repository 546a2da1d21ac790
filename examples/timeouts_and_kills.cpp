// Deadlines and kills: how a fiber that waits is made to stop, and what it can do about it.
//
//   timeouts_and_kills
#include <iostream>
#include <string_view>

#include <plait/plait.h>

using namespace plait;

void say(std::string_view what) { std::cout << what << std::endl; }

struct Cleanup {
  ~Cleanup() { say("  its destructors ran"); }
};

void waitForever() { Event().wait(); }

int main() {
  return run([] {
    say("a call with a deadline throws TimeoutError when it is over:");
    try {
      withTimeout(20ms, waitForever);
    } catch (const TimeoutError&) {
      say("  too late");
    }

    say("a Timeout is a scope, and scopes nest:");
    Timeout outer(1h);
    const bool inTime = withTimeout(20ms, [] { return waitForever(), true; }, false);
    say(!inTime && outer.isPending() ? "  only the inner one is over" : "  something is wrong");

    say("a killed fiber unwinds like after any exception:");
    Greenlet<void> sleeper = spawn([] {
      const Cleanup cleanup;
      waitForever();
    });
    yield();  // it begins
    sleeper.kill();
    say(sleeper.isKilled() ? "  and it has ended" : "  something is wrong");

    say("a shield holds a kill back while something must be finished:");
    Event begun, mayFinish;
    Greenlet<void> careful = spawn([&] {
      const CancelShield shield;
      begun.set();
      mayFinish.wait();
      say("  finished");
    });
    begun.wait();
    careful.requestKill();
    mayFinish.set();
    careful.join();

    say("of several at once the first one wins, and the others are killed:");
    const auto winner = race([] { return waitForever(), 1; }, [] { return yield(), 2; });
    say(winner.index() == 1 ? "  the second" : "  something is wrong");
  });
}
