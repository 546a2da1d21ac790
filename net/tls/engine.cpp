#include "engine.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <openssl/x509v3.h>

#include "plait/detail/assert.h"

namespace plait::net::detail {
namespace {

int engineIndex() {
  static const int index = ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool isIpAddress(const std::string& name) {
  Address address;
  return Address::tryIp(name, 0, address);
}

// What somebody else has left there would be taken for ours. Clearing an empty queue costs as much
// as a tenth of a small read.
void clearErrors() noexcept {
  if (::ERR_peek_error() != 0) ::ERR_clear_error();
}

}  // namespace

Engine::Engine(std::shared_ptr<TlsContextState> context, const std::string& serverName)
    : context_(std::move(context)),
      certificates_(context_->certificates()),
      serverName_(serverName) {
  clearErrors();
  ssl_.reset(::SSL_new(certificates_->common.get()));
  BIO* const buffers = ssl_ ? ::BIO_new(buffersMethod()) : nullptr;
  if (buffers == nullptr) throwTlsError("making a TLS connection");
  ::BIO_set_data(buffers, this);
  ::BIO_set_init(buffers, 1);
  ::SSL_set_bio(ssl_.get(), buffers, buffers);
  ::SSL_set_ex_data(ssl_.get(), engineIndex(), this);
  if (context_->isServer()) {
    ::SSL_set_accept_state(ssl_.get());
    return;
  }
  ::SSL_set_connect_state(ssl_.get());
  setPeer(serverName);
}

// A connection that just ends must not take its session with it: OpenSSL forgets those of an SSL
// that was freed without a shutdown.
Engine::~Engine() {
  if (!hasFailed_) ::SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

Engine& Engine::of(SSL& ssl) noexcept {
  return *static_cast<Engine*>(::SSL_get_ex_data(&ssl, engineIndex()));
}

void Engine::setPeer(const std::string& serverName) {
  if (context_->asksOcsp()) ::SSL_set_tlsext_status_type(ssl_.get(), TLSEXT_STATUSTYPE_ocsp);
  if (serverName.empty()) {
    if (!context_->verifies()) return;
    throw TlsError(TlsErrc::untrusted,
                   "a TLS client without a server name cannot verify whom it talks to; set "
                   "TlsOptions::serverName");
  }
  // What OpenSSL refuses must not go unnoticed: without a name it would verify none.
  X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(ssl_.get());
  if (isIpAddress(serverName)) {
    // A scope names an interface of ours; no certificate knows of it.
    const std::string address = serverName.substr(0, serverName.find('%'));
    if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, address.c_str()) != 1) {
      throwTlsError("setting the server's address '" + serverName + "'");
    }
  } else {
    ::SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // With its length: it refuses a zero byte, which would end the name early.
    if (::X509_VERIFY_PARAM_set1_host(wanted, serverName.data(), serverName.size()) != 1 ||
        ::SSL_set_tlsext_host_name(ssl_.get(), serverName.c_str()) != 1) {
      throwTlsError("setting the server name '" + serverName + "'");
    }
  }
  if (const SessionPointer session = context_->sessions().take(serverName)) {
    ::SSL_set_session(ssl_.get(), session.get());
  }
}

void Engine::keepSession(SessionPointer session) {
  context_->sessions().put(serverName_, std::move(session));
}

// ---- the calls

Engine::Result Engine::handshake() {
  clearErrors();
  const int result = ::SSL_do_handshake(ssl_.get());
  const Result what = outcome(result, "the handshake");
  if (what == Result::done) settle();
  return what;
}

// A session of TLS 1.2 is good for many connections, and a server that resumed it sends no other.
void Engine::settle() {
  if (context_->isServer() || ::SSL_session_reused(ssl_.get()) == 0 ||
      ::SSL_version(ssl_.get()) >= TLS1_3_VERSION) {
    return;
  }
  keepSession(SessionPointer(::SSL_get1_session(ssl_.get())));
}

Engine::Result Engine::read(MutableBytes into, std::size_t& count) {
  count = 0;
  if (hasFailed_) return Result::failed;
  if (begin_ == end_ && !mayHavePlainBytes()) return Result::wantsInput;
  while (count < into.size()) {
    clearErrors();
    std::size_t piece = 0;
    const int result = ::SSL_read_ex(ssl_.get(), into.data() + count, into.size() - count, &piece);
    if (result != 1) {
      const Result what = outcome(result, "reading");
      // What came before an end or a failure is given first; the next call tells of it.
      return count > 0 ? Result::done : what;
    }
    count += piece;
    // A whole record more is worth a call; a part of one would only be asked for in vain.
    if (::SSL_pending(ssl_.get()) == 0 && begin_ == end_) break;
  }
  return Result::done;
}

// Whether OpenSSL could give something, if only the news of an end, without more input; asking it
// in vain costs as much as half of a small read.
bool Engine::mayHavePlainBytes() const noexcept {
  return ::SSL_has_pending(ssl_.get()) != 0 ||
         (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

Engine::Result Engine::write(Bytes from) {
  clearErrors();
  std::size_t written = 0;
  return outcome(::SSL_write_ex(ssl_.get(), from.data(), from.size(), &written), "writing");
}

Engine::Result Engine::closeNotify() {
  clearErrors();
  const int result = ::SSL_shutdown(ssl_.get());
  return result >= 0 ? Result::done : outcome(result, "ending the connection");
}

Engine::Result Engine::updateKeys(bool peerToo) {
  clearErrors();
  const int kind = peerToo ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
  const int result = ::SSL_key_update(ssl_.get(), kind);
  if (result != 1) {
    // Nothing happened to the connection.
    throw TlsError(TlsErrc::failed, "updating the keys of a TLS connection: " + takeErrors());
  }
  return outcome(::SSL_do_handshake(ssl_.get()), "updating the keys");
}

Engine::Result Engine::outcome(int result, const char* tried) {
  if (result == 1) return Result::done;
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Result::wantsInput;
    case SSL_ERROR_ZERO_RETURN:
      return Result::ended;
    default:
      break;
  }
  if (hasFailed_) return Result::failed;
  hasFailed_ = true;
  failure_ = std::string(tried) + ": " + takeErrors();
  const long verified = ::SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK && ::SSL_is_init_finished(ssl_.get()) == 0 &&
      (context_->isServer() || context_->verifies())) {
    failedWith_ = TlsErrc::untrusted;
    failure_ += ": " + std::string(::X509_verify_cert_error_string(verified));
  }
  return Result::failed;
}

// ---- the two buffers, as OpenSSL sees them

MutableBytes Engine::room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == input_.size() || wasFilled_) {
    input_.resize(std::clamp(input_.size() * 2, kInputBytesMin, kInputBytesMax));
  } else if (begin_ == end_ && wasLittle_ && input_.size() > kInputBytesMin) {
    input_ = std::vector<std::byte>(kInputBytesMin);  // who waits now may wait for long
  }
  PLAIT_ASSERT(end_ < input_.size());  // OpenSSL takes all there is before it wants more
  return MutableBytes(input_).subspan(end_);
}

void Engine::releaseOutput() noexcept {
  if (output_.empty() && output_.capacity() > kIdleOutputMax)
    std::vector<std::byte>().swap(output_);
}

void Engine::received(std::size_t bytes) noexcept {
  end_ += bytes;
  PLAIT_ASSERT(end_ <= input_.size());
  wasFilled_ = end_ == input_.size();  // there is more behind it
  wasLittle_ = bytes < kInputBytesMin;
}

const BIO_METHOD* Engine::buffersMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "plait buffers");
    ::BIO_meth_set_read_ex(made, [](BIO* bio, char* into, std::size_t room, std::size_t* count) {
      auto& self = *static_cast<Engine*>(::BIO_get_data(bio));
      BIO_clear_retry_flags(bio);
      *count = std::min(room, self.end_ - self.begin_);
      if (*count == 0) {
        BIO_set_retry_read(bio);
        return 0;
      }
      std::memcpy(into, self.input_.data() + self.begin_, *count);
      self.begin_ += *count;
      return 1;
    });
    ::BIO_meth_set_write_ex(made,
                            [](BIO* bio, const char* from, std::size_t bytes, std::size_t* count) {
                              auto& self = *static_cast<Engine*>(::BIO_get_data(bio));
                              const auto* const start = reinterpret_cast<const std::byte*>(from);
                              *count = 0;
                              try {
                                self.output_.insert(self.output_.end(), start, start + bytes);
                              } catch (const std::bad_alloc&) {
                                return 0;  // no exception may pass through OpenSSL
                              }
                              *count = bytes;
                              return 1;
                            });
    ::BIO_meth_set_ctrl(
        made, [](BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1L : 0L; });
    return made;
  }();
  return method;
}

}  // namespace plait::net::detail
