#include "plait/group.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "fiber_test.h"
#include "plait/call_later.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/timeout.h"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

FIBER_TEST("join() of a group returns once the group is empty, at once if it is [GROUP-8]") {
  Group group;
  group.join();
  group.joinOrThrow();
  Event go;
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    group.spawn([&] {
      go.wait();
      ++ended;
    });
  }
  CHECK(group.size() == 3);

  callSoon([&] { go.set(); });
  group.join();

  CHECK(ended == 3);
  CHECK(group.isEmpty());
}

FIBER_TEST_ON("sim", "join(period) of a group tells whether the group became empty [GROUP-8]") {
  Group group;
  auto member = group.spawn([] { sleep(2s); });

  CHECK_FALSE(group.join(1s));
  CHECK_FALSE(group.join(0s));
  CHECK(group.join(2s));
  CHECK(group.join(0s));
}

FIBER_TEST("joinOrThrow() throws a member's error, which counts as taken [GROUP-8]") {
  Group group;
  group.spawn([] { throw std::runtime_error("broken"); });
  auto killed = group.spawn([] { sleep(1h); });
  killed.requestKill();

  CHECK_THROWS_WITH(group.joinOrThrow(), "broken");
  group.joinOrThrow();
}

FIBER_TEST("an error in a group that nobody asks for is reported once [GROUP-8]") {
  ExpectedErrors errors;
  {
    Group group;
    group.spawn([] { throw std::runtime_error("broken"); });
    group.join();
  }

  CHECK(errors.take().size() == 1);
}

FIBER_TEST("a member that has ended or was discarded is none, and it runs on [GROUP-8]") {
  Group group;
  Event go;
  auto ended = spawn([] {});
  ended.join();
  group.add(ended);
  CHECK(group.isEmpty());

  bool ran = false;
  auto discarded = group.spawn([&] {
    go.wait();
    ran = true;
  });
  group.add(discarded);
  CHECK(group.size() == 1);
  auto joiner = spawn([&] { group.join(); });
  settle();
  group.discard(discarded);
  joiner.join();

  go.set();
  discarded.join();
  CHECK(ran);
}

FIBER_TEST("a group may die before its members, and they run on [GROUP-8]") {
  Event go;
  AnyGreenlet member;
  {
    Group group;
    member = group.spawn([&] { go.wait(); });
  }
  settle();
  CHECK_FALSE(member.isReady());

  go.set();
  member.join();
  CHECK(member.isSuccessful());
}

FIBER_TEST("kill() of a group ends all its members [GROUP-9]") {
  Group group;
  int unwound = 0;
  for (int i = 0; i < 3; ++i) {
    group.spawn([&] {
      struct Count {
        int& unwound;
        ~Count() { ++unwound; }
      };
      const Count count{unwound};
      sleep(1h);
    });
  }
  settle();

  group.kill();

  CHECK(unwound == 3);
  CHECK(group.isEmpty());
  group.kill();
}

FIBER_TEST_ON("sim", "kill() of a group also ends what its dying members spawn into it [GROUP-9]") {
  Group group;
  int generation = 0;
  std::function<void()> live = [&] {
    try {
      sleep(1h);
    } catch (...) {
      if (++generation < 5) group.spawn(live);
      throw;
    }
  };
  group.spawn(live);
  settle();
  const TimePoint start = now();

  group.kill();

  // A member killed before its first turn never runs, so the first generation may be the last.
  CHECK(generation >= 1);
  CHECK(group.isEmpty());
  CHECK(now() == start);
}

FIBER_TEST_ON("sim",
              "kill() of a group ends what a member spawns into it before it dies [GROUP-9]") {
  Group group;
  group.spawn([&] {
    try {
      sleep(1h);
    } catch (...) {
      group.spawn([] { sleep(2h); });
      yield();  // held back while the kill is handled: the new member has begun
      throw;
    }
  });
  settle();
  const TimePoint start = now();

  group.kill();

  CHECK(group.isEmpty());
  CHECK(now() == start);
}

FIBER_TEST_ON("sim", "kill(period) of a group does not throw when its period runs out [GROUP-9]") {
  Group group;
  group.spawn([] {
    const CancelShield shield;
    sleep(2s);
  });
  settle();
  const TimePoint start = now();

  CHECK_FALSE(group.kill(1s));
  CHECK(now() == start + 1s);
  CHECK(group.kill(5s));
  CHECK(now() == start + 2s);
}

FIBER_TEST("killing a member's handle ends that member only [GROUP-9]") {
  Group group;
  auto first = group.spawn([] { sleep(1h); });
  auto second = group.spawn([] { sleep(1h); });
  settle();

  first.kill();

  CHECK(group.size() == 1);
  CHECK_FALSE(second.isReady());
  group.kill();
}

FIBER_TEST("a fiber killed in join() of a group leaves the members alone [GROUP-8]") {
  Group group;
  Event go;
  auto member = group.spawn([&] { go.wait(); });
  auto joiner = spawn([&] { group.join(); });
  settle();

  joiner.kill();

  CHECK_FALSE(member.isReady());
  go.set();
  group.join();
}
