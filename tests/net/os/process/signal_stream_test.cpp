#include "plait/signal_stream.h"

#include <signal.h>

#include <stdexcept>
#include <vector>

#include "fiber_test.h"
#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/offload.h"
#include "thread_state.h"

using namespace plait;
using namespace plait::test;

FIBER_TEST("signals come in the order of their arrival [PROCESS-13]") {
  os::SignalStream signals{SIGUSR1, SIGUSR2, SIGHUP};

  for (const int each : {SIGUSR2, SIGHUP, SIGUSR1}) ::raise(each);

  for (const int each : {SIGUSR2, SIGHUP, SIGUSR1}) CHECK(signals.next() == each);
  CHECK_FALSE(signals.tryNext());
}

FIBER_TEST("of one that arrives several times before it is taken one is kept [PROCESS-13]") {
  os::SignalStream signals{SIGUSR1, SIGUSR2, SIGUSR1};
  ::raise(SIGUSR1);
  settle();
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  settle();

  CHECK(signals.tryNext() == SIGUSR1);
  CHECK(signals.tryNext() == SIGUSR2);
  CHECK_FALSE(signals.tryNext());
  ::raise(SIGUSR1);
  CHECK(signals.next() == SIGUSR1);
}

FIBER_TEST("a signal wakes one of those who wait, the first to come [PROCESS-13]") {
  os::SignalStream signals{SIGUSR1};
  std::vector<int> order;
  std::vector<AnyGreenlet> waiters;
  waiters.reserve(3);
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(spawn([&, i] {
      signals.next();
      order.push_back(i);
    }));
  }
  settle();

  for (int i = 0; i < 3; ++i) {
    ::raise(SIGUSR1);
    settle();
    CHECK(order.size() == static_cast<std::size_t>(i + 1));
  }

  CHECK(order == std::vector<int>{0, 1, 2});
  joinAll(waiters);
}

FIBER_TEST("a killed waiter takes no signal with it [PROCESS-13]") {
  os::SignalStream signals{SIGUSR1};
  bool taken = false;
  auto waiter = spawn([&] {
    signals.next();
    taken = true;
    signals.next();
  });
  settle();

  // At once: either it was taken before the kill, or it is there for the next.
  ::raise(SIGUSR1);
  waiter.kill();
  settle();

  CHECK(taken != signals.tryNext().has_value());
  auto parked = spawn([&] { signals.next(); });
  settle();
  parked.kill();
  ::raise(SIGUSR1);
  CHECK(signals.next() == SIGUSR1);
}

FIBER_TEST("waiting for signals is no deadlock [PROCESS-14]") {
  os::SignalStream signals{SIGUSR1};
  const int loop = threadId();
  auto sender = spawn([loop] {
    offload([loop] {
      waitUntilAsleep(loop);
      ::kill(::getpid(), SIGUSR1);
    });
  });

  CHECK(signals.next() == SIGUSR1);
  sender.join();
}

FIBER_TEST("the last stream of a signal restores what stood before [PROCESS-14]") {
  static volatile sig_atomic_t mine = 0;
  const auto before = ::signal(SIGUSR2, [](int) { mine = mine + 1; });
  {
    os::SignalStream first{SIGUSR2};
    os::SignalStream second{SIGUSR2, SIGUSR1};
    ::raise(SIGUSR2);
    CHECK(first.next() == SIGUSR2);
    CHECK(second.next() == SIGUSR2);
    ::raise(SIGUSR2);  // nobody takes it
    CHECK(mine == 0);
  }

  ::raise(SIGUSR2);
  settle();

  CHECK(mine == 1);
  ::signal(SIGUSR2, before);
}

FIBER_TEST("a signal that cannot be taken is refused, and the others are given back [PROCESS-14]") {
  CHECK_THROWS_AS(os::SignalStream({SIGUSR1, SIGKILL}), IoError);

  struct sigaction action{};
  ::sigaction(SIGUSR1, nullptr, &action);
  CHECK((action.sa_handler == SIG_DFL));
}

TEST_CASE("a stream off a loop is refused [PROCESS-14]") {
  CHECK_THROWS_AS(os::SignalStream({SIGUSR1}), std::logic_error);
}
