// The sim kernel itself: its clock, its order, its descriptors, its faults, and its sleep.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "sim_support.h"
#include "thread_state.h"

using namespace simtest;

namespace {

constexpr int kSeeds = 200;

// Three connections that send each other odd amounts; returns who completed what, when.
std::string eventLog(const SimOptions& options) {
  World world(options);
  std::ostringstream log;
  std::vector<Job*> jobs;
  for (int i = 0; i < 3; ++i) {
    const auto ends = world.connection();
    for (const int end : ends) {
      jobs.push_back(&world.send(end, pattern(100 + static_cast<std::size_t>(i))));
      jobs.push_back(&world.recv(end, 64));
      jobs.push_back(&world.recv(end, 1000));
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i]->then = [&log, &world, i](Job& job) {
      log << (world.loop.now() - TimePoint()).count() << ' ' << i << ' ' << job.result() << '\n';
    };
  }
  world.pass(1s);
  return log.str();
}

}  // namespace

TEST_CASE("an hour of virtual time passes at once, and exactly") {
  World world;
  const TimePoint before = world.loop.now();
  const auto realBefore = std::chrono::steady_clock::now();

  world.pass(1h);

  CHECK(world.loop.now() - before == 1h);
  CHECK(std::chrono::steady_clock::now() - realBefore < 1min);
}

TEST_CASE("virtual time stands still while something can be done") {
  World world;
  const auto [one, other] = world.connection();
  const TimePoint before = world.loop.now();

  Job& recv = world.recv(other, 5);
  world.finish({&world.send(one, "hello"), &recv});

  CHECK(recv.text() == "hello");
  CHECK(world.loop.now() == before);
}

TEST_CASE("with delays a completion takes virtual time, and a deadline can come before it") {
  SimOptions options;
  options.delays = true;
  options.latencyMax = 1s;
  int early = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    options.seed = static_cast<std::uint64_t>(seed);
    World world(options);
    Job& nop = world.start(OpKind::nop, -1);
    world.pass(500ms);
    early += nop.isDone() ? 1 : 0;
    world.pass(500ms);
    CHECK(nop.isDone());
  }
  // A quarter at once and half of the rest.
  CHECK(early > kSeeds / 2);
  CHECK(early < kSeeds * 3 / 4);
}

TEST_CASE("with a clock step a loop that is never idle still sees its timers") {
  SimOptions options;
  options.clockStep = 1us;
  struct Spin final : Task {
    Spin() : Task([](Task& task) { Loop::current()->enqueue(task); }) {}
  } spin;  // still queued when the loop ends
  World world(options);
  world.loop.enqueue(spin);

  world.pass(1ms);

  CHECK(world.loop.statistics().tasks > 1000);
}

TEST_CASE("one seed gives one run") {
  CHECK(eventLog(SimOptions::hostile(7)) == eventLog(SimOptions::hostile(7)));
  CHECK(eventLog(SimOptions::calm()) == eventLog(SimOptions::calm()));
}

TEST_CASE("another seed gives another run") {
  CHECK(eventLog(SimOptions::hostile(7)) != eventLog(SimOptions::hostile(8)));
}

TEST_CASE("completions come in random order, but for those of one descriptor and direction") {
  SimOptions options;
  options.reorder = true;
  bool sawOtherOrder = false;
  for (int seed = 1; seed <= 20; ++seed) {
    options.seed = static_cast<std::uint64_t>(seed);
    World world(options);
    std::vector<int> order;
    const auto [one, other] = world.connection();
    const auto [three, four] = world.connection();
    Job* const jobs[] = {&world.recv(other, 1), &world.recv(other, 1), &world.recv(other, 1),
                         &world.recv(four, 1)};
    for (int i = 0; i < 4; ++i) jobs[i]->then = [&order, i](Job&) { order.push_back(i); };
    world.send(one, "abc");
    world.send(three, "d");
    world.pass(1s);

    CHECK(jobs[0]->text() + jobs[1]->text() + jobs[2]->text() == "abc");
    REQUIRE(order.size() == 4);
    sawOtherOrder = sawOtherOrder || order[3] != 3;
    std::erase(order, 3);
    CHECK(order == std::vector{0, 1, 2});
  }
  CHECK(sawOtherOrder);
}

TEST_CASE("a scripted fault fails the operation it picks and leaves the connection alone") {
  int receives = 0;
  World world(SimOptions::calm(), [&receives](const Op& op) {
    return op.kind == OpKind::recv && ++receives == 3 ? ECONNRESET : 0;
  });
  const auto [one, other] = world.connection();
  world.send(one, "abcd");

  CHECK(world.result(world.recv(other, 1)) == 1);
  CHECK(world.result(world.recv(other, 1)) == 1);
  CHECK(world.result(world.recv(other, 1)) == -ECONNRESET);
  Job& last = world.recv(other, 9);
  world.finish({&last});
  CHECK(last.text() == "cd");
}

TEST_CASE("a sleeping loop is woken by another thread") {
  World world;
  bool called = false;
  const LoopHandle handle;
  std::thread caller([&, loop = plait::test::threadId()] {
    plait::test::waitUntilAsleep(loop);
    handle.callFromThread([&] { called = true; });
  });

  while (!called) world.loop.step();
  caller.join();

  CHECK(world.kernel.inFlight() == 0);
}

TEST_CASE("a thousand calls from another thread all wake the loop") {
  World world;
  const LoopHandle handle;
  std::atomic<int> called = 0;
  std::thread caller([&] {
    for (int i = 0; i < 1000; ++i) {
      handle.callFromThread([&called] { called.fetch_add(1); });
      // Let the loop fall asleep again before the next.
      while (called.load() <= i) std::this_thread::yield();
    }
  });

  while (called.load() < 1000) world.loop.step();
  caller.join();

  CHECK(called.load() == 1000);
}

TEST_CASE("closing a descriptor under an operation aborts") {
  std::array<int, 2> said{};
  REQUIRE(::pipe2(said.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);  // not doctest's
    World world;
    const auto ends = world.connection();
    world.recv(ends[0], 1);
    world.pass(1ms);
    if (::write(said[1], "so far", 6) != 6) ::_exit(1);
    world.close(ends[0]);
    ::_exit(0);
  }
  ::close(said[1]);
  std::array<char, 16> soFar{};
  CHECK(::read(said[0], soFar.data(), soFar.size()) == 6);  // it was the close that aborted
  ::close(said[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);

  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE("by option such a close is counted, and the peer sees the end only after the operation") {
  SimOptions options;
  options.abortOnCloseInFlight = false;
  World world(options);
  const auto [one, other] = world.connection();
  Job& stuck = world.recv(other, 1);
  Job& peer = world.recv(one, 1);
  world.pass(1ms);

  CHECK(world.close(other) == 0);
  CHECK(world.kernel.violations() == 1);
  world.pass(1h);
  CHECK_FALSE(stuck.isDone());
  CHECK_FALSE(peer.isDone());

  world.kernel.cancel(stuck.op());
  CHECK(world.result(stuck) == -ECANCELED);
  CHECK(world.result(peer) == 0);
}

TEST_CASE("a sim descriptor is none to the system, and a system one none to the sim") {
  World world;
  const int descriptor = world.socket();

  CHECK(descriptor >= 1'000'000);
  CHECK(::close(descriptor) == -1);
  CHECK(errno == EBADF);
  CHECK(world.result(world.recv(0, 1)) == -EBADF);
  CHECK(world.close(0) == -EBADF);
}

TEST_CASE("the lowest free number is given first, so numbers come back at once") {
  World world;
  const int first = world.socket();
  const int second = world.socket();

  world.close(first);

  CHECK(second == first + 1);
  CHECK(world.socket() == first);
  CHECK(world.kernel.openDescriptors() == 2);
}

TEST_CASE("the kernel tells its name and seed") {
  World world(SimOptions::hostile(4711));

  CHECK(world.kernel.info().name == "sim");
  CHECK(world.kernel.info().reason.find("4711") != std::string::npos);
}
