// Layers are put on in the fiber that serves the connection: what a client does not send holds up
// its own fiber and nobody else.

#include "plait/endpoint.h"

#include <stdexcept>
#include <utility>

#include "identity.h"
#include "plait/detail/endpoint.h"
#include "plait/detail/proxy_header.h"
#include "plait/timeout.h"
#include "stream_listener_state.h"

namespace plait::net {

using detail::Endpoint;
using detail::EndpointUse;
using detail::StreamLayers;
using detail::StreamListenerState;

// ---- Arrival

namespace {

// None if the client has gone already.
Address peerOf(const SocketStream& socket) {
  try {
    return socket.peerAddress();
  } catch (const IoError&) {
    return {};
  }
}

}  // namespace

Arrival::Arrival(SocketStream socket, std::shared_ptr<const StreamLayers> layers)
    : socket_(std::move(socket)), layers_(std::move(layers)), peer_(peerOf(socket_)) {}
Arrival::Arrival(Arrival&&) noexcept = default;
Arrival& Arrival::operator=(Arrival&&) noexcept = default;
Arrival::~Arrival() = default;

std::unique_ptr<Stream> Arrival::open() {
  auto socket = std::make_unique<SocketStream>(std::move(socket_));
  if (layers_->readsProxyHeader) {
    const Address client = withTimeout(kProxyHeaderTimeout, [&socket] {
                             return detail::readProxyHeader(*socket);
                           }).client;
    if (client.family() != Family::none) peer_ = client;
  }
  if (!layers_->tls) return socket;
  auto stream = std::make_unique<TlsStream>(std::move(socket), *layers_->tls);
  stream->handshake();
  return stream;
}

// ---- StreamListener

StreamListener::StreamListener() noexcept = default;
StreamListener::StreamListener(Listener listener, std::optional<TlsContext> tls,
                               bool readsProxyHeader)
    : state_(std::make_unique<StreamListenerState>(
          std::move(listener), StreamLayers{std::move(tls), readsProxyHeader})) {}
StreamListener::StreamListener(StreamListener&&) noexcept = default;
StreamListener& StreamListener::operator=(StreamListener&&) noexcept = default;
StreamListener::~StreamListener() = default;

namespace {

StreamListenerState& openState(const std::unique_ptr<StreamListenerState>& state) {
  if (!state) throw ConnectionClosed(EBADF, "accepting on a closed listener");
  return *state;
}

}  // namespace

Arrival StreamListener::acceptArrival() { return openState(state_).acceptArrival(); }
std::unique_ptr<Stream> StreamListener::accept() { return openState(state_).accept(); }
std::size_t StreamListener::failedOpenings() const noexcept {
  return state_ ? state_->failedOpenings() : 0;
}
std::shared_ptr<const StreamLayers> StreamListener::layers() const noexcept {
  return state_ ? state_->sharedLayers() : nullptr;
}
bool StreamListener::isSecure() const noexcept { return state_ && state_->layers().tls; }
Address StreamListener::address() const { return openState(state_).listener().address(); }

void StreamListener::close() {
  if (state_) state_->close();
}

bool StreamListener::isOpen() const noexcept { return state_ && state_->listener().isOpen(); }
Listener& StreamListener::listener() noexcept { return state_->listener(); }

TlsContext StreamListener::tls() const {
  if (!isSecure()) throw std::logic_error("StreamListener::tls(): this listener has none");
  return *state_->layers().tls;
}

// ---- endpoints

namespace {

TlsContext serverContext(const detail::TlsText& text) {
  TlsServerOptions options;
  options.identity =
      TlsIdentity::load(text.certKey, text.privateKey.empty() ? text.certKey : text.privateKey);
  if (!text.extraCertChain.empty()) {
    options.identity.certificates += "\n" + detail::loadPem(text.extraCertChain);
  }
  if (!text.clientAuthority.empty()) {
    options.authorities = detail::loadPem(text.clientAuthority);
    options.clientCertificate = ClientCertificate::require;
  }
  options.protocols = text.protocols;
  return TlsContext(options);
}

TlsContext clientContext(const detail::TlsText& text) {
  // One that asks for nothing special shares the sessions of all.
  if (text.trustRoots.empty() && text.certKey.empty() && text.protocols.empty()) {
    return defaultTlsContext();
  }
  TlsClientOptions options;
  if (!text.trustRoots.empty()) options.authorities = detail::loadPem(text.trustRoots);
  if (!text.certKey.empty()) {
    options.identity =
        TlsIdentity::load(text.certKey, text.privateKey.empty() ? text.certKey : text.privateKey);
  }
  options.protocols = text.protocols;
  return TlsContext(options);
}

}  // namespace

StreamListener listenStream(std::string_view text, const ListenOptions& options) {
  const Endpoint endpoint = detail::parseEndpoint(text, EndpointUse::listen);
  std::optional<TlsContext> tls;
  if (endpoint.tls) tls = serverContext(*endpoint.tls);
  return StreamListener(detail::listenOn(endpoint, options), std::move(tls),
                        endpoint.readsProxyHeader);
}

std::unique_ptr<Stream> connectStream(std::string_view text) {
  const Endpoint endpoint = detail::parseEndpoint(text, EndpointUse::connect);
  if (!endpoint.tls) {
    return std::make_unique<SocketStream>(detail::connectTo(endpoint, ConnectOptions()));
  }
  const TlsContext context = clientContext(*endpoint.tls);
  TlsOptions options;
  options.serverName = !endpoint.tls->hostname.empty() ? endpoint.tls->hostname
                       : !endpoint.host.empty()        ? endpoint.host
                                                       : endpoint.address.host();
  auto stream = std::make_unique<TlsStream>(detail::connectTo(endpoint, ConnectOptions()), context,
                                            std::move(options));
  try {
    stream->handshake();
  } catch (Error& error) {
    error.addNote("connecting to " + endpoint.text);
    throw;
  }
  return stream;
}

}  // namespace plait::net
