// Ports: an accepting fiber each, and a fiber for each connection, which outlives the port.

#include <cerrno>
#include <utility>

#include "connection.h"
#include "plait/async_result.h"
#include "plait/cancel_shield.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/listen.h"
#include "plait/report.h"
#include "plait/shared_deferred.h"

namespace plait {
namespace detail {

class PortState final : public std::enable_shared_from_this<PortState> {
 public:
  PortState(net::StreamListener listener, std::shared_ptr<Factory> factory)
      : factory_(std::move(factory)), listener_(std::move(listener)), host_(listener_.address()) {}

  void start() {
    factory_->doStart();
    acceptFiber_ = spawn({.name = "accept " + host_.toString()},
                         [self = shared_from_this()] { self->acceptAll(); });
    // Also of one that is stopped before it has begun.
    acceptFiber_.link([self = shared_from_this()](const AnyGreenlet&) { self->end(); });
  }

  const net::Address& host() const noexcept { return host_; }

  Deferred<void> stop(const std::source_location& at) {
    acceptFiber_.requestKill();
    return stopped_.branch(at);
  }

 private:
  static constexpr Duration kRetryAfter = std::chrono::milliseconds(20);

  void acceptAll() {
    for (;;) {
      try {
        begin(listener_.acceptArrival());
        continue;
      } catch (const IoError&) {
        if (!listener_.isOpen()) return;
      }
      // No descriptor is left, or the client has gone: the others wait in the kernel.
      sleep(kRetryAfter);
    }
  }

  void end() {
    const CancelShield shield;
    listener_.close();
    try {
      factory_->doStop();
    } catch (...) {
      reportError("stopFactory() of " + host_.toString(), std::current_exception());
    }
    over_.callback();
  }

  void begin(net::Arrival arrival) {
    spawn(
        {.name = "connection of " + host_.toString()},
        [factory = factory_, arrival = std::move(arrival)]() mutable { serve(factory, arrival); });
  }

  static void serve(const std::shared_ptr<Factory>& factory, net::Arrival& arrival) {
    std::unique_ptr<net::Stream> stream;
    try {
      stream = arrival.open();
    } catch (const Error&) {
      return;  // its handshake failed, which is the client's business
    }
    if (arrival.peer().family() == net::Family::none)
      return stream->close();  // it has gone already
    std::shared_ptr<Protocol> protocol;
    try {
      protocol = factory->buildProtocol(arrival.peer());
    } catch (const Cancellation&) {
      throw;
    } catch (...) {
      reportError("buildProtocol() for " + stream->describe(), std::current_exception());
    }
    if (!protocol) return stream->close();
    protocol->setFactory(factory);
    std::make_shared<Connection>(std::move(stream), std::move(protocol), arrival.peer())
        ->serve({}, {});
  }

  std::shared_ptr<Factory> factory_;
  net::StreamListener listener_;
  net::Address host_;
  AnyGreenlet acceptFiber_;
  Deferred<void> over_{[](const Deferred<void>&) { return CancelAnswer::later; }};
  SharedDeferred<void> stopped_ = over_.share();
};

namespace {

ListeningPort startPort(net::StreamListener listener, std::shared_ptr<Factory> factory) {
  auto port = std::make_shared<PortState>(std::move(listener), std::move(factory));
  port->start();
  return ListeningPort(std::move(port));
}

net::ListenOptions withBacklog(int backlog) {
  net::ListenOptions options;
  options.backlog = backlog;
  return options;
}

}  // namespace

std::string tcpEndpoint(const std::string& host, std::uint16_t port) {
  const bool isIpv6 = host.find(':') != std::string::npos && host.front() != '[';
  const std::string name = isIpv6 ? "[" + host + "]" : host;
  return "tcp:" + (name.empty() ? name : name + ":") + std::to_string(port);
}

void serveInBackground(std::unique_ptr<net::Stream> stream,
                       const std::shared_ptr<Protocol>& protocol, const std::source_location& at) {
  const auto connection = std::make_shared<Connection>(std::move(stream), protocol);
  const auto begun = std::make_shared<AsyncResult<void>>();
  const AnyGreenlet fiber = spawn(
      [connection, begun] {
        connection->serve([begun] { begun->set(); },
                          [begun](const Failure& reason) {
                            if (!begun->isReady()) begun->setException(reason.exception());
                          });
      },
      at);
  try {
    begun->get();
  } catch (const Cancellation&) {
    fiber.requestKill();
    throw;
  }
}

}  // namespace detail

net::Address ListeningPort::getHost() const { return state_->host(); }
Deferred<void> ListeningPort::stopListening(std::source_location at) const {
  return state_->stop(at);
}

ListeningPort listenTCP(std::uint16_t port, std::shared_ptr<Factory> factory, int backlog,
                        const std::string& interface) {
  return detail::startPort(net::StreamListener(net::listen(detail::tcpEndpoint(interface, port),
                                                           detail::withBacklog(backlog))),
                           std::move(factory));
}

ListeningPort listenSSL(std::uint16_t port, std::shared_ptr<Factory> factory,
                        const net::TlsContext& context, int backlog, const std::string& interface) {
  return detail::startPort(
      net::StreamListener(
          net::listen(detail::tcpEndpoint(interface, port), detail::withBacklog(backlog)), context),
      std::move(factory));
}

ListeningPort listenEndpoint(std::string_view endpoint, std::shared_ptr<Factory> factory) {
  return detail::startPort(net::listenStream(endpoint), std::move(factory));
}

ListeningPort listenUNIX(const std::string& path, std::shared_ptr<Factory> factory, int backlog) {
  return detail::startPort(net::StreamListener(net::listen(net::Address::unixSocket(path),
                                                           detail::withBacklog(backlog))),
                           std::move(factory));
}

}  // namespace plait
