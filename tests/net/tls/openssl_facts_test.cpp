// What we rely on in OpenSSL, each fact pinned without any plait code: two SSL objects joined by
// memory.

#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "identity.h"

namespace plait::test {
namespace {

using net::detail::SessionPointer;
using net::detail::SslContextPointer;
using net::detail::SslPointer;

// A client and a server over a pair of memory BIOs, in the handshake's order: each call of one is
// given all that the other has put out.
struct Joined {
  explicit Joined(int version) : Joined(version, SslContextPointer(), SslContextPointer()) {}
  Joined(int version, SslContextPointer clients, SslContextPointer servers)
      : clientContext(std::move(clients)), serverContext(std::move(servers)) {
    if (!clientContext) clientContext.reset(::SSL_CTX_new(::TLS_client_method()));
    if (!serverContext) {
      serverContext.reset(::SSL_CTX_new(::TLS_server_method()));
      net::detail::useIdentity(*serverContext, localhostIdentity());
    }
    client.reset(::SSL_new(clientContext.get()));
    server.reset(::SSL_new(serverContext.get()));
    BIO* one = nullptr;
    BIO* other = nullptr;
    constexpr std::size_t kRoom = 1 << 20;
    ::BIO_new_bio_pair(&one, kRoom, &other, kRoom);
    ::SSL_set_bio(client.get(), one, one);
    ::SSL_set_bio(server.get(), other, other);
    ::SSL_set_connect_state(client.get());
    ::SSL_set_accept_state(server.get());
    ::SSL_set_max_proto_version(client.get(), version);
  }

  void shakeHands() const {
    for (int i = 0; i < 4; ++i) {
      ::SSL_do_handshake(client.get());
      ::SSL_do_handshake(server.get());
    }
    REQUIRE(::SSL_is_init_finished(client.get()) == 1);
    REQUIRE(::SSL_is_init_finished(server.get()) == 1);
    ::ERR_clear_error();
  }

  SslContextPointer clientContext;
  SslContextPointer serverContext;
  SslPointer client;
  SslPointer server;
};

std::size_t pendingFrom(const SslPointer& ssl) {
  return ::BIO_ctrl_wpending(::SSL_get_wbio(ssl.get()));
}

int readFrom(const SslPointer& ssl, std::string* into = nullptr) {
  char block[20'000];
  const int result = ::SSL_read(ssl.get(), block, sizeof block);
  if (into != nullptr && result > 0) into->assign(block, static_cast<std::size_t>(result));
  return result;
}

TEST_CASE("a KeyUpdate that asks for ours is answered with the next write, not by reading") {
  const Joined both(TLS1_3_VERSION);
  both.shakeHands();
  readFrom(both.client);

  REQUIRE(::SSL_key_update(both.server.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
  REQUIRE(::SSL_do_handshake(both.server.get()) == 1);
  CHECK(readFrom(both.client) < 0);
  const std::size_t afterReading = pendingFrom(both.client);
  CHECK(::SSL_write(both.client.get(), "x", 1) == 1);

  CHECK(afterReading == 0);
  CHECK(pendingFrom(both.client) > 40);  // two records
}

TEST_CASE("each renegotiation that is refused is answered by reading, without a limit") {
  const Joined both(TLS1_2_VERSION);
  ::SSL_set_options(both.client.get(), SSL_OP_NO_RENEGOTIATION);
  both.shakeHands();

  constexpr std::size_t kTimes = 1000;
  for (std::size_t i = 0; i < kTimes; ++i) {
    ::SSL_renegotiate(both.server.get());
    ::SSL_do_handshake(both.server.get());
    CHECK(::SSL_get_error(both.client.get(), readFrom(both.client)) == SSL_ERROR_WANT_READ);
  }

  CHECK(pendingFrom(both.client) == kTimes * 31);
}

TEST_CASE("while a message after the handshake has come in part, writing wants to read") {
  const Joined both(TLS1_3_VERSION);
  ::SSL_set_max_send_fragment(both.server.get(), 512);
  ::SSL_CTX_set_session_ticket_cb(
      both.serverContext.get(),
      [](SSL* ssl, void*) {
        const std::string load(3000, 'x');
        return ::SSL_SESSION_set1_ticket_appdata(::SSL_get_session(ssl), load.data(), load.size());
      },
      nullptr, nullptr);
  ::SSL_set_num_tickets(both.server.get(), 0);
  both.shakeHands();
  // A BIO of its own, which gets the first record of the ticket alone.
  constexpr int kFirst = 512 + 22;
  ::SSL_new_session_ticket(both.server.get());
  REQUIRE(::SSL_do_handshake(both.server.get()) == 1);
  std::string ticket(pendingFrom(both.server), '\0');
  ::BIO_read(::SSL_get_rbio(both.client.get()), ticket.data(), static_cast<int>(ticket.size()));
  BIO* const part = ::BIO_new(::BIO_s_mem());
  BIO_set_mem_eof_return(part, -1);
  ::BIO_write(part, ticket.data(), kFirst);
  ::SSL_set0_rbio(both.client.get(), part);
  CHECK(readFrom(both.client) < 0);

  const int written = ::SSL_write(both.client.get(), "x", 1);
  const int reason = ::SSL_get_error(both.client.get(), written);
  const bool isInMessage = ::SSL_in_init(both.client.get()) != 0;
  ::BIO_write(part, ticket.data() + kFirst, static_cast<int>(ticket.size()) - kFirst);

  CHECK(reason == SSL_ERROR_WANT_READ);
  CHECK(isInMessage);
  CHECK(::SSL_do_handshake(both.client.get()) == 1);
  CHECK(::SSL_in_init(both.client.get()) == 0);
  CHECK(::SSL_write(both.client.get(), "x", 1) == 1);
}

TEST_CASE("SSL_shutdown puts out one record, once, and reading goes on") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Joined both(version);
    both.shakeHands();
    readFrom(both.client);

    CHECK(::SSL_shutdown(both.client.get()) == 0);
    const std::size_t once = pendingFrom(both.client);
    ::SSL_shutdown(both.client.get());
    const std::size_t again = pendingFrom(both.client);

    CHECK(once == (version == TLS1_2_VERSION ? 31 : 24));
    CHECK(again == once);
    CHECK(::SSL_write(both.server.get(), "still", 5) == 5);
    std::string received;
    CHECK(readFrom(both.client, &received) == 5);
    CHECK(received == "still");
  }
}

TEST_CASE("who has got a close_notify can still write") {
  const Joined both(TLS1_3_VERSION);
  both.shakeHands();
  ::SSL_shutdown(both.client.get());

  const int result = readFrom(both.server);
  const int reason = ::SSL_get_error(both.server.get(), result);

  CHECK(reason == SSL_ERROR_ZERO_RETURN);
  CHECK(::SSL_write(both.server.get(), "x", 1) == 1);
}

TEST_CASE("a connection that is freed without a shutdown makes its session useless") {
  for (const bool isShutDown : {false, true}) {
    static SSL_SESSION* kept = nullptr;
    SslContextPointer clients(::SSL_CTX_new(::TLS_client_method()));
    ::SSL_CTX_set_session_cache_mode(clients.get(),
                                     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(clients.get(), [](SSL*, SSL_SESSION* session) {
      kept = session;
      return 1;
    });
    Joined both(TLS1_2_VERSION, std::move(clients), nullptr);
    both.shakeHands();
    const SessionPointer session(kept);
    REQUIRE(session != nullptr);

    if (isShutDown) {
      ::SSL_set_shutdown(both.client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    both.client.reset();

    CHECK((::SSL_SESSION_is_resumable(session.get()) == 1) == isShutDown);
  }
}

TEST_CASE("an error left in the queue turns a mere want for input into a failure") {
  const Joined both(TLS1_3_VERSION);
  both.shakeHands();
  readFrom(both.client);

  ERR_raise(ERR_LIB_USER, 1);
  const int result = readFrom(both.client);

  CHECK(::SSL_get_error(both.client.get(), result) == SSL_ERROR_SSL);
  ::ERR_clear_error();
}

}  // namespace
}  // namespace plait::test
