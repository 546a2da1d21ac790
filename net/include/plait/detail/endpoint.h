// What an endpoint string says, read and not yet acted upon. <plait/endpoint.h> has the whole
// language; here it is text and numbers, so that net/ can listen and connect to what needs no more
// than a socket, and net/tls to the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/address.h"
#include "plait/tcp.h"
#include "plait/time.h"

namespace plait::net::detail {

enum class EndpointUse : bool { listen, connect };

// File names, but for the last two.
struct TlsText {
  std::string privateKey{};
  std::string certKey{};          // the certificate, with those that lead to the root
  std::string extraCertChain{};   // more of those
  std::string clientAuthority{};  // listening: clients must have a certificate that it signed
  std::string trustRoots{};       // connecting: who is trusted in place of the system's
  std::string hostname{};         // connecting: who is verified in place of the host
  std::vector<std::string> protocols{};
};

// systemd: which of the sockets that it passed, by number or by name.
struct PassedSocket {
  std::optional<Family> domain{};
  unsigned index = 0;
  std::string name{};
};

struct Endpoint {
  std::string text{};  // as it was given
  std::string kind{};  // "tcp", "unix"...
  // The address, if none has to be asked for; else family none, and a name with its port.
  Address address{};
  std::string host{};
  std::uint16_t port = 0;

  std::optional<TlsText> tls{};
  bool readsProxyHeader = false;

  std::optional<int> backlog{};
  std::optional<std::uint32_t> mode{};  // of a unix socket's file
  int descriptor = -1;                  // fd: a copy of this one
  std::optional<PassedSocket> passed{};

  Duration timeout = kForever;  // connecting
  std::optional<Address> bindTo{};

  // One address or more. May switch. Throws: ResolveError.
  std::vector<Address> resolve() const;
  bool hasLayers() const noexcept { return tls.has_value() || readsProxyHeader; }
};

// Port 0 is for listening only, and a tcp endpoint without a host too.
// Throws: Error (invalid_argument) that quotes the text and points at the character.
Endpoint parseEndpoint(std::string_view text, EndpointUse use);

// The socket, without the layers. As net::listen() and net::connect().
Listener listenOn(const Endpoint& endpoint, const ListenOptions& options);
SocketStream connectTo(const Endpoint& endpoint, const ConnectOptions& options);

// A copy of a descriptor that this process was given, close-on-exec; `what` is for the message.
// Throws: IoError for one that is not open, or no socket that listens (or that is connected).
int adoptListening(int descriptor, const std::string& what);
int adoptConnected(int descriptor, const std::string& what);
// The descriptor that systemd passed. Throws: Error if it passed none, or none such.
int passedDescriptor(const PassedSocket& passed, const std::string& what);

}  // namespace plait::net::detail
