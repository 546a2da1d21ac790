// The load generator: every connection sends one message, waits for its echo, checks it, repeats.
//
//   load HOST:PORT CONNECTIONS BYTES SECONDS [WARMUP_SECONDS]
//
// prints one JSON line. With `-` for SECONDS it connects, prints {"ready": N} and obeys lines on
// standard input: `run SECONDS [WARMUP_SECONDS]` gives one JSON line, `quit` ends it. Between runs
// the connections are idle, so a driver can alternate several servers slice by slice.
//
// It has to cost less than any server. One message is a send SQE without CQE and a recv SQE that
// completes when the whole echo is there; the clock is read once per turn, right after the enter.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "histogram.h"
#include "peers/ring.h"

namespace {

// A source address has some 28,000 ephemeral ports per destination; half of that is found quickly.
constexpr std::size_t kConnectionsPerSource = 14'000;
// So many connects may be in the server's backlog before one is proved to have been accepted.
constexpr std::size_t kRampStep = 128;
// Every so many messages an echo is compared to the last byte, the others by their two ends.
constexpr std::uint64_t kFullCheckEvery = 64;
constexpr unsigned kStallSeconds = 20;
constexpr unsigned kConnectSeconds = 60;

[[noreturn]] void die(const std::string& what) {
  std::cerr << "load: " << what << ": " << std::strerror(errno) << '\n';
  std::exit(1);
}

std::uint64_t nanosecondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

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
      : bytes_(bytes), connections_(connections) {
    openRing(ring_, 2048, 32768);
    allocate();
    connectAll(endpoint);
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
    const std::size_t stride = (bytes_ + 63) / 64 * 64 + 64;
    buffers_ = std::make_unique<char[]>(stride * 2 * connections_.size());
    char* next = buffers_.get();
    for (Connection& c : connections_) {
      c.out = next;
      c.in = next + stride;
      next += 2 * stride;
      for (std::size_t i = 0; i < bytes_; ++i) c.out[i] = static_cast<char>('a' + i % 23);
    }
  }

  void connectAll(const std::string& endpoint) {
    const std::size_t colon = endpoint.rfind(':');
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    if (colon == std::string::npos ||
        inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &peer.sin_addr) != 1) {
      errno = EINVAL;
      die("not an IPv4 HOST:PORT: " + endpoint);
    }
    peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
    alarm(kConnectSeconds);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].fd = connectOne(peer, i / kConnectionsPerSource);
      // Servers accept in order, so this answer proves that all before were accepted too.
      if (i % kRampStep == kRampStep - 1 || i + 1 == connections_.size()) ping(connections_[i].fd);
    }
    alarm(0);
  }

  static int connectOne(const sockaddr_in& peer, std::size_t source) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // BBR paces, even over loopback, and scatters the figures.
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    if (source > 0) {
      setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      sockaddr_in local{};
      local.sin_family = AF_INET;
      local.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(source));
      if (bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) die("bind");
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) die("connect");
    return fd;
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
    io_uring_prep_send(sqe, c.fd, c.out, bytes_, MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 0;
    sqe = nextSqe();
    io_uring_prep_recv(sqe, c.fd, c.in, bytes_, MSG_WAITALL);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;  // the echo cannot be there yet
    sqe->user_data = reinterpret_cast<std::uint64_t>(&c);
    ++inFlight_;
  }

  // Which connection and which message this is, at both ends: a stale, a swapped or a short echo
  // differs there.
  void stamp(Connection& c) {
    ++c.sequence;
    const auto index = static_cast<std::uint64_t>(&c - connections_.data());
    const std::uint64_t mark = index << 40 ^ c.sequence;
    const std::size_t size = std::min(bytes_, sizeof mark);
    std::memcpy(c.out, &mark, size);
    std::memcpy(c.out + bytes_ - size, &mark, size);
  }

  bool isEcho(const Connection& c, int result) const {
    if (result != static_cast<int>(bytes_)) return false;
    if (c.sequence % kFullCheckEvery == 0) return std::memcmp(c.out, c.in, bytes_) == 0;
    const std::size_t end = std::min(bytes_, sizeof(std::uint64_t));
    return std::memcmp(c.out, c.in, end) == 0 &&
           std::memcmp(c.out + bytes_ - end, c.in + bytes_ - end, end) == 0;
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

  std::size_t bytes_;
  std::vector<Connection> connections_;
  std::unique_ptr<char[]> buffers_;
  io_uring ring_{};
  Histogram histogram_;
  std::size_t inFlight_ = 0;
  std::uint64_t errors_ = 0;
};

void raiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void obey(Load& load, std::size_t connections) {
  std::cout << "{\"ready\": " << connections << "}" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::istringstream words(line);
    std::string verb;
    double seconds = 0;
    double warmup = 0;
    words >> verb >> seconds >> warmup;
    if (verb != "run" || seconds <= 0) {
      std::cout << "{\"error\": \"expected: run SECONDS [WARMUP_SECONDS] | quit\"}" << std::endl;
      continue;
    }
    load.run(seconds, warmup);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: load HOST:PORT CONNECTIONS BYTES SECONDS|- [WARMUP_SECONDS]\n";
    return 2;
  }
  raiseDescriptorLimit();
  // A server that stops answering must not hang the driver.
  std::signal(SIGALRM, [](int) {
    constexpr char kMessage[] = "load: the server stopped answering\n";
    [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    _exit(1);
  });
  const std::size_t connections = std::stoul(argv[2]);
  Load load(argv[1], connections, std::stoul(argv[3]));
  if (std::string(argv[4]) == "-") {
    obey(load, connections);
    return 0;
  }
  load.run(std::stod(argv[4]), argc > 5 ? std::stod(argv[5]) : 0);
  return load.errors() == 0 ? 0 : 1;
}
