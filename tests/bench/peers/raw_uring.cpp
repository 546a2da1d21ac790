// TCP echo, hand-written io_uring: the ceiling. Plain recv and send SQEs, multishot accept, one
// submit-and-wait per turn, no allocation per request.
#include "listener.h"
#include "ring.h"
#include "stats.h"

namespace {

// The rings are small on purpose: their memory is cycled through, and has to stay in the cache.
// Nothing is lost when either is full: a full SQ is submitted, a full CQ overflows into a list.
constexpr unsigned kSqEntries = 1024;
constexpr unsigned kCqEntries = 4096;

// The header in front of the buffer makes the stride 16 KiB + 64, so that the buffers' first lines
// spread over the cache sets instead of all sharing one.
struct alignas(64) Connection {
  int fd;
  unsigned sent;
  unsigned size;
  alignas(64) char buffer[kReadMax];
};

// user_data: 0 is the accept, a plain Connection* its recv, the same with the low bit its send.
constexpr std::uint64_t kSendBit = 1;

io_uring ring;

io_uring_sqe* nextSqe() {
  ++loopStats.sqes;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (sqe != nullptr) [[likely]]
    return sqe;
  ++loopStats.enters;
  io_uring_submit(&ring);
  return io_uring_get_sqe(&ring);
}

void submitAccept(int listener) {
  io_uring_sqe* sqe = nextSqe();
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  sqe->user_data = 0;
}

void submitRecv(Connection* c) {
  io_uring_sqe* sqe = nextSqe();
  io_uring_prep_recv(sqe, c->fd, c->buffer, sizeof c->buffer, 0);
  sqe->user_data = reinterpret_cast<std::uint64_t>(c);
}

void submitSend(Connection* c) {
  io_uring_sqe* sqe = nextSqe();
  io_uring_prep_send(sqe, c->fd, c->buffer + c->sent, c->size - c->sent, MSG_NOSIGNAL);
  sqe->user_data = reinterpret_cast<std::uint64_t>(c) | kSendBit;
}

void onAccept(int listener, const io_uring_cqe& cqe) {
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) submitAccept(listener);
  if (cqe.res < 0) return;
  // Not value-initialised: only the pages that carry data shall become resident.
  auto* c = new Connection;
  c->fd = cqe.res;
  submitRecv(c);
}

void closeConnection(Connection* c) {
  close(c->fd);
  delete c;
}

void onRecv(Connection* c, int result) {
  if (result <= 0) [[unlikely]]
    return closeConnection(c);
  c->sent = 0;
  c->size = static_cast<unsigned>(result);
  submitSend(c);
}

void onSend(Connection* c, int result) {
  if (result < 0) [[unlikely]]
    return closeConnection(c);
  c->sent += static_cast<unsigned>(result);
  if (c->sent < c->size) [[unlikely]]
    return submitSend(c);
  submitRecv(c);
}

}  // namespace

int main(int argc, char** argv) {
  printStatsOnTerminate();
  openRing(ring, kSqEntries, kCqEntries);
  const int listener = listenOn(portArgument(argc, argv), 0);
  announce(portOf(listener));
  submitAccept(listener);
  for (;;) {
    ++loopStats.turns;
    ++loopStats.enters;
    io_uring_submit_and_wait(&ring, 1);
    unsigned head = 0;
    unsigned reaped = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++reaped;
      const std::uint64_t data = cqe->user_data;
      auto* c = reinterpret_cast<Connection*>(data & ~kSendBit);
      if (c == nullptr) {
        onAccept(listener, *cqe);
      } else if ((data & kSendBit) != 0) {
        onSend(c, cqe->res);
      } else {
        onRecv(c, cqe->res);
      }
    }
    loopStats.cqes += reaped;
    io_uring_cq_advance(&ring, reaped);
  }
}
