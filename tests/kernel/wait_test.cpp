// Waiting in io_uring_enter: timeouts, counts and signals.
#include <signal.h>
#include <sys/time.h>

#include "ring.h"
#include "support.h"

using namespace facts;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kRecv = 1;

volatile sig_atomic_t signalsSeen = 0;

// Counts a signal while it lives.
class Handler final {
 public:
  Handler(int signal, int flags) : signal_(signal) {
    struct sigaction action{};
    action.sa_handler = [](int) { signalsSeen = signalsSeen + 1; };
    action.sa_flags = flags;
    signalsSeen = 0;
    REQUIRE(sigaction(signal, &action, &before_) == 0);
  }
  ~Handler() { sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_{};
};

// SIGUSR1 is blocked and pending while it lives, and `open` is a mask that lets it in.
class PendingSignal final {
 public:
  PendingSignal() {
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &block, &open) == 0);
    raise(SIGUSR1);
  }
  ~PendingSignal() { pthread_sigmask(SIG_SETMASK, &open, nullptr); }

  sigset_t open;
};

void queueRecv(Ring& ring, const Pair& pair, std::span<char> into) {
  io_uring_prep_recv(ring.queue(kRecv), pair.near.get(), into.data(), into.size(), 0);
}

}  // namespace

TEST_CASE("a wait whose time runs out returns ETIME") {
  if (isRingMissing()) return;
  Ring ring;

  CHECK(ring.enterFor(0ns, 1) == -ETIME);
  CHECK(ring.enterFor(1ms, 1) == -ETIME);
}

TEST_CASE("a wait for no completion returns 0 at once, whatever its timeout") {
  if (isRingMissing()) return;
  Ring ring;

  CHECK(ring.enterFor(1h, 0) == 0);
}

TEST_CASE("a wait for one completion returns as soon as there is one") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair, buffer);
  ring.submit();
  put(pair.far, "four");

  int result = ring.enterFor(1h, 1);
  std::vector<Completion> completions = ring.takeAll();

  CHECK(result == 0);
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].result == 4);
}

TEST_CASE("an enter that submitted returns the count even though its wait ran out of time") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair, buffer);
  queueRecv(ring, pair, buffer);

  int first = ring.enterFor(1ms, 1);
  int second = ring.enterFor(1ms, 1);

  CHECK(first == 2);
  CHECK(second == -ETIME);
  CHECK(ring.takeAll().empty());
}

TEST_CASE("one enter submits, waits for a completion it caused and returns the submissions") {
  if (isRingMissing()) return;
  Ring ring;
  for (std::uint64_t tag = 0; tag < 3; ++tag) io_uring_prep_nop(ring.queue(tag));

  int result = ring.enterFor(1h, 1);

  CHECK(result == 3);
  CHECK(ring.takeAll().size() == 3);
}

TEST_CASE("a signal ends the wait with EINTR after its handler ran") {
  if (isRingMissing()) return;
  Ring ring;
  Handler handler(SIGUSR1, 0);
  PendingSignal signal;

  int result = ring.enterFor(10s, 1, &signal.open);

  CHECK(result == -EINTR);
  CHECK(signalsSeen == 1);
}

TEST_CASE("a signal that strikes a sleeping wait ends it with EINTR, with SA_RESTART too") {
  if (isRingMissing()) return;
  for (int flags : {0, SA_RESTART}) {
    Ring ring;
    Handler handler(SIGALRM, flags);
    itimerval everyMillisecond{{0, 1000}, {0, 1000}};  // so one strikes inside the wait
    setitimer(ITIMER_REAL, &everyMillisecond, nullptr);

    int result = ring.enterFor(10s, 1);
    itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);

    CHECK(result == -EINTR);
    CHECK(signalsSeen >= 1);
  }
}

TEST_CASE("an enter that submitted returns the count instead of EINTR") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  Handler handler(SIGUSR1, 0);
  PendingSignal signal;
  queueRecv(ring, pair, buffer);

  int result = ring.enterFor(10s, 1, &signal.open);

  CHECK(result == 1);
  CHECK(signalsSeen == 1);
  CHECK(ring.takeAll().empty());
}
