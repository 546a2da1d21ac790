// Listeners of the sim network: connects, backlogs, accepts, and running out of descriptors.
#include <atomic>
#include <thread>

#include "sim_support.h"

using namespace simtest;

TEST_CASE("a connect that nobody listens for is refused") {
  World world;
  const int door = world.listener();
  const Where where = world.name(door);
  world.close(door);

  CHECK(world.result(world.connect(world.socket(), where)) == -ECONNREFUSED);
}

TEST_CASE("a connect to a host that never answers gives up after two minutes") {
  World world;
  const TimePoint before = world.loop.now();

  CHECK(world.result(world.connect(world.socket(), Where::v4(0xc0000201, 80))) == -ETIMEDOUT);

  CHECK(world.loop.now() - before == SimKernel::kConnectTimeout);
}

TEST_CASE("a connection that has been made leaves no trace on the clock") {
  World world;
  const int door = world.listener(0);
  world.result(world.connect(world.socket(), world.name(door)));
  Job& waiting = world.connect(world.socket(), world.name(door));
  world.pass(1s);
  world.finish({&world.start(OpKind::accept, door), &waiting});
  const TimePoint before = world.loop.now();
  std::atomic<bool> isOver = false;
  std::thread waker([&] {
    while (!isOver) world.kernel.wake();
  });

  // Nothing is due any more, so these wait for the other thread.
  for (int i = 0; i < 100; ++i) {
    world.kernel.announceSleep();
    world.kernel.turn(kNever);
  }
  isOver = true;
  waker.join();

  CHECK(world.loop.now() == before);
}

TEST_CASE("closing a listener resets the connections that wait in it") {
  World world;
  const int door = world.listener();
  const int client = world.socket();
  world.result(world.connect(client, world.name(door)));

  world.close(door);

  CHECK(world.result(world.recv(client, 1)) == -ECONNRESET);
}

TEST_CASE("no descriptor left: socket, pipe and accept say so, and nothing is lost") {
  SimOptions options;
  options.descriptorsMax = 3;
  World world(options);
  const int door = world.listener();
  const int client = world.socket();
  const int spare = world.socket();
  world.result(world.connect(client, world.name(door)));

  CHECK(world.socket() == -EMFILE);
  CHECK(world.result(world.start(OpKind::accept, door)) == -EMFILE);
  world.close(spare);
  std::array<int, 2> ends{};
  Op pipe(OpKind::pipe);
  pipe.setBuffer(ends.data(), sizeof ends);
  CHECK(world.call(pipe) == -EMFILE);
  CHECK(world.kernel.openDescriptors() == 2);

  CHECK(world.result(world.start(OpKind::accept, door)) > 0);
}

TEST_CASE("a multishot accept gives every connection and ends when it is cancelled") {
  World world;
  const int door = world.listener();
  Job& many = world.start(OpKind::acceptMany, door);
  for (int i = 0; i < 3; ++i) world.result(world.connect(world.socket(), world.name(door)));
  world.pass(1ms);
  CHECK(many.results.size() == 3);
  CHECK_FALSE(many.isDone());

  world.kernel.cancel(many.op());

  CHECK(world.result(many) == -ECANCELED);
  CHECK(many.results.size() == 4);
}

TEST_CASE("a multishot accept may end by itself, and then nothing is lost either") {
  SimOptions options;
  options.multishotEndRate = 0.5;
  World world(options);
  const int door = world.listener();
  std::size_t accepted = 0;
  int ends = 0;
  for (int i = 0; i < 20; ++i) world.connect(world.socket(), world.name(door));

  Job* many = nullptr;
  do {
    many = &world.start(OpKind::acceptMany, door);
    world.pass(1ms);
    accepted += many->results.size();
    ++ends;
  } while (many->isDone());

  CHECK(accepted == 20);
  CHECK(ends > 3);
}

TEST_CASE("a multishot accept ends when no descriptor is left") {
  SimOptions options;
  options.descriptorsMax = 4;
  World world(options);
  const int door = world.listener();
  Job& many = world.start(OpKind::acceptMany, door);
  const int first = world.socket();
  world.connect(first, world.name(door));
  world.connect(world.socket(), world.name(door));

  CHECK(world.result(many) == -EMFILE);
  CHECK(many.results.size() == 2);
  REQUIRE(world.close(first) == 0);
  CHECK(world.result(world.start(OpKind::accept, door)) > 0);
}

TEST_CASE("shutting a listener down ends its accepts") {
  World world;
  const int door = world.listener();
  Job& accept = world.start(OpKind::accept, door);
  world.pass(1ms);

  CHECK(world.shutdown(door, SHUT_RDWR) == 0);

  CHECK(world.result(accept) == -EINVAL);
}
