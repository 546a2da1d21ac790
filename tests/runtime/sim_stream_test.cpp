// Streams of the sim network behave as Linux's: connections, pipes, their ends and their limits.
#include <poll.h>

#include "sim_support.h"

using namespace simtest;

namespace {

// Answers everything with itself until the client ends.
void serveEcho(World& world, int descriptor) {
  Job& recv = world.recv(descriptor, 100);
  recv.then = [&world, descriptor](Job& job) {
    if (job.result() <= 0) {
      world.shutdown(descriptor, SHUT_WR);
      return;
    }
    world.send(descriptor, job.text(), MSG_WAITALL).then = [&world, descriptor](Job&) {
      serveEcho(world, descriptor);
    };
  };
}

}  // namespace

TEST_CASE("an echo over tcp, whatever the seed") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    World world(seed == 0 ? SimOptions::calm() : SimOptions::hostile(seed));
    const auto [client, server] = world.connection();
    serveEcho(world, server);
    const std::string question = pattern(3000);

    Job& answer = world.recv(client, 3000, MSG_WAITALL);
    Job& sent = world.send(client, question, MSG_WAITALL);
    world.finish({&sent, &answer});
    world.shutdown(client, SHUT_WR);

    CHECK(sent.result() == 3000);
    CHECK(answer.text() == question);
    CHECK(world.result(world.recv(client, 1)) == 0);
  }
}

TEST_CASE("short transfers add up") {
  SimOptions options;
  options.shortTransfers = true;
  World world(options);
  const auto [one, other] = world.connection();
  const std::string all = pattern(5000);
  std::string received;
  std::size_t sent = 0;
  int shortSends = 0;
  int shortReceives = 0;

  while (sent < all.size()) {
    const int count = world.result(world.send(one, all.substr(sent, 500)));
    REQUIRE(count > 0);
    shortSends += count < 500 ? 1 : 0;
    sent += static_cast<std::size_t>(count);
    Job& recv = world.recv(other, 500);
    world.finish({&recv});
    shortReceives += recv.result() < count ? 1 : 0;
    received += recv.text();
  }
  Job& rest = world.recv(other, all.size() - received.size(), MSG_WAITALL);
  world.finish({&rest});

  CHECK(received + rest.text() == all);
  CHECK(shortSends > 0);
  CHECK(shortReceives > 0);
}

TEST_CASE("a full buffer makes the sender wait until the reader takes something") {
  SimOptions options;
  options.socketBytes = 1000;
  World world(options);
  const auto [one, other] = world.connection();

  CHECK(world.result(world.send(one, pattern(3000))) == 1000);
  Job& second = world.send(one, pattern(10));
  Job& never = world.send(one, pattern(10), MSG_DONTWAIT);
  world.pass(1h);
  CHECK_FALSE(second.isDone());
  CHECK_FALSE(never.isDone());  // behind the one that waits
  CHECK(world.result(world.recv(other, 5)) == 5);

  CHECK(world.result(second) == 5);
  CHECK(world.result(never) == -EAGAIN);
}

TEST_CASE("a send of all goes on as the reader takes it") {
  SimOptions options;
  options.socketBytes = 1000;
  World world(options);
  const auto [one, other] = world.connection();
  Job& send = world.send(one, pattern(3500), MSG_WAITALL);

  Job& recv = world.recv(other, 3500, MSG_WAITALL);

  CHECK(world.result(send) == 3500);
  CHECK(world.result(recv) == 3500);
  CHECK(recv.text() == pattern(3500));
}

TEST_CASE("after a half close the other direction goes on") {
  World world;
  const auto [one, other] = world.connection();

  CHECK(world.shutdown(one, SHUT_WR) == 0);

  CHECK(world.result(world.recv(other, 1)) == 0);
  CHECK(world.result(world.send(one, "x")) == -EPIPE);
  CHECK(world.result(world.send(other, "still")) == 5);
  Job& recv = world.recv(one, 9);
  world.finish({&recv});
  CHECK(recv.text() == "still");
}

TEST_CASE("a close is the end of the stream, and then a broken pipe") {
  World world;
  const auto [one, other] = world.connection();
  world.result(world.send(one, "last"));

  CHECK(world.close(one) == 0);

  CHECK(world.result(world.recv(other, 9)) == 4);
  CHECK(world.result(world.recv(other, 9)) == 0);
  // tcp learns of the close by the answer to its first send
  CHECK(world.result(world.send(other, "lost")) == 4);
  CHECK(world.result(world.send(other, "told")) == -EPIPE);
}

TEST_CASE("a unix socket's peer knows at once of a close") {
  World world;
  const auto [one, other] = world.pair();

  world.close(one);

  CHECK(world.result(world.send(other, "x")) == -EPIPE);
  CHECK(world.result(world.recv(other, 1)) == 0);
}

TEST_CASE("a close with unread bytes resets the peer, once") {
  World world;
  const auto [one, other] = world.connection();
  world.result(world.send(other, "unread"));
  world.result(world.send(one, "sent before"));

  CHECK(world.close(one) == 0);

  CHECK(world.result(world.recv(other, 99)) == 11);
  CHECK(world.result(world.recv(other, 1)) == -ECONNRESET);
  CHECK(world.result(world.recv(other, 1)) == 0);
  CHECK(world.result(world.send(other, "x")) == -EPIPE);
}

TEST_CASE("a close with a linger of nothing resets the peer") {
  World world;
  const auto [one, other] = world.connection();
  const linger none{1, 0};
  Op op(OpKind::setOption, one);
  op.level = SOL_SOCKET;
  op.name = SO_LINGER;
  op.setBuffer(&none, sizeof none);
  REQUIRE(world.call(op) == 0);

  world.close(one);

  CHECK(world.option(other, SOL_SOCKET, SO_ERROR) == ECONNRESET);
}

TEST_CASE(
    "a connect beyond the backlog waits for an accept, and is refused when the listener goes") {
  World world;
  const int door = world.listener(1);
  const Where where = world.name(door);
  CHECK(world.result(world.connect(world.socket(), where)) == 0);
  CHECK(world.result(world.connect(world.socket(), where)) == 0);
  Job& third = world.connect(world.socket(), where);
  Job& fourth = world.connect(world.socket(), where);
  world.pass(1s);
  CHECK_FALSE(third.isDone());

  CHECK(world.result(world.start(OpKind::accept, door)) > 0);
  CHECK(world.result(third) == 0);
  world.pass(1s);
  CHECK_FALSE(fourth.isDone());
  world.close(door);

  CHECK(world.result(fourth) == -ECONNREFUSED);
}

TEST_CASE("a pipe is bounded, keeps small writes whole and ends with its writer") {
  SimOptions options;
  options.pipeBytes = 5000;
  options.shortTransfers = true;
  World world(options);
  const auto [reader, writer] = world.pipe();
  std::string bytes = pattern(4000);
  Job& first = world.make(OpKind::write, writer);
  first.op().setBuffer(bytes.data(), bytes.size());
  Job& second = world.make(OpKind::write, writer);
  second.op().setBuffer(bytes.data(), bytes.size());

  CHECK(world.result(world.submit(first)) == 4000);
  world.submit(second);
  world.pass(1s);
  CHECK_FALSE(second.isDone());
  std::string room(4000, '\0');
  std::size_t got = 0;
  while (got < 8000) {
    Job& read = world.make(OpKind::read, reader);
    read.op().setBuffer(room.data(), room.size());
    const int count = world.result(world.submit(read));
    REQUIRE(count > 0);
    CHECK(std::string_view(room).substr(0, static_cast<std::size_t>(count)) ==
          std::string_view(bytes + bytes).substr(got, static_cast<std::size_t>(count)));
    got += static_cast<std::size_t>(count);
  }
  CHECK(second.result() == 4000);
  world.close(writer);
  Job& end = world.make(OpKind::read, reader);
  end.op().setBuffer(room.data(), room.size());
  CHECK(world.result(world.submit(end)) == 0);
}

TEST_CASE("what comes later in one direction does not overtake") {
  SimOptions options;
  options.pipeBytes = 1000;
  World world(options);
  const auto [reader, writer] = world.pipe();
  std::string bytes = pattern(1800);
  std::vector<Job*> writes;
  for (const auto& [from, count] : {std::pair(0, 800), std::pair(800, 900), std::pair(1700, 100)}) {
    Job& write = *writes.emplace_back(&world.make(OpKind::write, writer));
    write.op().setBuffer(&bytes[static_cast<std::size_t>(from)], static_cast<std::size_t>(count));
    world.submit(write);
  }

  std::string received;
  while (received.size() < bytes.size()) {
    std::string room(500, '\0');
    Job& read = world.make(OpKind::read, reader);
    read.op().setBuffer(room.data(), room.size());
    world.pass(1ms);
    const int count = world.result(world.submit(read));
    REQUIRE(count > 0);
    received += room.substr(0, static_cast<std::size_t>(count));
  }

  CHECK(received == bytes);
}

TEST_CASE("a poll waits for what it asks, and hears of the end unasked") {
  World world;
  const auto [one, other] = world.connection();
  Job& readable = world.make(OpKind::poll, other);
  readable.op().flags = POLLIN;
  world.submit(readable);
  world.pass(1ms);
  CHECK_FALSE(readable.isDone());

  world.send(one, "x");
  CHECK(world.result(readable) == POLLIN);

  const auto [reader, writer] = world.pipe();
  Job& ended = world.make(OpKind::poll, reader);
  ended.op().flags = POLLIN;
  world.submit(ended);
  world.close(writer);
  CHECK((world.result(ended) & POLLHUP) != 0);
}

TEST_CASE("injected errors reset both ends and are the only errors") {
  SimOptions options = SimOptions::hostile(3);
  options.errorRate = 0.05;
  int resets = 0;
  for (options.seed = 1; options.seed <= 50; ++options.seed) {
    World world(options);
    const int door = world.listener();
    const int client = world.socket();
    if (world.result(world.connect(client, world.name(door))) < 0) continue;
    const int server = world.result(world.start(OpKind::accept, door));
    if (server < 0) {
      CHECK(server == -ECONNABORTED);
      continue;
    }
    for (int i = 0; i < 20; ++i) {
      const int sent = world.result(world.send(client, "x"));
      if (sent == -ECONNRESET) {
        ++resets;
        world.pass(1s);
        CHECK(world.option(server, SOL_SOCKET, SO_ERROR) == ECONNRESET);
      }
      if (sent < 0) break;
      CHECK(sent == 1);
    }
  }
  CHECK(resets > 5);
}
