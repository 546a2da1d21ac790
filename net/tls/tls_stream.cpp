#include <utility>

#include "identity.h"
#include "plait/tls.h"
#include "tls_state.h"

namespace plait::net {

using detail::closedError;
using detail::TlsState;

TlsStream::TlsStream() noexcept = default;
TlsStream::TlsStream(std::unique_ptr<Stream> below, const TlsContext& context, TlsOptions options)
    : state_(std::make_unique<TlsState>(std::move(below), context, std::move(options))) {}
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;
TlsStream::~TlsStream() = default;

void TlsStream::handshake() {
  std::error_code error = closedError();
  if (state_) state_->handshake(error);
  if (error) fail(error, "shaking hands on");
}

std::size_t TlsStream::readSome(MutableBytes into, std::error_code& error) {
  if (state_) return state_->readSome(into, error);
  error = closedError();
  return 0;
}

void TlsStream::writeAll(Bytes from, std::error_code& error) {
  if (state_) return state_->writeAll(from, error);
  error = closedError();
}

void TlsStream::updateKeys(bool peerToo) {
  std::error_code error = closedError();
  if (state_) state_->updateKeys(peerToo, error);
  if (error) fail(error, "updating the keys of");
}

void TlsStream::shutdownWrite() {
  std::error_code error = closedError();
  if (state_) state_->shutdownWrite(error);
  if (error) fail(error, "shutting down");
}

void TlsStream::close() {
  if (state_) state_->close();
}

bool TlsStream::isOpen() const noexcept { return state_ && state_->isOpen(); }
std::string TlsStream::describe() const { return state_ ? state_->describe() : "a closed stream"; }
std::size_t TlsStream::interruptedAfter() const noexcept {
  return state_ ? state_->interruptedAfter() : 0;
}

void TlsStream::fail(std::error_code code, const char* tried) const {
  if (!state_) throwStreamError(code, tried, describe());
  state_->fail(code, tried);
}

Stream& TlsStream::below() noexcept { return state_->below(); }

// ---- what was agreed

namespace {

SSL* agreed(const std::unique_ptr<TlsState>& state) noexcept {
  return state && state->isEstablished() ? state->engine().ssl() : nullptr;
}

X509* certificateOf(SSL* ssl) noexcept {
  return ssl != nullptr ? ::SSL_get0_peer_certificate(ssl) : nullptr;
}

}  // namespace

std::string TlsStream::version() const {
  SSL* const ssl = agreed(state_);
  return ssl != nullptr ? ::SSL_get_version(ssl) : "";
}

std::string TlsStream::cipher() const {
  SSL* const ssl = agreed(state_);
  return ssl != nullptr ? ::SSL_CIPHER_get_name(::SSL_get_current_cipher(ssl)) : "";
}

std::string TlsStream::protocol() const {
  SSL* const ssl = agreed(state_);
  const unsigned char* name = nullptr;
  unsigned int bytes = 0;
  if (ssl != nullptr) ::SSL_get0_alpn_selected(ssl, &name, &bytes);
  return {reinterpret_cast<const char*>(name), bytes};
}

std::string TlsStream::serverName() const {
  SSL* const ssl = agreed(state_);
  const char* const name =
      ssl != nullptr ? ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : nullptr;
  return name != nullptr ? name : "";
}

bool TlsStream::isResumed() const noexcept {
  SSL* const ssl = agreed(state_);
  return ssl != nullptr && ::SSL_session_reused(ssl) == 1;
}

std::string TlsStream::peerCertificate() const {
  return detail::toPem(certificateOf(agreed(state_)));
}

std::string TlsStream::peerName() const {
  return detail::commonNameOf(certificateOf(agreed(state_)));
}

std::string TlsStream::ocspResponse() const {
  SSL* const ssl = agreed(state_);
  const unsigned char* response = nullptr;
  const long bytes = ssl != nullptr ? ::SSL_get_tlsext_status_ocsp_resp(ssl, &response) : -1;
  if (bytes <= 0) return {};
  return {reinterpret_cast<const char*>(response), static_cast<std::size_t>(bytes)};
}

// ---- connecting

namespace {

// "example.org" of "tcp:example.org:443", "::1" of "tcp:[::1]:443".
std::string hostOf(std::string_view endpoint) {
  const std::size_t first = endpoint.find(':');
  const std::size_t last = endpoint.rfind(':');
  if (!endpoint.starts_with("tcp:") || last == first) return {};
  std::string_view host = endpoint.substr(first + 1, last - first - 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

}  // namespace

TlsStream connectTls(std::string_view endpoint, const TlsContext& context, TlsOptions options) {
  if (options.serverName.empty()) options.serverName = hostOf(endpoint);
  TlsStream stream(connect(endpoint), context, std::move(options));
  try {
    stream.handshake();
  } catch (Error& error) {
    error.addNote("connecting to " + std::string(endpoint));
    throw;
  }
  return stream;
}

}  // namespace plait::net
