// Sockets and pipes, through the ring and beside it.
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

#include <numeric>
#include <thread>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

enum : std::uint64_t { kOp = 1, kCancel };

void queueConnect(Ring& ring, const Fd& client, LoopbackSocket& server) {
  io_uring_prep_connect(ring.queue(kOp), client.get(), server.where(), sizeof server.address);
}

// In a child: the errno of one operation on a pipe or socket whose other end is closed.
template <class Prepare>
int resultWithSigpipe(void (*disposition)(int), Prepare prepare) {
  return exitOf([disposition, &prepare] {
    signal(SIGPIPE, disposition);
    Ring ring;
    prepare(ring.queue(kOp));
    return -ring.wait().result;
  });
}

}  // namespace

TEST_CASE("a ring operation on a non-blocking socket or pipe waits, without EAGAIN") {
  if (isRingMissing()) return;
  Ring ring;
  Pair sockets = socketPair(SOCK_STREAM | SOCK_NONBLOCK);
  Pair pipes = pipePair(O_NONBLOCK);
  std::array<char, 16> buffer{};
  io_uring_prep_recv(ring.queue(1), sockets.near.get(), buffer.data(), buffer.size(), 0);
  io_uring_prep_read(ring.queue(2), pipes.near.get(), buffer.data(), buffer.size(), 0);
  std::vector<Completion> early = ring.reap();

  put(sockets.far, "four");
  Completion received = ring.wait();
  REQUIRE(write(pipes.far.get(), "three", 5) == 5);
  Completion readBytes = ring.wait();

  CHECK(early.empty());
  CHECK(received.tag == 1);
  CHECK(received.result == 4);
  CHECK(readBytes.tag == 2);
  CHECK(readBytes.result == 5);
}

TEST_CASE("a ring accept on a non-blocking listener waits") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd client = tcpSocket();
  REQUIRE(fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK) == 0);
  io_uring_prep_accept(ring.queue(kOp), listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  std::vector<Completion> early = ring.reap();

  listener.connect(client);
  Fd connection(ring.wait().result);

  CHECK(early.empty());
  CHECK(connection.get() >= 0);
}

TEST_CASE("a ring receive with MSG_DONTWAIT fails with EAGAIN") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  char byte = 0;
  io_uring_prep_recv(ring.queue(kOp), pair.near.get(), &byte, 1, MSG_DONTWAIT);

  CHECK(ring.wait().result == -EAGAIN);
}

TEST_CASE("a ring send with MSG_NOSIGNAL to a closed peer gives EPIPE and no SIGPIPE") {
  if (isRingMissing()) return;
  Pair pair = socketPair();
  pair.far.close();

  int error = resultWithSigpipe(SIG_DFL, [&pair](io_uring_sqe* entry) {
    io_uring_prep_send(entry, pair.near.get(), "x", 1, MSG_NOSIGNAL);
  });

  CHECK(error == EPIPE);
}

TEST_CASE("a ring write to a pipe without a reader raises SIGPIPE unless that is ignored") {
  if (isRingMissing()) return;
  Pair pair = pipePair();
  pair.near.close();
  auto write = [&pair](io_uring_sqe* entry) {
    io_uring_prep_write(entry, pair.far.get(), "x", 1, 0);
  };

  int byDefault = resultWithSigpipe(SIG_DFL, write);
  int ignored = resultWithSigpipe(SIG_IGN, write);

  CHECK(byDefault == -SIGPIPE);
  CHECK(ignored == EPIPE);
}

TEST_CASE("a ring send to a full socket comes back short, with MSG_WAITALL it sends it all") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::vector<char> out(1 << 20);
  std::iota(out.begin(), out.end(), char{0});
  std::vector<char> in;
  std::array<char, 16384> chunk{};
  auto drain = [&in, &chunk, &pair] {
    ssize_t count = 0;
    while ((count = recv(pair.far.get(), chunk.data(), chunk.size(), MSG_DONTWAIT)) > 0)
      in.insert(in.end(), chunk.begin(), chunk.begin() + count);
  };
  io_uring_prep_send(ring.queue(kOp), pair.near.get(), out.data(), out.size(), MSG_NOSIGNAL);
  Completion partial = ring.wait();
  drain();
  std::size_t bytesBefore = in.size();
  in.clear();

  io_uring_prep_send(ring.queue(kOp), pair.near.get(), out.data(), out.size(),
                     MSG_NOSIGNAL | MSG_WAITALL);
  std::vector<Completion> done = ring.reap();
  bool hadToWait = done.empty();
  for (int turns = 0; done.empty() && turns < 100'000; ++turns) {
    drain();
    done = ring.reap();
  }
  drain();

  CHECK(partial.result > 0);
  CHECK(partial.result < static_cast<int>(out.size()));
  CHECK(bytesBefore == static_cast<std::size_t>(partial.result));
  CHECK(hadToWait);
  REQUIRE(done.size() == 1);
  CHECK(done[0].result == static_cast<int>(out.size()));
  CHECK(in == out);
}

TEST_CASE("a pending receive completes with 0 when its own side shuts down") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd client = tcpSocket();
  listener.connect(client);
  char byte = 0;
  io_uring_prep_recv(ring.queue(kOp), client.get(), &byte, 1, 0);
  std::vector<Completion> early = ring.reap();

  REQUIRE(shutdown(client.get(), SHUT_RDWR) == 0);
  Completion pending = ring.wait();
  io_uring_prep_recv(ring.queue(kOp), client.get(), &byte, 1, 0);
  Completion later = ring.wait();

  CHECK(early.empty());
  CHECK(pending.tag == kOp);
  CHECK(pending.result == 0);
  CHECK(later.tag == kOp);
  CHECK(later.result == 0);
}

TEST_CASE("a connect that nobody listens for completes with ECONNREFUSED") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket deaf(-1);
  Fd client = tcpSocket();

  queueConnect(ring, client, deaf);

  CHECK(ring.wait().result == -ECONNREFUSED);
}

TEST_CASE("a cancelled connect completes with ECANCELED and leaves its socket connecting") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket full(0);  // a backlog of 0 holds one connection, then SYNs are dropped
  Fd occupant = tcpSocket();
  full.connect(occupant);
  Fd client = tcpSocket(SOCK_NONBLOCK);
  queueConnect(ring, client, full);
  std::vector<Completion> early = ring.reap();

  io_uring_sqe* cancel = ring.queue(kCancel);
  io_uring_prep_cancel64(cancel, kOp, 0);
  cancel->flags = IOSQE_CQE_SKIP_SUCCESS;
  Completion cancelled = ring.wait();
  int again = connect(client.get(), full.where(), sizeof full.address);
  int againErrno = errno;

  CHECK(early.empty());
  CHECK(cancelled.tag == kOp);
  CHECK(cancelled.result == -ECANCELED);
  CHECK(ring.reap().empty());
  CHECK(again == -1);
  CHECK(againErrno == EALREADY);
}

TEST_CASE("an accepted socket has the TCP_NODELAY of its listener") {
  for (const int on : {0, 1}) {
    const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
    const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);

    const Fd accepted(accept(listener.get(), nullptr, nullptr));

    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0);
    CHECK((value != 0) == (on != 0));
  }
}
