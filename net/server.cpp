#include "plait/server.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "acceptor.h"
#include "plait/detail/descriptor.h"
#include "plait/report.h"
#include "plait/select.h"
#include "socket_state.h"

namespace plait::net {

Server::Server(Listener listener, Handler handler, ServerOptions options)
    : listener_(std::move(listener)),
      handler_(std::move(handler)),
      options_(options),
      acceptor_(std::make_unique<detail::Acceptor>(listener_.state().descriptor)),
      slots_(options.connectionsMax) {
  mayAccept_.set();
}

Server::Server(std::string_view endpoint, Handler handler, ServerOptions options)
    : Server(listen(endpoint), std::move(handler), options) {}

Server::~Server() {
  const CancelShield shield;
  signals_.clear();
  options_.stopGrace = Duration::zero();
  stop();
}

void Server::start() {
  if (stopping_) return;
  if (started_) throw std::logic_error("this server was started before");
  started_ = true;
  acceptFiber_ = spawn({.name = "accept on " + listener_.describe(), .stackBytes = 0},
                       [this] { acceptLoop(); });
}

void Server::serve() {
  start();
  try {
    stopped_.wait();
  } catch (...) {
    const CancelShield shield;
    options_.stopGrace = Duration::zero();
    stop();
    throw;
  }
}

void Server::acceptLoop() {
  Duration retry = kAcceptRetryMin;
  for (;;) {
    slots_.acquire();
    mayAccept_.wait();
    const std::int32_t descriptor = acceptor_->next();
    if (descriptor >= 0) {
      retry = kAcceptRetryMin;
      serveOne(descriptor);
      // The last slot is taken: further clients shall wait in the kernel, not here.
      if (slots_.available() == 0 || acceptor_->waiting() >= kAcceptedMax) acceptor_->disarm();
      continue;
    }
    slots_.release();
    if (!listener_.isOpen()) return;
    if (descriptor == -ECONNABORTED || descriptor == -EPROTO) continue;
    // No descriptor or memory left: the clients wait in the backlog until a handler has ended.
    ++statistics_.acceptErrors;
    sleep(retry);
    retry = std::min(retry * 2, kAcceptRetryMax);
  }
}

void Server::serveOne(int descriptor) {
  ++statistics_.accepted;
  // The slot is given back when the fiber has ended in any way, killed before its start included.
  struct Slot {
    explicit Slot(Server& s) noexcept : server(&s) {}
    Slot(Slot&& other) noexcept : server(std::exchange(other.server, nullptr)) {}
    ~Slot() {
      if (server != nullptr) server->slots_.release();
    }
    Server* server;
  };
  handlers_.add(plait::spawn({.name = {}, .stackBytes = options_.stackBytes},
                             [this, stream = SocketStream(descriptor), slot = Slot(*this)]() mutable {
                               handle(stream);
                             }));
}

void Server::handle(SocketStream& stream) {
  try {
    handler_(stream);
  } catch (const ConnectionClosed&) {
    // The peer has gone. That is how connections end.
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    ++statistics_.failed;
    std::string who = "the handler of " + stream.describe();
    reportError(std::move(who), std::current_exception());
  }
  stream.close();
}

void Server::stop() {
  const CancelShield shield;
  const bool first = !std::exchange(stopping_, true);
  if (!first) {
    // A handler that asks again would wait for itself.
    for (const AnyGreenlet& each : handlers_.greenlets()) {
      if (each == current()) return;
    }
    stopped_.wait();
    return;
  }
  if (started_) {
    acceptFiber_.kill();
  }
  acceptor_->finish();
  acceptor_ = std::make_unique<detail::Acceptor>(listener_.state().descriptor);
  listener_.close();
  const AnyGreenlet self = current();
  handlers_.discard(self);  // a handler that stops its server is not waited for
  if (!handlers_.join(options_.stopGrace)) handlers_.kill();
  stopped_.set();
}

void Server::requestStop() {
  plait::spawn({.name = "stop the server", .stackBytes = 0}, [this] { stop(); });
}

void Server::stopOn(std::initializer_list<int> signals) {
  for (const int signal : signals) {
    signals_.push_back(onSignal(signal, [this] { requestStop(); }));
  }
}

void Server::stopAccepting() {
  mayAccept_.clear();
  acceptor_->disarm();
}

void Server::startAccepting() { mayAccept_.set(); }

ServerStatistics Server::statistics() const noexcept {
  ServerStatistics result = statistics_;
  result.connections = handlers_.size();
  return result;
}

}  // namespace plait::net
