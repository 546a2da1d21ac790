#include "raw_peer.h"

#include <array>
#include <stdexcept>

#include <openssl/pem.h>

#include "identity.h"

namespace plait::test {

void RawPeer::begin(net::Stream& below, const SSL_METHOD* method) {
  below_ = &below;
  context_ = ::SSL_CTX_new(method);
  ssl_ = ::SSL_new(context_);
  in_ = ::BIO_new(::BIO_s_mem());
  out_ = ::BIO_new(::BIO_s_mem());
  BIO_set_mem_eof_return(in_, -1);
  ::SSL_set_bio(ssl_, in_, out_);
}

RawPeer::RawPeer(net::Stream& below) {
  begin(below, ::TLS_client_method());
  ::SSL_set_connect_state(ssl_);
}

RawPeer::RawPeer(net::Stream& below, const net::TlsIdentity& identity) {
  begin(below, ::TLS_server_method());
  use(identity);
  ::SSL_set_accept_state(ssl_);
}

RawPeer::~RawPeer() {
  ::SSL_free(ssl_);
  ::SSL_CTX_free(context_);
}

void RawPeer::use(const net::TlsIdentity& identity) {
  const auto certificates = net::detail::memoryBio(identity.certificates);
  const auto text = net::detail::memoryBio(identity.key);
  const net::detail::CertificatePointer certificate(
      ::PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr));
  const net::detail::KeyPointer key(
      ::PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  if (::SSL_use_certificate(ssl_, certificate.get()) != 1 ||
      ::SSL_use_PrivateKey(ssl_, key.get()) != 1) {
    throw std::runtime_error("an identity that OpenSSL does not take");
  }
}

bool RawPeer::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_);
    const bool isOver = result == 1;
    if (!goOn(result)) return false;
    if (isOver) return true;
  }
}

void RawPeer::write(std::string_view text) {
  ::ERR_clear_error();
  std::size_t written = 0;
  if (::SSL_write_ex(ssl_, text.data(), text.size(), &written) != 1) {
    throw std::runtime_error("the raw peer cannot write");
  }
  flush();
}

std::string RawPeer::read() {
  std::array<char, 16'384> block{};
  for (;;) {
    ::ERR_clear_error();
    std::size_t count = 0;
    const int result = ::SSL_read_ex(ssl_, block.data(), block.size(), &count);
    if (result == 1) return {block.data(), count};
    if (!goOn(result)) return {};
  }
}

void RawPeer::updateKeys(bool peerToo) {
  ::SSL_key_update(ssl_, peerToo ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  ::SSL_do_handshake(ssl_);
  flush();
}

void RawPeer::askRenegotiation() {
  ::SSL_renegotiate(ssl_);
  ::SSL_do_handshake(ssl_);
  flush();
}

void RawPeer::closeNotify() {
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_);
  flush();
}

bool RawPeer::flush() {
  char* start = nullptr;
  const long bytes = BIO_get_mem_data(out_, &start);
  if (bytes <= 0) return true;
  const std::string text(start, static_cast<std::size_t>(bytes));
  (void)BIO_reset(out_);
  std::error_code error;
  below_->writeAll(text, error);
  return !error;
}

bool RawPeer::receive() {
  std::array<std::byte, 16'384> block{};
  std::error_code error;
  const std::size_t count = below_->readSome(block, error);
  if (count > 0) ::BIO_write(in_, block.data(), static_cast<int>(count));
  return count > 0;
}

// After a call of OpenSSL: carries what it needs. False: there is no way on.
bool RawPeer::goOn(int result) {
  const int reason = ::SSL_get_error(ssl_, result);
  const bool isSent = flush();
  if (reason == SSL_ERROR_NONE) return true;
  return reason == SSL_ERROR_WANT_READ && isSent && receive();
}

}  // namespace plait::test
