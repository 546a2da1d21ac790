// Multishot operations: what ends them, and what is left when they end.
#include <sys/resource.h>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

enum : std::uint64_t { kAccept = 1, kCancel, kRecv };

void queueMultishotAccept(Ring& ring, const LoopbackSocket& listener) {
  io_uring_prep_multishot_accept(ring.queue(kAccept), listener.fd.get(), nullptr, nullptr,
                                 SOCK_CLOEXEC);
}

// While it lives, this process can open `count` more descriptors.
class DescriptorLimit final {
 public:
  explicit DescriptorLimit(int count) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    std::vector<Fd> free;
    for (int i = 0; i <= count; ++i) free.emplace_back(dup(STDERR_FILENO));
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(free.back().get());
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

// One provided buffer of 16 bytes in a ring of its own, registered as group 0.
class BufferRing final {
 public:
  explicit BufferRing(Ring& ring) {
    io_uring_buf_reg group{};
    group.ring_addr = reinterpret_cast<std::uintptr_t>(page_);
    group.ring_entries = 1;
    error = ring.registerCall(IORING_REGISTER_PBUF_RING, &group, 1);
    offer();
  }
  ~BufferRing() { munmap(page_, 4096); }

  // Gives the buffer to the kernel (again).
  void offer() {
    // By hand: liburing's helper indexes a zero-length array, and the tail lies in this entry.
    page_->resv1 = reinterpret_cast<std::uintptr_t>(buffer.data());
    page_->resv2 = static_cast<unsigned>(buffer.size());
    page_->resv3 = 0;
    std::atomic_ref(page_->tail).store(++tail_, std::memory_order_release);
  }

  std::array<char, 16> buffer{};
  int error = 0;

 private:
  io_uring_buf_ring* page_ = static_cast<io_uring_buf_ring*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  __u16 tail_ = 0;
};

}  // namespace

TEST_CASE("a one-shot accept takes one connection and leaves the next in the queue") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd first = tcpSocket();
  Fd second = tcpSocket();
  io_uring_prep_accept(ring.queue(kAccept), listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  ring.submit();

  listener.connect(first);
  listener.connect(second);
  Completion accepted = ring.wait();
  Fd connection(accepted.result);

  CHECK(accepted.result >= 0);
  CHECK_FALSE(accepted.hasMore());
  CHECK(fcntl(connection.get(), F_GETFD) == FD_CLOEXEC);
  CHECK(ring.reap().empty());
}

TEST_CASE("a multishot accept goes on with F_MORE from connection to connection") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  queueMultishotAccept(ring, listener);
  ring.submit();

  for (int i = 0; i < 3; ++i) {
    Fd client = tcpSocket();
    listener.connect(client);
    Completion accepted = ring.wait();
    Fd connection(accepted.result);

    CHECK(accepted.result >= 0);
    CHECK(accepted.hasMore());
  }
}

TEST_CASE("a cancelled multishot accept ends with ECANCELED without F_MORE") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd client = tcpSocket();
  queueMultishotAccept(ring, listener);
  ring.submit();
  listener.connect(client);
  Fd connection(ring.wait().result);

  io_uring_sqe* cancel = ring.queue(kCancel);
  io_uring_prep_cancel64(cancel, kAccept, 0);
  cancel->flags = IOSQE_CQE_SKIP_SUCCESS;
  Completion last = ring.wait();

  CHECK(connection.get() >= 0);
  CHECK(last.tag == kAccept);
  CHECK(last.result == -ECANCELED);
  CHECK_FALSE(last.hasMore());
  CHECK(ring.reap().empty());
}

TEST_CASE("a multishot accept ends at EMFILE for good, and arming it anew gets the connection") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd first = tcpSocket();
  Fd second = tcpSocket();
  DescriptorLimit limit(1);
  queueMultishotAccept(ring, listener);
  ring.submit();

  listener.connect(first);
  Completion accepted = ring.wait();
  listener.connect(second);
  Completion refused = ring.wait();
  close(accepted.result);
  std::vector<Completion> afterFree = ring.reap();
  queueMultishotAccept(ring, listener);
  Completion rearmed = ring.wait();
  Fd connection(rearmed.result);

  CHECK(accepted.result >= 0);
  CHECK(accepted.hasMore());
  CHECK(refused.tag == kAccept);
  CHECK(refused.result == -EMFILE);
  CHECK_FALSE(refused.hasMore());
  CHECK(afterFree.empty());
  CHECK(rearmed.result >= 0);
  CHECK(rearmed.hasMore());
}

TEST_CASE("an accept keeps the descriptor limit that held when it was submitted") {
  if (isRingMissing()) return;
  Ring ring;
  LoopbackSocket listener;
  Fd client = tcpSocket();
  io_uring_prep_accept(ring.queue(kAccept), listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  ring.submit();

  DescriptorLimit limit(0);
  listener.connect(client);
  Completion accepted = ring.wait();
  Fd connection(accepted.result);

  CHECK(accepted.result >= 0);
}

TEST_CASE("a multishot receive out of buffers ends with ENOBUFS and leaves the bytes") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  BufferRing buffers(ring);
  if (isMissing(buffers.error == 0, "provided-buffer rings")) return;
  io_uring_sqe* entry = ring.queue(kRecv);
  io_uring_prep_recv_multishot(entry, pair.near.get(), nullptr, 0, 0);
  entry->flags = IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  ring.submit();

  put(pair.far, "sixteen bytes...");
  Completion first = ring.wait();
  put(pair.far, "four");
  Completion starved = ring.wait();

  CHECK(first.result == 16);
  CHECK(first.hasMore());
  CHECK((first.flags >> IORING_CQE_BUFFER_SHIFT) == 0);
  CHECK((first.flags & IORING_CQE_F_BUFFER) != 0);
  CHECK(std::string_view(buffers.buffer.data(), 16) == "sixteen bytes...");
  CHECK(starved.result == -ENOBUFS);
  CHECK_FALSE(starved.hasMore());
  CHECK(bytesWaiting(pair.near) == 4);
}

TEST_CASE("a multishot receive ends with 0 at the end of the stream and takes no buffer") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  BufferRing buffers(ring);
  if (isMissing(buffers.error == 0, "provided-buffer rings")) return;
  io_uring_sqe* entry = ring.queue(kRecv);
  io_uring_prep_recv_multishot(entry, pair.near.get(), nullptr, 0, 0);
  entry->flags = IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  ring.submit();

  pair.far.close();
  Completion last = ring.wait();

  CHECK(last.result == 0);
  CHECK_FALSE(last.hasMore());
  CHECK((last.flags & IORING_CQE_F_BUFFER) == 0);
}
