// Clients: a fiber each that connects and then is the connection's.

#include <stdexcept>
#include <utility>

#include "connection.h"
#include "plait/error.h"
#include "plait/greenlet.h"
#include "plait/listen.h"
#include "plait/report.h"
#include "plait/timeout.h"

namespace plait {
namespace detail {

class ConnectorState final : public std::enable_shared_from_this<ConnectorState> {
 public:
  using Connect = std::function<std::unique_ptr<net::Stream>()>;

  ConnectorState(std::string destination, Connect connect, std::shared_ptr<Factory> factory,
                 Duration timeout)
      : destination_(std::move(destination)),
        connect_(std::move(connect)),
        factory_(std::move(factory)),
        timeout_(timeout) {}

  void connect() {
    if (phase_ != Phase::idle) {
      throw std::logic_error("Connector::connect() to " + destination_ + ", which is on its way");
    }
    if (!started_) factory_->doStart();
    started_ = true;
    phase_ = Phase::connecting;
    begun_ = stopAsked_ = false;
    fiber_ =
        spawn({.name = "client of " + destination_}, [self = shared_from_this()] { self->run(); });
  }

  void disconnect() {
    if (phase_ == Phase::connecting) stopConnecting();
    if (phase_ == Phase::connected) connection_->loseConnection();
  }

  void stopConnecting() {
    if (phase_ != Phase::connecting) {
      throw std::logic_error("Connector::stopConnecting() to " + destination_ +
                             ", where there is no attempt");
    }
    // A call of the factory's own looks at the flag when it has returned.
    if (std::exchange(stopAsked_, true) || !begun_ || current() == fiber_) return;
    // Once, and not as a kill: what comes after it, the factory's calls, may block.
    fiber_.requestKill(std::make_exception_ptr(wasStopped()));
  }

  const std::string& destination() const noexcept { return destination_; }

 private:
  enum class Phase : unsigned char { idle, connecting, connected };

  ClientFactory* client() const noexcept { return dynamic_cast<ClientFactory*>(factory_.get()); }
  Connector handle() { return Connector(shared_from_this()); }

  CancelledError wasStopped() const {
    return CancelledError("connecting to " + destination_ + " was stopped");
  }

  // A call of the factory's; what it throws is reported.
  template <class F>
  void tell(F&& f) {
    try {
      f();
    } catch (const Cancellation&) {
      throw;
    } catch (...) {
      reportError("the factory of " + destination_, std::current_exception());
    }
  }

  void run() {
    begun_ = true;
    try {
      if (client() != nullptr) client()->startedConnecting(handle());
      if (stopAsked_) throw wasStopped();
      std::unique_ptr<net::Stream> stream = withTimeout(timeout_, connect_);
      const net::SocketStream* const socket = socketOf(*stream);
      std::shared_ptr<Protocol> protocol =
          factory_->buildProtocol(socket != nullptr ? socket->peerAddress() : net::Address());
      if (stopAsked_) throw wasStopped();
      if (!protocol) {
        stream->close();
        throw CancelledError("the factory made no protocol for " + destination_);
      }
      protocol->setFactory(factory_);
      connection_ = std::make_shared<Connection>(std::move(stream), std::move(protocol));
      phase_ = Phase::connected;
    } catch (const Cancellation&) {
      phase_ = Phase::idle;
      stop();
      throw;
    } catch (...) {
      const Failure reason;
      phase_ = Phase::idle;
      tell([&] {
        if (client() != nullptr) client()->clientConnectionFailed(handle(), reason);
      });
      return stop();
    }
    const auto connection = connection_;
    connection->serve({}, [this](const Failure& reason) {
      phase_ = Phase::idle;
      connection_.reset();
      tell([&] {
        if (client() != nullptr) client()->clientConnectionLost(handle(), reason);
      });
      stop();
    });
  }

  // Unless the factory has asked for another attempt.
  void stop() {
    if (phase_ != Phase::idle || !std::exchange(started_, false)) return;
    tell([this] { factory_->doStop(); });
  }

  std::string destination_;
  Connect connect_;
  std::shared_ptr<Factory> factory_;
  Duration timeout_;
  Phase phase_ = Phase::idle;
  bool started_ = false;
  bool begun_ = false;  // the attempt's fiber
  bool stopAsked_ = false;
  AnyGreenlet fiber_;
  std::shared_ptr<Connection> connection_;
};

namespace {

Connector startClient(std::string destination, ConnectorState::Connect connect,
                      std::shared_ptr<Factory> factory, Duration timeout) {
  const auto state = std::make_shared<ConnectorState>(std::move(destination), std::move(connect),
                                                      std::move(factory), timeout);
  state->connect();
  return Connector(state);
}

// `connect` gives a stream of whatever kind.
template <class F>
ConnectorState::Connect toStream(F connect) {
  return [connect = std::move(connect)] {
    auto stream = connect();
    return std::make_unique<decltype(stream)>(std::move(stream));
  };
}

}  // namespace
}  // namespace detail

void Connector::connect() const { state_->connect(); }
void Connector::disconnect() const { state_->disconnect(); }
void Connector::stopConnecting() const { state_->stopConnecting(); }
const std::string& Connector::getDestination() const noexcept { return state_->destination(); }

Connector connectTCP(const std::string& host, std::uint16_t port, std::shared_ptr<Factory> factory,
                     Duration timeout) {
  const std::string endpoint = detail::tcpEndpoint(host, port);
  return detail::startClient(endpoint,
                             detail::toStream([endpoint] { return net::connect(endpoint); }),
                             std::move(factory), timeout);
}

Connector connectSSL(const std::string& host, std::uint16_t port, std::shared_ptr<Factory> factory,
                     const net::TlsContext& context, Duration timeout) {
  const std::string endpoint = detail::tcpEndpoint(host, port);
  return detail::startClient(endpoint, detail::toStream([endpoint, host, context] {
                               return net::connectTls(endpoint, context, {.serverName = host});
                             }),
                             std::move(factory), timeout);
}

Connector connectEndpoint(const std::string& endpoint, std::shared_ptr<Factory> factory,
                          Duration timeout) {
  return detail::startClient(
      endpoint, [endpoint] { return net::connectStream(endpoint); }, std::move(factory), timeout);
}

Connector connectUNIX(const std::string& path, std::shared_ptr<Factory> factory, Duration timeout) {
  return detail::startClient("unix:" + path, detail::toStream([path] {
                               return net::connect(net::Address::unixSocket(path));
                             }),
                             std::move(factory), timeout);
}

}  // namespace plait
