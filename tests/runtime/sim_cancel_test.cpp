// Cancels on the sim kernel: who wins, and that no byte is lost either way.
#include <poll.h>

#include "sim_support.h"

using namespace simtest;

namespace {

constexpr int kSeeds = 200;

// Counted bytes flow while every read is cancelled after a while. Returns what was read and was
// left.
struct Account {
  std::string received;
  int cancelled = 0;
  int lost = 0;  // cancels that came too late
};

Account readWithCancels(SimOptions options, std::size_t total) {
  World world(options);
  Account account;
  const auto [writer, reader] = world.connection();
  detail::sim::Dice dice(options.seed);
  std::size_t sent = 0;
  for (int round = 0; account.received.size() < total; ++round) {
    REQUIRE(round < 100'000);
    Job* send = nullptr;
    if (sent < total && dice.below(3) == 0) {
      send = &world.send(writer, pattern(std::min<std::size_t>(50, total - sent), sent));
    }
    Job& recv = world.recv(reader, 40, dice.below(4) == 0 ? MSG_WAITALL : 0);
    world.pass(Duration(dice.below(2'000'000)));
    if (!recv.isDone()) {
      world.kernel.cancel(recv.op());
      world.finish({&recv});
      ++(recv.result() == -ECANCELED ? account.cancelled : account.lost);
    }
    if (recv.result() > 0) account.received += recv.text();
    if (send != nullptr) sent += static_cast<std::size_t>(world.result(*send));
  }
  return account;
}

}  // namespace

TEST_CASE("a cancel ends an operation that waits, and bytes that come later stay") {
  World world;
  const auto [one, other] = world.connection();
  Job& recv = world.recv(other, 5);
  world.pass(1ms);

  world.kernel.cancel(recv.op());
  world.send(one, "later");

  CHECK(world.result(recv) == -ECANCELED);
  Job& next = world.recv(other, 5);
  world.finish({&next});
  CHECK(next.text() == "later");
}

TEST_CASE("a cancel and the bytes in one turn: by its rate the cancel wins or loses") {
  for (const double rate : {0.0, 1.0}) {
    CAPTURE(rate);
    SimOptions options;
    options.cancelLossRate = rate;
    World world(options);
    const auto [one, other] = world.connection();
    Job& recv = world.recv(other, 5);
    world.pass(1ms);

    world.kernel.cancel(recv.op());
    world.send(one, "bytes");

    CHECK(world.result(recv) == (rate == 0 ? -ECANCELED : 5));
    CHECK(world.result(world.recv(other, 9, MSG_DONTWAIT)) == (rate == 0 ? 5 : -EAGAIN));
  }
}

TEST_CASE("a cancel of a read of all tells what was read so far") {
  World world;
  const auto [one, other] = world.connection();
  Job& recv = world.recv(other, 10, MSG_WAITALL);
  world.result(world.send(one, "half"));
  world.pass(1ms);
  CHECK_FALSE(recv.isDone());

  world.kernel.cancel(recv.op());

  CHECK(world.result(recv) == 4);
  CHECK(recv.text() == "half");
}

TEST_CASE("cancelDescriptor ends every operation on it and no other") {
  World world;
  const auto [one, other] = world.connection();
  Job& recv = world.recv(other, 5);
  Job& poll = world.make(OpKind::poll, other);
  poll.op().flags = POLLIN;
  world.submit(poll);
  Job& elsewhere = world.recv(one, 5);

  world.kernel.cancelDescriptor(other);
  world.pass(1ms);

  CHECK(recv.result() == -ECANCELED);
  CHECK(poll.result() == -ECANCELED);
  CHECK_FALSE(elsewhere.isDone());
}

TEST_CASE("however reads are cancelled, no byte is lost, doubled or moved") {
  constexpr std::size_t kTotal = 2000;
  int cancelled = 0;
  int lost = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    const Account account =
        readWithCancels(SimOptions::hostile(static_cast<std::uint64_t>(seed)), kTotal);
    REQUIRE(account.received == pattern(kTotal));
    cancelled += account.cancelled;
    lost += account.lost;
  }
  CHECK(cancelled > kSeeds);
  CHECK(lost > kSeeds);
}
