#include "plait/http_server.h"

#include <memory>
#include <utility>
#include <vector>

#include "board.h"
#include "connection.h"
#include "plait/cancel_shield.h"
#include "plait/server.h"
#include "plait/signal.h"

namespace plait::http {

namespace {

// TLS and the PROXY header, on the connection's own fiber: nobody else waits for it.
std::unique_ptr<net::Stream> open(net::Arrival& arrival, ServerStatistics& statistics) {
  try {
    return arrival.open();
  } catch (const Error&) {
    ++statistics.failedOpenings;
    return nullptr;
  }
}

void serveOne(detail::Board& board, const std::shared_ptr<const net::detail::StreamLayers>& layers,
              bool isSecure, net::SocketStream& socket) {
  ++board.statistics.accepted;
  net::Arrival arrival(std::move(socket), layers);
  const std::unique_ptr<net::Stream> stream = open(arrival, board.statistics);
  if (!stream) return;
  // Also when a kill unwinds: whoever else is in the stream leaves it first.
  struct Closing {
    net::Stream& stream;
    ~Closing() {
      const CancelShield shield;
      stream.close();
    }
  } const closing{*stream};
  detail::Connection(*stream, arrival.peer(), isSecure, board).run();
}

}  // namespace

// A net::Server accepts, bounds and stops; what is added is the protocol, the deadlines, and that
// connections without a request need no grace.
class Server::State final {
 public:
  State(net::StreamListener listener, App app, ServerOptions options)
      : board(std::make_shared<detail::Board>(std::move(app), std::move(options))),
        layers(listener.layers()),
        isSecure(listener.isSecure()),
        server(std::make_unique<net::Server>(
            std::move(listener.listener()),
            [shared = board, own = layers, secure = isSecure](net::SocketStream& socket) {
              serveOne(*shared, own, secure, socket);
            },
            net::ServerOptions{.connectionsMax = board->options.connectionsMax,
                               .stopGrace = board->options.stopGrace,
                               .stackBytes = board->options.stackBytes})) {}

  void look() {
    if (board->isStopping || looker) return;
    looker = spawn({.name = "deadlines of the HTTP server"}, [this] {
      for (;;) {
        sleep(board->lookEvery());
        board->look();
      }
    });
  }

  void stop() {
    board->isStopping = true;
    board->strikeIdle();
    server->stop();
    // A grace without deadlines would be one for those who wait for it.
    if (looker) looker.kill();
  }

  std::shared_ptr<detail::Board> board;  // shared with handlers that may outlive the server
  const std::shared_ptr<const net::detail::StreamLayers> layers;  // shared with the connections
  const bool isSecure;
  std::unique_ptr<net::Server> server;
  AnyGreenlet looker;
  AnyGreenlet stopper;  // requestStop()'s
  std::vector<SignalHandle> signals;
};

Server::Server(net::StreamListener listener, App app, ServerOptions options)
    : state_(std::make_unique<State>(std::move(listener), std::move(app), std::move(options))) {}

Server::Server(std::string_view endpoint, App app, ServerOptions options)
    : Server(net::listenStream(endpoint), std::move(app), std::move(options)) {}

Server::~Server() {
  const CancelShield shield;
  state_->signals.clear();
  // A stop that was asked for and has not begun would find nobody here; one under way gets no
  // further grace.
  AnyGreenlet& stopper = state_->stopper;
  const bool isOther = stopper && stopper != current();
  if (isOther) stopper.requestKill();
  state_->board->isStopping = true;
  state_->server.reset();
  if (isOther) stopper.join();
  if (state_->looker) state_->looker.kill();
}

void Server::start() {
  state_->server->start();
  state_->look();
}

void Server::serve() {
  state_->look();
  state_->server->serve();
}

void Server::stop() { state_->stop(); }

void Server::requestStop() {
  if (state_->stopper) return;
  state_->stopper = spawn({.name = "stop the HTTP server"}, [this] { stop(); });
}

void Server::stopOn(std::initializer_list<int> signals) {
  for (const int signal : signals) {
    state_->signals.push_back(onSignal(signal, [this] { requestStop(); }));
  }
}

bool Server::isSecure() const noexcept { return state_->isSecure; }

net::Address Server::address() const { return state_->server->address(); }

ServerStatistics Server::statistics() const noexcept {
  ServerStatistics result = state_->board->statistics;
  result.connections = state_->board->size();
  return result;
}

}  // namespace plait::http
