#include "dial.h"

#include <utility>

#include "base64.h"
#include "message_reader.h"
#include "plait/resolver.h"
#include "plait/tcp.h"
#include "plait/tls.h"

namespace plait::http::detail {
namespace {

// A stream, and the socket that is below whatever is laid over it.
struct Line {
  std::unique_ptr<net::Stream> stream;
  const net::SocketStream* socket;
};

Line connectTo(const Url& url, const Phases& phases) {
  // The answer is kept for a moment, so that connecting finds it.
  phases.run("looking up the name", phases.timeouts().name,
             [&url] { net::resolve(url.host, url.port); });
  auto socket = std::make_unique<net::SocketStream>(phases.run(
      "connecting", phases.timeouts().connect, [&url] { return net::connect(url.endpoint()); }));
  const net::SocketStream* const lowest = socket.get();
  return {std::move(socket), lowest};
}

void layTls(Line& line, const Url& url, const SessionState& session, const Phases& phases) {
  const net::TlsContext& context =
      session.options.tls ? *session.options.tls : net::defaultTlsContext();
  // The time limit is the phase's. An end without close_notify stays an error: of a body that ends
  // with its connection nobody knows then whether it is whole.
  auto secure = std::make_unique<net::TlsStream>(
      std::move(line.stream), context,
      net::TlsOptions{.serverName = url.host, .handshakeTimeout = kForever});
  phases.run("the TLS handshake", phases.timeouts().tls, [&secure] { secure->handshake(); });
  line.stream = std::move(secure);
}

// CONNECT: from then on the proxy passes on bytes.
void makeTunnel(net::Stream& stream, const ClientRoute& route, const SessionState& session,
                const Phases& phases) {
  const Url& url = route.url;
  const std::string target =
      (url.host.find(':') == url.host.npos ? url.host : "[" + url.host + "]") + ":" +
      std::to_string(url.port);
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!route.proxy->user.empty()) {
    request +=
        "Proxy-Authorization: " + basicAuthorization(route.proxy->user, route.proxy->password) +
        "\r\n";
  }
  request += "\r\n";
  phases.run("asking the proxy for a tunnel", phases.timeouts().connect, [&] {
    stream.writeAll(request);
    MessageReader reader(stream, MessageReader::Kind::response, session.options.limits);
    Head head;
    int informational = 0;
    do {
      if (!reader.readHead(head)) {
        throw ConnectionClosed(ECONNRESET, "waiting for the answer of " + stream.describe());
      }
    } while (head.status < 200 && ++informational < kInformationalMax);
    if (head.status < 200 || head.status >= 300) {
      throw HttpError(
          502, "the proxy " + route.proxy->origin() + " makes no tunnel to " + target + ": " +
                   std::to_string(head.status) + " " + head.reason +
                   (head.status == 407 ? "; give it user and password in its URL" : ""));
    }
    reader.expectNoBody();
    if (reader.hasBuffered()) {
      throw HttpError(502, "the proxy " + route.proxy->origin() +
                               " sent something behind its answer to CONNECT");
    }
  });
}

}  // namespace

std::string ClientRoute::key() const {
  if (proxy == nullptr) return url.origin();
  return (isForwarded() ? "any" : url.origin()) + " by " + proxy->user + "@" + proxy->origin();
}

std::unique_ptr<ClientConnection> dial(const ClientRoute& route, SessionState& session,
                                       const Phases& phases) {
  const Url& first = route.proxy != nullptr ? *route.proxy : route.url;
  Line line = connectTo(first, phases);
  if (first.isSecure()) layTls(line, first, session, phases);
  if (route.proxy != nullptr && route.url.isSecure()) {
    makeTunnel(*line.stream, route, session, phases);
    layTls(line, route.url, session, phases);
  }
  ++session.connected;
  return std::make_unique<ClientConnection>(std::move(line.stream), *line.socket,
                                            session.options.limits);
}

}  // namespace plait::http::detail
