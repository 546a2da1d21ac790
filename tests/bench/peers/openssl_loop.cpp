// The TLS server of the benchmarks as a bare loop: level-triggered epoll and OpenSSL on the sockets
// themselves, one thread. PORT CERTIFICATE_FILE KEY_FILE [ahead]
//
// With `ahead` OpenSSL reads as much as there is (SSL_CTX_set_read_ahead), one recv a record;
// without, as its default is, two: one for a record's header and one for the rest.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "listener.h"
#include "stats.h"
#include "tls_exchange.h"

namespace {

struct Connection {
  int fd;
  SSL* ssl;
  bool isEstablished = false;
  bool waitsForOutput = false;
  std::size_t bulkToSend = 0;
  std::size_t bulkToTake = 0;
  std::size_t begin = 0;  // of what `buffer` has for the peer
  std::size_t end = 0;
  char buffer[kTlsReadBytes];
};

int epollFd = -1;
SSL_CTX* context = nullptr;
const std::string head = bulkHead();
const std::string bulk(kBulkWriteBytes, 'b');

void watch(int operation, int fd, std::uint32_t events, Connection* c) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = c;
  if (epoll_ctl(epollFd, operation, fd, &event) != 0) die("epoll_ctl");
}

void closeConnection(Connection* c) {
  SSL_shutdown(c->ssl);
  SSL_free(c->ssl);
  ERR_clear_error();  // what it left there must not be taken for the next one's
  close(c->fd);
  delete c;
}

void acceptAll(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    SSL* const ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_accept_state(ssl);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN, new Connection{fd, ssl});
  }
}

void waitFor(Connection* c, bool output) {
  if (c->waitsForOutput == output) return;
  c->waitsForOutput = output;
  watch(EPOLL_CTL_MOD, c->fd, output ? EPOLLOUT : EPOLLIN, c);
}

// What there is to do with a result that is no success; false once the connection is gone.
bool settle(Connection* c, int result) {
  switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
      waitFor(c, false);
      return true;
    case SSL_ERROR_WANT_WRITE:
      waitFor(c, true);
      return true;
    default:
      closeConnection(c);
      return false;
  }
}

// All that is to be sent; true if it has gone out.
bool flush(Connection* c) {
  while (c->begin < c->end || c->bulkToSend > 0) {
    const bool isBulk = c->begin == c->end;
    const char* const from =
        isBulk ? bulk.data() + (kBulkBytes - c->bulkToSend) % bulk.size() : c->buffer + c->begin;
    const std::size_t bytes =
        isBulk ? bulk.size() - (kBulkBytes - c->bulkToSend) % bulk.size() : c->end - c->begin;
    const int written = SSL_write(c->ssl, from, static_cast<int>(bytes));
    if (written <= 0) {
      settle(c, written);
      return false;
    }
    (isBulk ? c->bulkToSend : c->begin) +=
        isBulk ? -static_cast<std::size_t>(written) : static_cast<std::size_t>(written);
  }
  c->begin = c->end = 0;
  waitFor(c, false);
  return true;
}

void reply(Connection* c, const std::string_view text) {
  std::memcpy(c->buffer, text.data(), text.size());
  c->begin = 0;
  c->end = text.size();
}

void take(Connection* c, std::size_t count) {
  const std::string_view received(c->buffer, count);
  if (c->bulkToTake > 0 || received.starts_with(kBulkPut)) {
    if (c->bulkToTake == 0) c->bulkToTake = kBulkBytes;
    c->bulkToTake -= std::min(count, c->bulkToTake);
    if (c->bulkToTake == 0) reply(c, kBulkDone);
  } else if (received.starts_with(kBulkGet.substr(0, 4))) {
    reply(c, head);
    c->bulkToSend = kBulkBytes;
  } else {
    c->end = count;
  }
}

void onEvent(Connection* c) {
  if (!c->isEstablished) {
    const int result = SSL_do_handshake(c->ssl);
    if (result != 1) {
      settle(c, result);
      return;
    }
    c->isEstablished = true;
  }
  if (c->waitsForOutput && !flush(c)) return;
  // Epoll knows only of what OpenSSL has not read yet.
  do {
    const int count = SSL_read(c->ssl, c->buffer, sizeof c->buffer);
    if (count <= 0) {
      settle(c, count);
      return;
    }
    take(c, static_cast<std::size_t>(count));
    if (!flush(c)) return;
  } while (SSL_has_pending(c->ssl) != 0);
}

void makeContext(const char* certificate, const char* key, bool readsAhead) {
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
    die("certificate and key");
  }
  // The tickets have all that is needed; a cache would only cost.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, readsAhead ? 1 : 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: openssl_loop PORT CERTIFICATE_FILE KEY_FILE [ahead]\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  makeContext(argv[2], argv[3], argc > 4);
  epollFd = epoll_create1(EPOLL_CLOEXEC);
  const int listener = listenOn(portArgument(argc, argv), SOCK_NONBLOCK);
  announce(portOf(listener));
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  epoll_event events[512];
  for (;;) {
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
