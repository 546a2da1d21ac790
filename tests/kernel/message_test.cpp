// Messages: batches without waiting, descriptors in transit, the peer's credentials.
#include <cstring>
#include <memory>

#include "ring.h"
#include "support.h"

using namespace facts;

namespace {

constexpr std::uint64_t kOp = 1;

// A message of one byte with room for one descriptor.
struct DescriptorMessage {
  char byte = 'x';
  iovec piece{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};

  DescriptorMessage() {
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  DescriptorMessage& operator=(const DescriptorMessage&) = delete;

  void attach(int fd) {
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  Fd detach() {
    const cmsghdr* part = CMSG_FIRSTHDR(&header);
    if (part == nullptr || part->cmsg_type != SCM_RIGHTS) return Fd();
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    return Fd(fd);
  }
};

// Datagrams of 4 bytes each, for sendmmsg and recvmmsg.
template <std::size_t N>
struct Batch {
  std::array<std::array<char, 4>, N> bytes{};
  std::array<iovec, N> pieces{};
  std::array<mmsghdr, N> messages{};

  Batch() {
    for (std::size_t i = 0; i < N; ++i) {
      pieces[i] = {bytes[i].data(), bytes[i].size()};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
};

}  // namespace

TEST_CASE("recvmmsg without waiting tells nothing yet from the end of a stream") {
  Pair sockets = socketPair();
  char byte = 0;
  iovec piece{&byte, 1};
  mmsghdr message{};
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  const auto look = [&] {
    return recvmmsg(sockets.near.get(), &message, 1, MSG_DONTWAIT, nullptr);
  };

  CHECK(look() == -1);
  CHECK(errno == EAGAIN);
  put(sockets.far, "x");
  CHECK(look() == 1);
  CHECK(message.msg_len == 1);
  sockets.far.close();
  CHECK(look() == 1);
  CHECK(message.msg_len == 0);
}

TEST_CASE("recvmmsg with MSG_DONTWAIT takes what is there, and fails with EAGAIN if nothing is") {
  Pair pair = socketPair(SOCK_DGRAM);
  Batch<4> in;
  int nothing = recvmmsg(pair.near.get(), in.messages.data(), 4, MSG_DONTWAIT, nullptr);
  int nothingErrno = errno;
  put(pair.far, "one ");
  put(pair.far, "two ");

  int count = recvmmsg(pair.near.get(), in.messages.data(), 4, MSG_DONTWAIT, nullptr);

  CHECK(nothing == -1);
  CHECK(nothingErrno == EAGAIN);
  CHECK(count == 2);
  CHECK(in.messages[1].msg_len == 4);
  CHECK(std::string_view(in.bytes[1].data(), 4) == "two ");
}

TEST_CASE("sendmmsg with MSG_DONTWAIT sends what fits, and fails with EAGAIN if nothing does") {
  Pair pair = socketPair(SOCK_DGRAM);
  constexpr int kMany = 1000;
  auto out = std::make_unique<Batch<kMany>>();

  int fitting = sendmmsg(pair.near.get(), out->messages.data(), kMany, MSG_DONTWAIT | MSG_NOSIGNAL);
  int none = sendmmsg(pair.near.get(), out->messages.data(), kMany, MSG_DONTWAIT | MSG_NOSIGNAL);
  int noneErrno = errno;

  CHECK(fitting > 0);
  CHECK(fitting < kMany);
  CHECK(none == -1);
  CHECK(noneErrno == EAGAIN);
}

TEST_CASE("SCM_RIGHTS carries a descriptor through ring sendmsg and recvmsg") {
  if (isRingMissing()) return;
  Ring ring;
  Pair pair = socketPair();
  Pair carried = pipePair();
  DescriptorMessage out;
  DescriptorMessage in;
  out.attach(carried.far.get());

  io_uring_prep_recvmsg(ring.queue(kOp), pair.near.get(), &in.header, MSG_CMSG_CLOEXEC);
  std::vector<Completion> early = ring.reap();
  io_uring_prep_sendmsg(ring.queue(2), pair.far.get(), &out.header, MSG_NOSIGNAL);
  std::array both{ring.wait(), ring.wait()};
  Fd copy = in.detach();

  CHECK(early.empty());
  for (const Completion& completion : both) CHECK(completion.result == 1);
  REQUIRE(copy.get() >= 0);
  CHECK(copy.get() != carried.far.get());
  CHECK((in.header.msg_flags & MSG_CTRUNC) == 0);
  CHECK(fcntl(copy.get(), F_GETFD) == FD_CLOEXEC);
  CHECK(write(copy.get(), "through", 7) == 7);
  CHECK(bytesWaiting(carried.near) == 7);
}

TEST_CASE("SO_PEERCRED names the process, user and group at the other end") {
  Pair pair = socketPair();
  ucred peer{};
  socklen_t size = sizeof peer;

  int result = getsockopt(pair.near.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);

  CHECK(result == 0);
  CHECK(peer.pid == getpid());
  CHECK(peer.uid == geteuid());
  CHECK(peer.gid == getegid());
}
