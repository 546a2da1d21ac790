// TCP echo, hand-written level-triggered epoll: one recv and one send per readable event.
#include <sys/epoll.h>

#include <cerrno>

#include "listener.h"
#include "stats.h"

namespace {

struct alignas(64) Connection {
  int fd;
  unsigned sent = 0;
  unsigned size = 0;
  alignas(64) char buffer[kReadMax];  // the stride of 16 KiB + 64 spreads over the cache sets

  explicit Connection(int socket) : fd(socket) {}
};

int epollFd = -1;

void watch(int operation, int fd, std::uint32_t events, Connection* c) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = c;
  ++loopStats.enters;
  if (epoll_ctl(epollFd, operation, fd, &event) != 0) die("epoll_ctl");
}

void closeConnection(Connection* c) {
  close(c->fd);
  delete c;
}

void acceptAll(int listener) {
  for (;;) {
    ++loopStats.enters;
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    watch(EPOLL_CTL_ADD, fd, EPOLLIN, new Connection(fd));
  }
}

// Sends what is left; while the peer does not read, the connection waits for EPOLLOUT only.
void flush(Connection* c, bool wasBlocked) {
  while (c->sent < c->size) {
    ++loopStats.enters;
    const ssize_t n = send(c->fd, c->buffer + c->sent, c->size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      if (!wasBlocked) watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
      return;
    }
    if (n < 0) return closeConnection(c);
    c->sent += static_cast<unsigned>(n);
  }
  if (wasBlocked) watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
  c->sent = c->size = 0;
}

void onEvent(Connection* c) {
  if (c->sent < c->size) return flush(c, true);
  ++loopStats.enters;
  const ssize_t n = recv(c->fd, c->buffer, sizeof c->buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return closeConnection(c);
  c->size = static_cast<unsigned>(n);
  flush(c, false);
}

}  // namespace

int main(int argc, char** argv) {
  printStatsOnTerminate();
  epollFd = epoll_create1(EPOLL_CLOEXEC);
  const int listener = listenOn(portArgument(argc, argv), SOCK_NONBLOCK);
  announce(portOf(listener));
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  epoll_event events[512];
  for (;;) {
    ++loopStats.turns;
    ++loopStats.enters;
    const int count = epoll_wait(epollFd, events, 512, -1);
    for (int i = 0; i < count; ++i) {
      auto* c = static_cast<Connection*>(events[i].data.ptr);
      if (c == nullptr) {
        acceptAll(listener);
      } else {
        onEvent(c);
      }
    }
  }
}
