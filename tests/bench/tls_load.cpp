// The load generator of the TLS servers: TLS 1.3 with one cipher and one group, so that all servers
// do the same work.
//
//   tls_load HOST:PORT MODE CONNECTIONS BYTES
//
// connects, prints {"ready": N} and obeys lines on standard input as `load` does: `run SECONDS
// [WARMUP_SECONDS]` gives one JSON line, `quit` ends it. A mode's request is
//   full     a connection, with a handshake, until the server's ticket has come
//   resumed  the same, with the ticket of an earlier one
//   echo     a message of BYTES and its echo
//   get      a MiB that the server sends, put: one that it receives (peers/tls_exchange.h)
#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "histogram.h"
#include "load_socket.h"
#include "peers/tls_exchange.h"

namespace {

constexpr std::size_t kMebibyte = 1 << 20;

enum class Mode { full, resumed, echo, get, put };

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  std::uint64_t begunAt = 0;
  std::size_t toSend = 0;
  std::size_t toReceive = 0;
  bool hasTicket = false;
  bool isBusy = false;
  bool watchesOutput = false;
};

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "tls_load: " << what << '\n';
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

class TlsLoad final {
 public:
  TlsLoad(const std::string& endpoint, Mode mode, std::size_t connections, std::size_t bytes)
      : peer_(addressOf(endpoint)), mode_(mode), connections_(connections) {
    makeContext();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    message_.assign(mode == Mode::echo ? bytes : kMebibyte, 'm');
    std::memcpy(message_.data(), mode == Mode::put ? "PUT " : "echo", 4);
    if (mode == Mode::resumed) fetchTicket();
    if (isHandshakes()) return;
    for (Connection& c : connections_) {
      open(c);
      shakeHands(c);  // in one call: the socket still blocks
      unblock(c);
    }
  }

  // When it returns nothing is in flight.
  void run(double seconds, double warmup) {
    alarm(static_cast<unsigned>(seconds + warmup) + kStallSeconds);
    histogram_.clear();
    requests_ = completed_ = 0;
    begin_ = nanosecondsNow() + static_cast<std::uint64_t>(warmup * 1e9);
    end_ = begin_ + static_cast<std::uint64_t>(seconds * 1e9);
    for (Connection& c : connections_) start(c);
    std::array<epoll_event, 512> events;
    while (busy_ > 0) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        onEvent(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
    alarm(0);
    std::printf(
        "{\"requests\": %llu, \"completed\": %llu, \"seconds\": %.6f, "
        "\"requests_per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
        "\"errors\": 0}\n",
        static_cast<unsigned long long>(requests_), static_cast<unsigned long long>(completed_),
        seconds, static_cast<double>(requests_) / seconds, histogram_.quantile(0.5) / 1e3,
        histogram_.quantile(0.99) / 1e3, histogram_.quantile(0.999) / 1e3);
    std::fflush(stdout);
  }

 private:
  bool isHandshakes() const { return mode_ == Mode::full || mode_ == Mode::resumed; }

  void makeContext() {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context_, "TLS_AES_256_GCM_SHA384");
    SSL_CTX_set1_groups_list(context_, "X25519");
    SSL_CTX_set_read_ahead(context_, 1);
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context_,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto& self = *static_cast<TlsLoad*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      static_cast<Connection*>(SSL_get_app_data(ssl))->hasTicket = true;
      if (self.ticket_.empty()) self.keepTicket(session);
      return 0;
    });
    SSL_CTX_set_app_data(context_, this);
  }

  void fetchTicket() {
    Connection c;
    open(c);
    // The socket blocks, so nothing but a message's answer ends a read.
    shakeHands(c);
    SSL_write(c.ssl, kBulkGet.data(), static_cast<int>(kBulkGet.size()));
    char byte = 0;
    SSL_read(c.ssl, &byte, 1);
    if (!c.hasTicket) fail("no ticket came");
    end(c);
  }

  // As bytes: OpenSSL marks a session whose connection has got a newer one as used up, while other
  // connections are just resuming it.
  void keepTicket(SSL_SESSION* session) {
    ticket_.resize(static_cast<std::size_t>(i2d_SSL_SESSION(session, nullptr)));
    unsigned char* end = ticket_.data();
    i2d_SSL_SESSION(session, &end);
  }

  void useTicket(SSL* ssl) const {
    const unsigned char* bytes = ticket_.data();
    SSL_SESSION* const session =
        d2i_SSL_SESSION(nullptr, &bytes, static_cast<long>(ticket_.size()));
    SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
  }

  void open(Connection& c) {
    c.fd = connectTo(peer_, 0);
    c.ssl = SSL_new(context_);
    SSL_set_app_data(c.ssl, &c);
    SSL_set_fd(c.ssl, c.fd);
    SSL_set_connect_state(c.ssl);
    if (mode_ == Mode::resumed && !ticket_.empty()) useTicket(c.ssl);
    c.hasTicket = false;
  }

  void unblock(Connection& c) {
    fcntl(c.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &c;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    c.watchesOutput = false;
  }

  static void end(Connection& c) {
    SSL_shutdown(c.ssl);
    SSL_free(c.ssl);
    close(c.fd);
    c.ssl = nullptr;
    ERR_clear_error();
  }

  // ---- requests

  void start(Connection& c) {
    c.begunAt = nanosecondsNow();
    c.isBusy = true;
    ++busy_;
    switch (mode_) {
      case Mode::full:
      case Mode::resumed:
        open(c);
        unblock(c);
        shakeHands(c);
        return;
      case Mode::echo:
        c.toReceive = message_.size();
        c.toSend = message_.size();
        break;
      case Mode::get:
        c.toReceive = kBulkBytes + bulkHead().size();
        c.toSend = kBulkGet.size();
        break;
      case Mode::put:
        c.toReceive = kBulkDone.size();
        c.toSend = kBulkBytes;
        break;
    }
    send(c);
  }

  void onEvent(Connection& c) {
    if (isHandshakes()) {
      if (!shakeHands(c)) return;
      char byte = 0;
      SSL_read(c.ssl, &byte, 1);
      if (!c.hasTicket) return;
      if ((SSL_session_reused(c.ssl) == 1) != (mode_ == Mode::resumed)) fail("not as it should be");
      end(c);
      return finish(c, 1);
    }
    if (c.toSend > 0) {
      send(c);
    } else {
      receive(c);
    }
  }

  void finish(Connection& c, std::uint64_t requests) {
    const std::uint64_t now = nanosecondsNow();
    completed_ += requests;
    if (now >= begin_ && now < end_) {
      requests_ += requests;
      histogram_.record(now - c.begunAt);
    }
    c.isBusy = false;
    --busy_;
    if (now < end_) start(c);
  }

  bool shakeHands(Connection& c) {
    const int result = SSL_do_handshake(c.ssl);
    if (result != 1 && SSL_get_error(c.ssl, result) != SSL_ERROR_WANT_READ) fail("handshake");
    return result == 1;
  }

  void send(Connection& c) {
    const std::string_view text = mode_ == Mode::get ? kBulkGet : std::string_view(message_);
    while (c.toSend > 0) {
      // A put repeats the message until all is sent, from its beginning.
      const std::size_t total = mode_ == Mode::put ? kBulkBytes : text.size();
      const std::size_t offset = (total - c.toSend) % text.size();
      const int written = SSL_write(c.ssl, text.data() + offset,
                                    static_cast<int>(std::min(text.size() - offset, c.toSend)));
      if (written <= 0) {
        if (SSL_get_error(c.ssl, written) != SSL_ERROR_WANT_WRITE) fail("sending");
        return watchOutput(c, true);
      }
      c.toSend -= static_cast<std::size_t>(written);
    }
    watchOutput(c, false);
  }

  void watchOutput(Connection& c, bool on) {
    if (c.watchesOutput == on) return;
    c.watchesOutput = on;
    epoll_event event{};
    event.events = on ? EPOLLOUT : EPOLLIN;
    event.data.ptr = &c;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
  }

  void receive(Connection& c) {
    do {
      const int count = SSL_read(c.ssl, buffer_.data(), static_cast<int>(buffer_.size()));
      if (count <= 0) {
        if (SSL_get_error(c.ssl, count) != SSL_ERROR_WANT_READ) fail("receiving");
        return;
      }
      if (!c.isBusy) fail("bytes that nobody asked for");
      take(c, static_cast<std::size_t>(count));
    } while (c.ssl != nullptr && SSL_has_pending(c.ssl) != 0);
  }

  void take(Connection& c, std::size_t count) {
    if (mode_ == Mode::echo) {
      const std::size_t offset = message_.size() - c.toReceive;
      if (count > c.toReceive ||
          std::memcmp(message_.data() + offset, buffer_.data(), count) != 0) {
        fail("a wrong echo");
      }
    }
    // Heads differ in length from server to server.
    if (mode_ == Mode::get && c.toReceive == kBulkBytes + bulkHead().size()) {
      const std::string_view received(buffer_.data(), count);
      const std::size_t head = received.find("\r\n\r\n");
      if (!received.starts_with("HTTP/1.1 200") || head == received.npos) fail("a wrong head");
      c.toReceive = kBulkBytes + head + 4;
    }
    if (count > c.toReceive) fail("more than asked for");
    c.toReceive -= count;
    if (c.toReceive == 0) finish(c, isBulk() ? kBulkBytes / kMebibyte : 1);
  }

  bool isBulk() const { return mode_ == Mode::get || mode_ == Mode::put; }

  const sockaddr_in peer_;
  const Mode mode_;
  std::vector<Connection> connections_;
  SSL_CTX* context_ = nullptr;
  std::vector<unsigned char> ticket_;  // the first that came
  int epoll_ = -1;
  std::string message_;
  std::array<char, 64 * 1024> buffer_;
  Histogram histogram_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t requests_ = 0;   // completed between the warm-up and the deadline
  std::uint64_t completed_ = 0;  // all of the run: what the server did
  std::size_t busy_ = 0;
};

Mode modeOf(const std::string& name) {
  constexpr std::array kNames{"full", "resumed", "echo", "get", "put"};
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) fail("no mode '" + name + "'");
  return static_cast<Mode>(found - kNames.begin());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: tls_load HOST:PORT full|resumed|echo|get|put CONNECTIONS BYTES\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  dieWhenStalled();
  const std::size_t connections = std::stoul(argv[3]);
  const auto load =
      std::make_unique<TlsLoad>(argv[1], modeOf(argv[2]), connections, std::stoul(argv[4]));
  obeyLines([&load](double seconds, double warmup) { load->run(seconds, warmup); }, connections);
}
