// The load generator: every connection sends one message, waits for its echo, checks it, repeats.
//
//   load [ws:]HOST:PORT CONNECTIONS BYTES SECONDS [WARMUP_SECONDS]
//
// prints one JSON line. With `-` for SECONDS it connects, prints {"ready": N} and obeys lines on
// standard input: `run SECONDS [WARMUP_SECONDS]` gives one JSON line, `quit` ends it. Between runs
// the connections are idle, so a driver can alternate several servers slice by slice. With `ws:`
// the messages are texts of a WebSocket.
//
// It has to cost less than any server. One message is a send SQE without CQE and a recv SQE that
// completes when the whole echo is there; the clock is read once per turn, right after the enter.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"
#include "load_framing.h"
#include "load_socket.h"
#include "peers/ring.h"

namespace {

// A source address has some 28,000 ephemeral ports per destination; half of that is found quickly.
constexpr std::size_t kConnectionsPerSource = 14'000;
// So many connects may be in the server's backlog before one is proved to have been accepted.
constexpr std::size_t kRampStep = 128;
// Every so many messages an echo is compared to the last byte, the others by their two ends.
constexpr std::uint64_t kFullCheckEvery = 64;

struct Connection {
  int fd = -1;
  std::uint64_t sentAt = 0;
  std::uint64_t sequence = 0;
  char* out = nullptr;  // not touched while in flight: the whole echo implies the whole send
  char* in = nullptr;
};

struct Slice {
  std::uint64_t requests = 0;   // completed between the warm-up and the deadline
  std::uint64_t completed = 0;  // all, from the first send to the last echo: what the server did
  double seconds = 0;
};

class Load final {
 public:
  Load(const std::string& endpoint, std::size_t connections, std::size_t bytes)
      : isWebSocket_(endpoint.starts_with("ws:")),
        framing_(isWebSocket_ ? webSocketFraming(bytes) : Framing()),
        bytes_(bytes),
        connections_(connections) {
    openRing(ring_, 2048, 32768);
    allocate();
    connectAll(isWebSocket_ ? endpoint.substr(3) : endpoint);
  }

  // When it returns every message in flight has been awaited, and the connections are idle.
  void run(double seconds, double warmup) {
    alarm(static_cast<unsigned>(seconds + warmup) + kStallSeconds);
    histogram_.clear();
    Slice slice;
    std::uint64_t now = nanosecondsNow();
    const std::uint64_t begin = now + static_cast<std::uint64_t>(warmup * 1e9);
    const std::uint64_t end = begin + static_cast<std::uint64_t>(seconds * 1e9);
    for (Connection& c : connections_) {
      if (c.fd >= 0) post(c, now);
    }
    while (inFlight_ > 0) {
      io_uring_submit_and_wait(&ring_, 1);
      now = nanosecondsNow();
      const bool counts = now >= begin && now < end;
      unsigned head = 0;
      unsigned reaped = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        ++reaped;
        if (cqe->user_data == 0) continue;  // a failed send: its recv fails as well
        Connection& c = *reinterpret_cast<Connection*>(cqe->user_data);
        --inFlight_;
        if (!isEcho(c, cqe->res)) {
          drop(c);
          continue;
        }
        ++slice.completed;
        if (counts) histogram_.record(now - c.sentAt);
        if (now < end) post(c, now);
      }
      io_uring_cq_advance(&ring_, reaped);
    }
    slice.requests = histogram_.count();
    slice.seconds = seconds;
    alarm(0);
    print(slice);
  }

  std::uint64_t errors() const { return errors_; }

 private:
  // Messages of all connections lie one line apart from a multiple of their size: no cache set
  // gets more than its share.
  void allocate() {
    const std::size_t stride = (framing_.headOut.size() + bytes_ + 63) / 64 * 64 + 64;
    buffers_ = std::make_unique<char[]>(stride * 2 * connections_.size());
    char* next = buffers_.get();
    for (Connection& c : connections_) {
      c.out = next;
      c.in = next + stride;
      next += 2 * stride;
      std::memcpy(c.out, framing_.headOut.data(), framing_.headOut.size());
      for (std::size_t i = 0; i < bytes_; ++i) {
        c.out[framing_.headOut.size() + i] = static_cast<char>(('a' + i % 23) ^ keyByte(i));
      }
    }
  }

  void connectAll(const std::string& endpoint) {
    const sockaddr_in peer = addressOf(endpoint);
    alarm(kConnectSeconds);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].fd = connectTo(peer, i / kConnectionsPerSource);
      if (isWebSocket_) {
        openWebSocket(connections_[i].fd);
        continue;
      }
      // Servers accept in order, so this answer proves that all before were accepted too.
      if (i % kRampStep == kRampStep - 1 || i + 1 == connections_.size()) ping(connections_[i].fd);
    }
    alarm(0);
  }

  static void ping(int fd) {
    char byte = 'p';
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, MSG_WAITALL) != 1) die("ping");
  }

  io_uring_sqe* nextSqe() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) return sqe;
    io_uring_submit(&ring_);
    return io_uring_get_sqe(&ring_);
  }

  void post(Connection& c, std::uint64_t now) {
    c.sentAt = now;
    stamp(c);
    io_uring_sqe* sqe = nextSqe();
    io_uring_prep_send(sqe, c.fd, c.out, framing_.headOut.size() + bytes_,
                       MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 0;
    sqe = nextSqe();
    io_uring_prep_recv(sqe, c.fd, c.in, framing_.headIn.size() + bytes_, MSG_WAITALL);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;  // the echo cannot be there yet
    sqe->user_data = reinterpret_cast<std::uint64_t>(&c);
    ++inFlight_;
  }

  // Which connection and which message this is, at both ends: a stale, a swapped or a short echo
  // differs there. It is printable, since a WebSocket's text has to be one.
  void stamp(Connection& c) {
    ++c.sequence;
    const auto index = static_cast<std::uint64_t>(&c - connections_.data());
    const std::uint64_t mark = printable(index << 30 ^ c.sequence) ^ framing_.key;
    char* const text = c.out + framing_.headOut.size();
    const std::size_t size = std::min(bytes_, sizeof mark);
    std::memcpy(text, &mark, size);
    std::memcpy(text + bytes_ - size, &mark, size);
  }

  // Six of the lower 48 bits in each byte.
  static std::uint64_t printable(std::uint64_t bits) {
    std::uint64_t text = 0;
    for (unsigned i = 0; i < 8; ++i) text |= ('0' + (bits >> 6 * i & 0x3f)) << 8 * i;
    return text;
  }

  bool isEcho(const Connection& c, int result) const {
    if (result != static_cast<int>(framing_.headIn.size() + bytes_)) return false;
    if (std::memcmp(c.in, framing_.headIn.data(), framing_.headIn.size()) != 0) return false;
    const char* const sent = c.out + framing_.headOut.size();
    const char* const received = c.in + framing_.headIn.size();
    if (c.sequence % kFullCheckEvery == 0) {
      if (!isWebSocket_) return std::memcmp(sent, received, bytes_) == 0;
      for (std::size_t i = 0; i < bytes_; ++i) {
        if (received[i] != static_cast<char>(sent[i] ^ keyByte(i))) return false;
      }
      return true;
    }
    const std::size_t end = bytes_ - std::min(bytes_, sizeof(std::uint64_t));
    return (wordAt(received) ^ framing_.key) == wordAt(sent) &&
           (wordAt(received + end) ^ framing_.key) == wordAt(sent + end);
  }

  std::uint64_t wordAt(const char* text) const {
    std::uint64_t word = 0;
    std::memcpy(&word, text, std::min(bytes_, sizeof word));
    return word;
  }

  char keyByte(std::size_t index) const {
    return static_cast<char>(framing_.key >> 8 * (index % 4));
  }

  void drop(Connection& c) {
    ++errors_;
    close(c.fd);
    c.fd = -1;
  }

  void print(const Slice& slice) const {
    std::printf(
        "{\"requests\": %llu, \"completed\": %llu, \"seconds\": %.6f, "
        "\"requests_per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
        "\"errors\": %llu}\n",
        static_cast<unsigned long long>(slice.requests),
        static_cast<unsigned long long>(slice.completed), slice.seconds,
        static_cast<double>(slice.requests) / slice.seconds, histogram_.quantile(0.5) / 1e3,
        histogram_.quantile(0.99) / 1e3, histogram_.quantile(0.999) / 1e3,
        static_cast<unsigned long long>(errors_));
    std::fflush(stdout);
  }

  const bool isWebSocket_;
  const Framing framing_;
  const std::size_t bytes_;
  std::vector<Connection> connections_;
  std::unique_ptr<char[]> buffers_;
  io_uring ring_{};
  Histogram histogram_;
  std::size_t inFlight_ = 0;
  std::uint64_t errors_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: load [ws:]HOST:PORT CONNECTIONS BYTES SECONDS|- [WARMUP_SECONDS]\n";
    return 2;
  }
  raiseDescriptorLimit();
  dieWhenStalled();
  const std::size_t connections = std::stoul(argv[2]);
  const std::size_t bytes = std::stoul(argv[3]);
  if (std::string(argv[1]).starts_with("ws:") && (bytes < 8 || bytes % 4 != 0 || bytes > 65'535)) {
    std::cerr << "load: a WebSocket's messages have 8 to 65,535 bytes, a multiple of four\n";
    return 2;
  }
  Load load(argv[1], connections, bytes);
  if (std::string(argv[4]) == "-") {
    obeyLines([&load](double seconds, double warmup) { load.run(seconds, warmup); }, connections);
    return 0;
  }
  load.run(std::stod(argv[4]), argc > 5 ? std::stod(argv[5]) : 0);
  return load.errors() == 0 ? 0 : 1;
}
