#include "plait/blocking_call.h"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "plait/defer_later.h"
#include "plait/run_threads.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

TEST_CASE("a fiber waits for a Deferred of another loop [BRIDGE-60]") {
  std::string seen;
  runThreads(2, [&seen](TeamMember& member) {
    if (member.index() == 1) return member.stopRequested().wait();

    const std::string value = blockingCallFromGreenlet(member.loop(1), [] {
      return deferLater(1ms).addCallback([] { return std::string("from afar"); });
    });
    try {
      blockingCallFromGreenlet(member.loop(1), [] { throw std::runtime_error("no luck"); });
    } catch (const std::runtime_error& error) {
      seen = value + ", " + error.what();
    }
    member.stop();
  });

  CHECK(seen == "from afar, no luck");
}

TEST_CASE("a caller that is killed cancels the call on the other loop [BRIDGE-60]") {
  bool isCancelled = false;
  bool isKilled = false;
  runThreads(2, [&](TeamMember& member) {
    if (member.index() == 1) return member.stopRequested().wait();

    ThreadSafeEvent begun;
    std::optional<Deferred<int>> work;  // the other loop's
    const auto waiter = spawn([&] {
      blockingCallFromGreenlet(member.loop(1), [&] {
        begun.set();
        work.emplace([&isCancelled](const Deferred<int>&) { isCancelled = true; });
        return *work;
      });
    });
    begun.wait();
    waiter.kill();
    isKilled = waiter.isKilled();
    member.stop();
  });

  CHECK(isCancelled);
  CHECK(isKilled);
}

TEST_CASE("a call whose Deferred nobody can fire is no wait for ever [BRIDGE-60] [BRIDGE-19]") {
  bool isBroken = false;
  runThreads(2, [&isBroken](TeamMember& member) {
    if (member.index() == 1) return member.stopRequested().wait();

    try {
      blockingCallFromGreenlet(member.loop(1), [] { return Deferred<int>(); });
    } catch (const BrokenDeferredError&) {
      isBroken = true;
    }
    member.stop();
  });

  CHECK(isBroken);
}

TEST_CASE("the end of the other loop ends the wait for it [BRIDGE-60]") {
  bool isStopped = false;
  runThreads(2, [&isStopped](TeamMember& member) {
    if (member.index() == 1) return member.stopRequested().wait();

    const LoopHandle other = member.loop(1);
    const Deferred<int> never;
    try {
      blockingCallFromGreenlet(other, [&member] {
        member.stop();
        return deferLater(1h);
      });
    } catch (const ReactorStopped&) {
      isStopped = true;
    }
  });

  CHECK(isStopped);
}
