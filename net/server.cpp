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

struct Server::Shared {
  Shared(Handler h, std::size_t connections) : handler(std::move(h)), slots(connections) {}

  Handler handler;
  Semaphore slots;
  ServerStatistics statistics;
};

Server::Server(Listener listener, Handler handler, ServerOptions options)
    : listener_(std::move(listener)),
      options_(options),
      shared_(std::make_shared<Shared>(std::move(handler), options.connectionsMax)),
      acceptor_(std::make_unique<detail::Acceptor>(listener_.state().descriptor)) {
  mayAccept_.set();
}

Server::Server(std::string_view endpoint, Handler handler, ServerOptions options)
    : Server(listen(endpoint), std::move(handler), options) {}

Server::~Server() {
  const CancelShield shield;
  signals_.clear();
  // A stop that was asked for and has not begun would find nobody here.
  if (stopFiber_ && stopFiber_ != current()) stopFiber_.requestKill();
  options_.stopGrace = Duration::zero();
  stop();
  if (stopFiber_ && stopFiber_ != current()) stopFiber_.join();
}

void Server::start() {
  if (stopping_) return;
  if (started_) throw std::logic_error("this server was started before");
  started_ = true;
  acceptFiber_ = spawn({.name = "accept on " + listener_.describe()}, [this] { acceptLoop(); });
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
    shared_->slots.acquire();
    mayAccept_.wait();
    acceptor_->want();
    const std::int32_t descriptor = acceptor_->next();
    if (descriptor >= 0) {
      retry = kAcceptRetryMin;
      serveOne(descriptor);
      // The last slot is taken: further clients shall wait in the kernel, not here.
      if (shared_->slots.available() == 0 || acceptor_->waiting() >= kAcceptedMax)
        acceptor_->disarm();
      continue;
    }
    shared_->slots.release();
    if (!listener_.isOpen()) return;
    if (descriptor == -ECANCELED || descriptor == -ECONNABORTED || descriptor == -EPROTO) continue;
    // No descriptor or memory left: the clients wait in the backlog until a handler has ended.
    ++shared_->statistics.acceptErrors;
    sleep(retry);
    retry = std::min(retry * 2, kAcceptRetryMax);
  }
}

void Server::serveOne(int descriptor) {
  ++shared_->statistics.accepted;
  // The slot is given back when the fiber has ended in any way, killed before its start included.
  struct Slot {
    explicit Slot(std::shared_ptr<Shared> s) noexcept : shared(std::move(s)) {}
    Slot(Slot&&) noexcept = default;
    ~Slot() {
      if (shared) shared->slots.release();
    }
    std::shared_ptr<Shared> shared;
  };
  handlers_.add(plait::spawn(
      {.name = {}, .stackBytes = options_.stackBytes},
      [slot = Slot(shared_), stream = SocketStream(descriptor, listener_.state())]() mutable {
        handle(*slot.shared, stream);
      }));
}

void Server::handle(Shared& shared, SocketStream& stream) {
  // Also when a kill unwinds: whoever else is in the stream leaves it first.
  struct Closing {
    SocketStream& stream;
    ~Closing() { stream.close(); }
  } const closing{stream};
  try {
    shared.handler(stream);
  } catch (const ConnectionClosed&) {
    // The peer has gone. That is how connections end.
  } catch (const Cancellation&) {
    throw;
  } catch (...) {
    ++shared.statistics.failed;
    std::string who = "the handler of " + stream.describe();
    reportError(std::move(who), std::current_exception());
  }
}

void Server::stop() {
  const CancelShield shield;
  const bool first = !std::exchange(stopping_, true);
  if (!first) {
    // A handler that asks again would wait for itself.
    for (const AnyGreenlet& each : handlers_.greenlets()) {
      if (each == current()) return;
    }
    // Somebody cannot wait any longer: the grace of the stop under way ends.
    if (options_.stopGrace <= Duration::zero()) handlers_.requestKill();
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
  if (options_.stopGrace <= Duration::zero() || !handlers_.join(options_.stopGrace)) {
    handlers_.kill();
  }
  stopped_.set();
}

void Server::requestStop() {
  if (stopFiber_) return;
  stopFiber_ = plait::spawn({.name = "stop the server"}, [this] { stop(); });
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
  ServerStatistics result = shared_->statistics;
  result.connections = handlers_.size();
  return result;
}

}  // namespace plait::net
