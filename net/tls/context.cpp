#include "context.h"

#include <algorithm>
#include <new>
#include <stdexcept>

#include <openssl/rand.h>

#include "engine.h"
#include "identity.h"

namespace plait::net {
namespace detail {
namespace {

using plait::detail::raw::Locked;

constexpr std::size_t kProtocolMax = 255;    // bytes of a name in ALPN
constexpr std::size_t kTicketKeyBytes = 80;  // as OpenSSL takes them

// Each name with its length before it.
std::vector<unsigned char> protocolList(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> list;
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > kProtocolMax) {
      throw std::invalid_argument("an ALPN protocol has 1 to 255 bytes, not " +
                                  std::to_string(each.size()));
    }
    list.push_back(static_cast<unsigned char>(each.size()));
    list.insert(list.end(), each.begin(), each.end());
  }
  return list;
}

SslContextPointer makeContext(const SSL_METHOD* method, TlsVersion versionMin) {
  ::ERR_clear_error();
  SslContextPointer context(::SSL_CTX_new(method));
  if (!context) throwTlsError("making a TLS context");
  const int least = versionMin == TlsVersion::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  ::SSL_CTX_set_min_proto_version(context.get(), least);
  // A renegotiation would let a write wait for a read; TLS 1.3 has none.
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds none
  return context;
}

// Names of hosts are compared without case.
std::string lowered(std::string_view name) {
  std::string result(name);
  std::transform(result.begin(), result.end(), result.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character | 0x20) : character;
  });
  return result;
}

// ---- OpenSSL's callbacks: none of them may switch or throw

int chooseCertificate(SSL* ssl, int*, void*) {
  const char* const name = ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* const chosen = Engine::of(*ssl).certificates().find(name);
  if (chosen != nullptr) ::SSL_set_SSL_CTX(ssl, chosen);
  // OK for the common certificate, too: only then does a session of TLS 1.2 remember the name.
  return SSL_TLSEXT_ERR_OK;
}

int chooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosenBytes,
                   const unsigned char* offered, unsigned int offeredBytes, void* argument) {
  const auto& ours = *static_cast<const std::vector<unsigned char>*>(argument);
  unsigned char* found = nullptr;
  const int result =
      ::SSL_select_next_proto(&found, chosenBytes, ours.data(),
                              static_cast<unsigned int>(ours.size()), offered, offeredBytes);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// `argument` is the identity's response, which lives as long as the context.
int stapleOcsp(SSL* ssl, void* argument) {
  const auto& response = *static_cast<const std::string*>(argument);
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  ::SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
  return SSL_TLSEXT_ERR_OK;
}

int keepSession(SSL* ssl, SSL_SESSION* session) {
  try {
    Engine::of(*ssl).keepSession(SessionPointer(session));
  } catch (const std::bad_alloc&) {  // it is only not kept
  }
  return 1;  // it was ours
}

// What a context has to keep for its callbacks goes when the context goes.
int ocspIndex() {
  static const int index = ::SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<std::string*>(data);
      });
  return index;
}

void staple(SSL_CTX& context, const std::string& response) {
  if (response.empty()) return;
  auto kept = std::make_unique<std::string>(response);
  ::SSL_CTX_set_tlsext_status_cb(&context, &stapleOcsp);
  ::SSL_CTX_set_tlsext_status_arg(&context, kept.get());
  ::SSL_CTX_set_ex_data(&context, ocspIndex(), kept.release());
}

}  // namespace

SSL_CTX* Certificates::find(std::string_view serverName) const {
  const std::string name = lowered(serverName);
  auto found = named.find(name);
  if (found == named.end()) {
    const std::size_t dot = name.find('.');
    if (dot == name.npos) return nullptr;
    found = named.find("*" + name.substr(dot));
  }
  return found == named.end() ? nullptr : found->second.get();
}

TlsContextState::TlsContextState(const TlsClientOptions& options)
    : verifies_(options.verify),
      asksOcsp_(options.askOcsp),
      protocols_(protocolList(options.protocols)),
      sessions_(options.sessionsMax) {
  auto certificates = std::make_shared<Certificates>();
  certificates->common = makeContext(::TLS_client_method(), options.versionMin);
  SSL_CTX& context = *certificates->common;
  ::SSL_CTX_set_verify(&context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.authorities.empty()) {
    trustAuthorities(context, options.authorities);
  } else if (::SSL_CTX_set_default_verify_paths(&context) != 1) {
    throwTlsError("finding whom the system trusts");
  }
  if (options.identity) useIdentity(context, *options.identity);
  if (!protocols_.empty()) {
    ::SSL_CTX_set_alpn_protos(&context, protocols_.data(),
                              static_cast<unsigned int>(protocols_.size()));
  }
  if (options.sessionsMax > 0) {
    ::SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(&context, &keepSession);
  }
  certificates_ = std::move(certificates);
}

TlsContextState::TlsContextState(const TlsServerOptions& options)
    : server_(options),
      ticketKeys_(kTicketKeyBytes),
      protocols_(protocolList(options.protocols)),
      sessions_(0) {
  if (::RAND_bytes(ticketKeys_.data(), static_cast<int>(ticketKeys_.size())) != 1) {
    throwTlsError("making the keys of tickets");
  }
  auto certificates = std::make_shared<Certificates>();
  fill(*certificates);
  certificates_ = std::move(certificates);
}

SslContextPointer TlsContextState::makeServerContext(const TlsIdentity& identity) const {
  SslContextPointer made = makeContext(::TLS_server_method(), server_->versionMin);
  SSL_CTX& context = *made;
  useIdentity(context, identity);
  staple(context, identity.ocspResponse);
  ::SSL_CTX_set_options(&context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  ::SSL_CTX_set_tlsext_servername_callback(&context, &chooseCertificate);
  if (!protocols_.empty()) {
    // The state outlives the contexts: connections hold it.
    ::SSL_CTX_set_alpn_select_cb(&context, &chooseProtocol,
                                 const_cast<std::vector<unsigned char>*>(&protocols_));
  }
  // Sessions are in tickets only; the server remembers none.
  ::SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(&context, server_->tickets);
  if (server_->tickets == 0) ::SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
  auto keys = ticketKeys_;
  ::SSL_CTX_set_tlsext_ticket_keys(&context, keys.data(), static_cast<long>(keys.size()));
  static constexpr unsigned char kIdContext[] = "plait";
  ::SSL_CTX_set_session_id_context(&context, kIdContext, sizeof kIdContext - 1);
  if (server_->clientCertificate == ClientCertificate::ignore) return made;
  const bool isRequired = server_->clientCertificate == ClientCertificate::require;
  ::SSL_CTX_set_verify(
      &context, SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  trustAuthorities(context, server_->authorities);
  nameAuthorities(context, server_->authorities);
  return made;
}

void TlsContextState::fill(Certificates& into) const {
  into.common = makeServerContext(server_->identity);
  for (const auto& [name, identity] : server_->names) {
    into.named.insert_or_assign(lowered(name), makeServerContext(identity));
  }
}

std::shared_ptr<const Certificates> TlsContextState::certificates() const {
  const Locked locked(lock_);
  return certificates_;
}

void TlsContextState::setIdentity(const TlsIdentity& identity, std::string_view name) {
  if (!isServer()) throw std::logic_error("setIdentity: a client's context has none to change");
  // Not under the lock of those who begin connections: this takes its time.
  const Locked updating(updateLock_);
  const TlsServerOptions before = *server_;
  try {
    if (name.empty()) {
      server_->identity = identity;
    } else {
      const auto found =
          std::find_if(server_->names.begin(), server_->names.end(),
                       [name](const auto& each) { return lowered(each.first) == lowered(name); });
      if (found == server_->names.end()) {
        server_->names.emplace_back(name, identity);
      } else {
        found->second = identity;
      }
    }
    auto made = std::make_shared<Certificates>();
    fill(*made);
    std::shared_ptr<const Certificates> certificates = std::move(made);
    const Locked locked(lock_);
    certificates_.swap(certificates);
  } catch (...) {
    server_ = before;
    throw;
  }
}

}  // namespace detail

TlsContext::TlsContext(const TlsClientOptions& options)
    : state_(std::make_shared<detail::TlsContextState>(options)) {}
TlsContext::TlsContext(const TlsServerOptions& options)
    : state_(std::make_shared<detail::TlsContextState>(options)) {}

void TlsContext::setIdentity(const TlsIdentity& identity, std::string_view name) {
  state_->setIdentity(identity, name);
}

bool TlsContext::isServer() const noexcept { return state_->isServer(); }

const TlsContext& defaultTlsContext() {
  static const TlsContext context{TlsClientOptions()};
  return context;
}

}  // namespace plait::net
