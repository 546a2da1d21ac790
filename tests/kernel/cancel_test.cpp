// Cancelling: who completes, with what, and where the bytes go. Killing a fiber relies on it.
#include <sys/stat.h>

#include <cstdlib>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

enum : std::uint64_t { kTarget = 1, kCancel, kOther };

// plait's cancel: by tag, silent when it hits.
void queueCancel(Ring& ring, std::uint64_t target) {
  io_uring_sqe* entry = ring.queue(kCancel);
  io_uring_prep_cancel64(entry, target, 0);
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void queueCancelFd(Ring& ring, const Fd& fd, unsigned entryFlags) {
  io_uring_sqe* entry = ring.queue(kCancel);
  io_uring_prep_cancel_fd(entry, fd.get(), IORING_ASYNC_CANCEL_ALL);
  entry->flags = static_cast<__u8>(entryFlags);
}

// A named pipe in a folder of its own.
class Fifo final {
 public:
  Fifo() {
    REQUIRE(mkdtemp(folder_.data()) != nullptr);
    path = std::string(folder_.data()) + "/fifo";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  }
  ~Fifo() {
    unlink(path.c_str());
    rmdir(folder_.data());
  }

  std::string path;

 private:
  std::array<char, 32> folder_{"/tmp/kernel-facts-XXXXXX"};
};

void queueOpen(Ring& ring, const Fifo& fifo, int openFlags, unsigned entryFlags) {
  io_uring_sqe* entry = ring.queue(kTarget);
  io_uring_prep_openat(entry, AT_FDCWD, fifo.path.c_str(), openFlags | O_CLOEXEC, 0);
  entry->flags = static_cast<__u8>(entryFlags);
}

void queueRecv(Ring& ring, const Fd& fd, std::span<char> into, std::uint64_t tag = kTarget) {
  io_uring_prep_recv(ring.queue(tag), fd.get(), into.data(), into.size(), 0);
}

}  // namespace

TEST_CASE("a cancel that hits shows only as the target's ECANCELED") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  ring.submit();

  queueCancel(ring, kTarget);
  Completion target = ring.wait();

  CHECK(target.tag == kTarget);
  CHECK(target.result == -ECANCELED);
  CHECK(ring.reap().empty());
}

TEST_CASE("a cancel without IOSQE_CQE_SKIP_SUCCESS completes with 0 before its target") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  ring.submit();

  io_uring_prep_cancel64(ring.queue(kCancel), kTarget, 0);
  Completion first = ring.wait();
  Completion second = ring.wait();

  CHECK(first.tag == kCancel);
  CHECK(first.result == 0);
  CHECK(second.tag == kTarget);
  CHECK(second.result == -ECANCELED);
}

TEST_CASE("a cancel that misses completes with ENOENT although its success would be skipped") {
  if (isRingMissing()) return;
  Ring ring;

  queueCancel(ring, kTarget);
  Completion missed = ring.wait();

  CHECK(missed.tag == kCancel);
  CHECK(missed.result == -ENOENT);
}

TEST_CASE("bytes that came before the cancel stay in the socket when the target says ECANCELED") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  ring.submit();
  put(pair.far, "four");  // its work waits for GETEVENTS, so the cancel is first

  queueCancel(ring, kTarget);
  Completion target = ring.wait();

  CHECK(target.tag == kTarget);
  CHECK(target.result == -ECANCELED);
  CHECK(bytesWaiting(pair.near) == 4);
  CHECK(buffer[0] == 0);
  CHECK(ring.reap().empty());
}

TEST_CASE("a receive that already took its bytes is missed by the cancel and keeps its result") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  put(pair.far, "four");

  queueRecv(ring, pair.near, buffer);
  queueCancel(ring, kTarget);
  Completion target = ring.wait();
  Completion missed = ring.wait();

  CHECK(target.tag == kTarget);
  CHECK(target.result == 4);
  CHECK(missed.tag == kCancel);
  CHECK(missed.result == -ENOENT);
}

TEST_CASE("an operation submitted by the same enter as its cancel is found") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};

  queueRecv(ring, pair.near, buffer);
  queueCancel(ring, kTarget);
  Completion target = ring.wait();

  CHECK(target.tag == kTarget);
  CHECK(target.result == -ECANCELED);
  CHECK(ring.reap().empty());
}

TEST_CASE("a cancel queued ahead of its target misses it") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};

  queueCancel(ring, kTarget);
  queueRecv(ring, pair.near, buffer);
  Completion missed = ring.wait();

  CHECK(missed.tag == kCancel);
  CHECK(missed.result == -ENOENT);
  CHECK(ring.reap().empty());
}

TEST_CASE("a cancel by descriptor ends all its operations, no others, and returns their count") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  Pair bystander = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  queueRecv(ring, pair.near, buffer);
  queueRecv(ring, bystander.near, buffer, kOther);
  ring.submit();

  queueCancelFd(ring, pair.near, 0);
  Completion cancel = ring.wait();
  std::array targets{ring.wait(), ring.wait()};

  CHECK(cancel.tag == kCancel);
  CHECK(cancel.result == 2);
  for (const Completion& target : targets) {
    CHECK(target.tag == kTarget);
    CHECK(target.result == -ECANCELED);
  }
  CHECK(ring.reap().empty());
}

TEST_CASE("a cancel of all operations of a descriptor can be silent, even when there are none") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  queueCancelFd(ring, pair.near, IOSQE_CQE_SKIP_SUCCESS);

  Completion target = ring.wait();
  queueCancelFd(ring, pair.near, IOSQE_CQE_SKIP_SUCCESS);
  std::vector<Completion> after = ring.reap();
  queueCancelFd(ring, pair.near, 0);
  Completion count = ring.wait();

  CHECK(target.tag == kTarget);
  CHECK(target.result == -ECANCELED);
  CHECK(after.empty());
  CHECK(count.result == 0);
}

TEST_CASE("close() neither ends a pending receive nor shows at the peer, and it eats later bytes") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  ring.submit();

  pair.near.close();
  std::vector<Completion> afterClose = ring.reap();
  State peerAfterClose = peek(pair.far);
  put(pair.far, "late");
  Completion dead = ring.wait();
  ring.reap();  // lets go of the last reference to the socket
  State peerInTheEnd = peek(pair.far);

  CHECK(afterClose.empty());
  CHECK(peerAfterClose == State::nothing);
  CHECK(dead.tag == kTarget);
  CHECK(dead.result == 4);
  CHECK(peerInTheEnd == State::end);
}

TEST_CASE("after its operations are cancelled a close() is seen by the peer at once") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  std::array<char, 16> buffer{};
  queueRecv(ring, pair.near, buffer);
  ring.submit();

  queueCancelFd(ring, pair.near, IOSQE_CQE_SKIP_SUCCESS);
  Completion target = ring.wait();
  pair.near.close();

  CHECK(target.result == -ECANCELED);
  CHECK(peek(pair.far) == State::end);
}

TEST_CASE("an open that blocks in a kernel worker still completes once after its cancel") {
  if (isRingMissing()) return;
  Ring ring;
  Fifo fifo;
  queueOpen(ring, fifo, O_RDONLY, IOSQE_ASYNC);  // waits for a writer
  ring.submit();

  queueCancel(ring, kTarget);
  Completion next = ring.wait();
  // The worker may sleep already (the cancel says EALREADY) or may not have begun (silence).
  if (next.tag == kCancel) {
    CHECK(next.result == -EALREADY);
    next = ring.wait();
  }

  // An interrupted open leaks ERESTARTSYS, which user space should never see.
  constexpr int kRestart = 512;
  CHECK(next.tag == kTarget);
  CHECK((next.result == -kRestart || next.result == -EINTR || next.result == -ECANCELED));
}

TEST_CASE("an open of a FIFO acts as if with O_NONBLOCK unless forced into a worker") {
  if (isRingMissing()) return;
  Ring ring;
  Fifo fifo;

  queueOpen(ring, fifo, O_WRONLY, 0);
  Completion withoutReader = ring.wait();
  queueOpen(ring, fifo, O_RDONLY, 0);
  Completion withoutWriter = ring.wait();
  Fd reader(withoutWriter.result);

  CHECK(withoutReader.result == -ENXIO);
  CHECK(withoutWriter.result >= 0);
  CHECK((fcntl(reader.get(), F_GETFL) & O_NONBLOCK) == 0);
}
