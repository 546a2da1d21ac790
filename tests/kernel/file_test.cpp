// Files, pipes and terminals through the ring.
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>

#include <csignal>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

enum : std::uint64_t { kTarget = 1, kCancel };

constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

// A file without a name that holds `text`.
Fd fileOf(std::string_view text, int flags = 0) {
  Fd fd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600));
  REQUIRE(fd.get() >= 0);
  REQUIRE(pwrite(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return fd;
}

int positionOf(const Fd& fd) { return static_cast<int>(lseek(fd.get(), 0, SEEK_CUR)); }

void queueSplice(Ring& ring, int from, std::uint64_t offset, int to, unsigned bytes,
                 unsigned flags = 0) {
  io_uring_prep_splice(ring.queue(kTarget), from, static_cast<std::int64_t>(offset), to, -1, bytes,
                       flags);
}

void queueCancel(Ring& ring) {
  io_uring_sqe* entry = ring.queue(kCancel);
  io_uring_prep_cancel64(entry, kTarget, 0);
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

struct TcpPair {
  LoopbackSocket listener;
  Fd writer = tcpSocket();
  Fd reader;
  TcpPair() {
    listener.connect(writer);
    reader = Fd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(reader.get() >= 0);
  }
};

// Both ends of a terminal that passes bytes on as they are: far is the terminal.
Pair terminalPair() {
  Pair pair;
  pair.near = Fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(grantpt(pair.near.get()) == 0);
  REQUIRE(unlockpt(pair.near.get()) == 0);
  pair.far = Fd(open(ptsname(pair.near.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(pair.far.get() >= 0);
  termios raw{};
  REQUIRE(tcgetattr(pair.far.get(), &raw) == 0);
  cfmakeraw(&raw);
  REQUIRE(tcsetattr(pair.far.get(), TCSANOW, &raw) == 0);
  return pair;
}

}  // namespace

TEST_CASE("a read at offset -1 is at the file's position and moves it") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd file = fileOf("0123456789");
  REQUIRE(lseek(file.get(), 4, SEEK_SET) == 4);
  std::array<char, 3> into{};

  io_uring_prep_read(ring.queue(kTarget), file.get(), into.data(), into.size(), kNoOffset);

  CHECK(ring.wait().result == 3);
  CHECK(std::string_view(into.data(), 3) == "456");
  CHECK(positionOf(file) == 7);
}

TEST_CASE("a write at offset -1 to an appending file moves its position to the new end") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd file = fileOf("0123456789", O_APPEND);
  REQUIRE(lseek(file.get(), 2, SEEK_SET) == 2);

  io_uring_prep_write(ring.queue(kTarget), file.get(), "ab", 2, kNoOffset);

  CHECK(ring.wait().result == 2);
  CHECK(positionOf(file) == 12);
}

TEST_CASE("a read or write against the direction of the descriptor is EBADF") {
  if (isRingMissing()) return;
  Ring ring;
  const Pair pipe = pipePair();
  char byte = 0;

  io_uring_prep_read(ring.queue(kTarget), pipe.far.get(), &byte, 1, kNoOffset);
  CHECK(ring.wait().result == -EBADF);

  io_uring_prep_write(ring.queue(kTarget), pipe.near.get(), &byte, 1, kNoOffset);
  CHECK(ring.wait().result == -EBADF);
}

TEST_CASE("a write to a pipe without a reader raises SIGPIPE, and is EPIPE where it is ignored") {
  if (isRingMissing()) return;
  const auto write = [](bool ignored) {
    return exitOf([ignored] {
      if (ignored) std::signal(SIGPIPE, SIG_IGN);
      Ring ring;
      int ends[2] = {};
      if (pipe(ends) != 0) return 1;
      ::close(ends[0]);
      io_uring_prep_write(ring.queue(kTarget), ends[1], "x", 1, kNoOffset);
      return ring.wait().result == -EPIPE ? 0 : 2;
    });
  };

  CHECK(write(true) == 0);
  CHECK(write(false) == -SIGPIPE);
}

TEST_CASE("a write that is larger than a pipe's room comes short") {
  if (isRingMissing()) return;
  Ring ring;
  const Pair pipe = pipePair();
  const std::string big(1 << 20, 'x');

  io_uring_prep_write(ring.queue(kTarget), pipe.far.get(), big.data(), big.size(), kNoOffset);

  CHECK(ring.wait().result == 65'536);
}

TEST_CASE("a poll of a terminal completes with the first key and takes nothing") {
  if (isRingMissing()) return;
  Ring ring;
  const Pair pair = terminalPair();
  io_uring_prep_poll_add(ring.queue(kTarget), pair.far.get(), POLLIN);
  CHECK(ring.reap().empty());

  REQUIRE(write(pair.near.get(), "k", 1) == 1);

  CHECK((ring.wait().result & POLLIN) != 0);
  char key = 0;
  io_uring_prep_read(ring.queue(kTarget), pair.far.get(), &key, 1, kNoOffset);
  CHECK(ring.wait().result == 1);
  CHECK(key == 'k');
}

// Without IOSQE_ASYNC the submission itself would wait: the terminal polls as writable.
TEST_CASE("a long write to a terminal waits on a worker, and tells what it wrote when cancelled") {
  if (isRingMissing()) return;
  for (int round = 0; round < 20; ++round) {
    Ring ring;
    const Pair pair = terminalPair();
    const std::string big(1 << 20, 'x');
    io_uring_sqe* entry = ring.queue(kTarget);
    io_uring_prep_write(entry, pair.far.get(), big.data(), big.size(), kNoOffset);
    entry->flags = IOSQE_ASYNC;
    CHECK(ring.reap().empty());
    // It may have begun or not.
    pollfd written{pair.near.get(), POLLIN, 0};
    if (round % 2 == 1) CHECK(poll(&written, 1, 10'000) == 1);

    queueCancel(ring);
    Completion completion = ring.wait();
    while (completion.tag == kCancel) completion = ring.wait();

    std::string into(1 << 20, '\0');
    int received = 0;
    while (poll(&written, 1, 0) == 1) {
      received += static_cast<int>(read(pair.near.get(), into.data(), into.size()));
    }
    CHECK(received == std::max(completion.result, 0));
  }
}

TEST_CASE("a device that never waits polls as ready") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));

  io_uring_prep_poll_add(ring.queue(kTarget), null.get(), POLLIN | POLLOUT);

  CHECK((ring.wait().result & (POLLIN | POLLOUT)) == (POLLIN | POLLOUT));
}

TEST_CASE("an open by the ring makes an ordinary descriptor, and of a FIFO it does not wait") {
  if (isRingMissing()) return;
  Ring ring;
  std::array<char, 32> folder{"/tmp/kernel-facts-XXXXXX"};
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = std::string(folder.data()) + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);

  io_uring_prep_openat(ring.queue(kTarget), AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC, 0);
  const Fd fifo(ring.wait().result);

  CHECK(fifo.get() >= 0);
  CHECK((fcntl(fifo.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((fcntl(fifo.get(), F_GETFD) & FD_CLOEXEC) != 0);
  unlink(path.c_str());
  rmdir(folder.data());
}

// How somebody who has opened a FIFO to read sees that a writer is there.
TEST_CASE("tee without waiting tells a FIFO without a writer from one with nothing in it") {
  std::array<char, 32> folder{"/tmp/kernel-facts-XXXXXX"};
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = std::string(folder.data()) + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const Pair scratch = pipePair();
  CHECK(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1);
  CHECK(errno == ENXIO);
  const Fd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  pollfd input{reader.get(), POLLIN, 0};
  const auto look = [&] { return tee(reader.get(), scratch.far.get(), 1, SPLICE_F_NONBLOCK); };

  CHECK(look() == 0);
  CHECK(poll(&input, 1, 0) == 0);
  {
    const Fd writer(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    CHECK(look() == -1);
    CHECK(errno == EAGAIN);
    CHECK(poll(&input, 1, 0) == 0);
  }
  CHECK(look() == 0);
  CHECK(poll(&input, 1, 0) == 1);
  CHECK(input.revents == POLLHUP);
  unlink(path.c_str());
  rmdir(folder.data());
}

TEST_CASE("a file is spliced into a pipe and from there to a socket") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd file = fileOf("0123456789");
  const Pair pipe = pipePair();
  const Pair sockets = socketPair();

  queueSplice(ring, file.get(), 3, pipe.far.get(), 100);
  CHECK(ring.wait().result == 7);
  queueSplice(ring, pipe.near.get(), kNoOffset, sockets.near.get(), 7);
  CHECK(ring.wait().result == 7);

  std::array<char, 10> into{};
  CHECK(recv(sockets.far.get(), into.data(), into.size(), MSG_DONTWAIT) == 7);
  CHECK(std::string_view(into.data(), 7) == "3456789");
  CHECK(positionOf(file) == 0);
  queueSplice(ring, file.get(), 10, pipe.far.get(), 100);
  CHECK(ring.wait().result == 0);
}

TEST_CASE("a splice to a full pipe is EAGAIN if it may not wait, else as much as fits") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd file = fileOf(std::string(1 << 20, 'x'));
  const Pair pipe = pipePair();

  queueSplice(ring, file.get(), 0, pipe.far.get(), 1 << 20, SPLICE_F_NONBLOCK);
  CHECK(ring.wait().result == 65'536);
  queueSplice(ring, file.get(), 0, pipe.far.get(), 1 << 20, SPLICE_F_NONBLOCK);
  CHECK(ring.wait().result == -EAGAIN);
}

TEST_CASE("a splice from a file into a socket, without a pipe between, is EINVAL") {
  if (isRingMissing()) return;
  Ring ring;
  const Fd file = fileOf("0123456789");
  const Pair sockets = socketPair();

  queueSplice(ring, file.get(), 0, sockets.near.get(), 10);

  CHECK(ring.wait().result == -EINVAL);
}

TEST_CASE("a splice to a socket that is cancelled tells how much it has sent") {
  if (isRingMissing()) return;
  const TcpPair tcp;
  const int small = 4'096;
  REQUIRE(setsockopt(tcp.writer.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
  for (int round = 0; round < 20; ++round) {
    Ring ring;
    const Pair pipe = pipePair();
    REQUIRE(fcntl(pipe.far.get(), F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    const Fd file = fileOf(std::string(1 << 20, 'x'));
    queueSplice(ring, file.get(), 0, pipe.far.get(), 1 << 20);
    const int inPipe = ring.wait().result;
    REQUIRE(inPipe > 0);

    queueSplice(ring, pipe.near.get(), kNoOffset, tcp.writer.get(), 1 << 20);
    ring.submit();
    std::string into(1 << 20, '\0');
    int received = 0;
    // The socket's two ends take some; nobody reads the rest.
    if (round % 2 == 1) {
      received = static_cast<int>(recv(tcp.reader.get(), into.data(), 10'000, MSG_WAITALL));
    }
    queueCancel(ring);
    // The cancel of what a worker runs tells -EALREADY, before or after.
    Completion completion = ring.wait();
    while (completion.tag == kCancel) completion = ring.wait();
    const int sent = std::max(completion.result, 0);

    CHECK((completion.result > 0 || completion.result == -ECANCELED || completion.result == -512 ||
           completion.result == -EINTR));
    while (received < sent) {
      const auto count = recv(tcp.reader.get(), into.data(), into.size(), 0);
      REQUIRE(count > 0);
      received += static_cast<int>(count);
    }
    CHECK(received == sent);
    CHECK(peek(tcp.reader) == State::nothing);
  }
}

// So much is spliced to a socket that can be written to, and no thread waits for the peer.
TEST_CASE("a socket that polls writable takes a quarter of its send buffer at once") {
  const TcpPair tcp;
  const std::string piece(64 << 10, 'x');
  std::string into(64 << 10, '\0');
  for (int round = 0; round < 200; ++round) {
    while (send(tcp.writer.get(), piece.data(), piece.size(), MSG_DONTWAIT) > 0) {
    }
    pollfd writable{tcp.writer.get(), POLLOUT, 0};
    while (poll(&writable, 1, 0) == 0) {
      REQUIRE(recv(tcp.reader.get(), into.data(), into.size(), 0) > 0);
    }
    int buffer = 0;
    socklen_t length = sizeof buffer;
    REQUIRE(getsockopt(tcp.writer.get(), SOL_SOCKET, SO_SNDBUF, &buffer, &length) == 0);
    const std::string quarter(static_cast<std::size_t>(buffer) / 4, 'x');

    CHECK(send(tcp.writer.get(), quarter.data(), quarter.size(), MSG_DONTWAIT) ==
          static_cast<ssize_t>(quarter.size()));
  }
}

TEST_CASE("copy_file_range of a file that the kernel makes up copies nothing or refuses") {
  const Fd from(open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC));
  const Fd to = fileOf("");

  const ssize_t copied = copy_file_range(from.get(), nullptr, to.get(), nullptr, 1'000, 0);

  CHECK((copied == 0 || (copied < 0 && (errno == EINVAL || errno == EXDEV))));
}
