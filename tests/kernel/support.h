// Descriptors, socket pairs, listeners and child processes for the tests of this folder.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

namespace facts {

// A descriptor that closes itself.
class Fd final {
 public:
  explicit Fd(int value = -1) : value_(value) {}
  Fd(Fd&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return value_; }
  void close() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }

 private:
  int value_;
};

struct Pair {
  Fd near;
  Fd far;
};

inline Pair socketPair(int type = SOCK_STREAM) {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

// near is the end to read from, far the one to write to.
inline Pair pipePair(int flags = 0) {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | flags) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

inline Fd tcpSocket(int flags = 0) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  REQUIRE(fd.get() >= 0);
  return fd;
}

// A TCP socket on a port of the kernel's choice; it listens unless `backlog` is negative.
struct LoopbackSocket {
  Fd fd = tcpSocket();
  sockaddr_in address{};

  explicit LoopbackSocket(int backlog = 16) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd.get(), where(), size) == 0);
    REQUIRE(getsockname(fd.get(), where(), &size) == 0);
    if (backlog >= 0) REQUIRE(listen(fd.get(), backlog) == 0);
  }

  sockaddr* where() { return reinterpret_cast<sockaddr*>(&address); }
  void connect(const Fd& client) { REQUIRE(::connect(client.get(), where(), sizeof address) == 0); }
};

inline void put(const Fd& fd, std::string_view text) {
  REQUIRE(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

inline int bytesWaiting(const Fd& fd) {
  int count = -1;
  REQUIRE(ioctl(fd.get(), FIONREAD, &count) == 0);
  return count;
}

enum class State { data, end, nothing };

// What a read of the socket would find, without waiting and without taking anything.
inline State peek(const Fd& fd) {
  char byte = 0;
  ssize_t count = recv(fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0) return State::nothing;
  return count == 0 ? State::end : State::data;
}

// Runs `body` in a forked child and returns its wait status; `body` returns its exit status.
// The child must not use doctest. If it hangs, SIGALRM ends it, so the test fails instead.
template <class Body>
int inChild(Body body) {
  std::fflush(nullptr);  // what is buffered would come out of the child again
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// The exit status of such a child, or minus the signal that ended it.
template <class Body>
int exitOf(Body body) {
  int status = inChild(body);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace facts
