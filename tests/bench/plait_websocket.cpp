// The WebSocket echo server of the benchmarks in plait: plait_websocket PORT [compressed].
#include <csignal>
#include <iostream>
#include <string>

#include "loop_stats.h"
#include "plait/http_server.h"
#include "plait/plait.h"
#include "plait/websocket_server.h"

using namespace plait;

namespace {

void echo(http::WebSocket& socket) {
  http::WebSocket::Message message;
  while (socket.receive(message)) {
    if (message.isText()) {
      socket.sendText(message.data);
    } else {
      socket.sendBinary(message.bytes());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: plait_websocket PORT [compressed]\n";
    return 2;
  }
  return run([argc, argv] {
    http::WebSocketOptions options;
    if (argc > 2) options.compression = http::WebSocketCompression();
    http::App app;
    app.route("GET", "/", http::webSocket(echo, options));
    http::ServerOptions serving;
    serving.stopGrace = 1s;
    http::Server server("tcp:127.0.0.1:" + std::string(argv[1]), app, serving);
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
    printLoopStats();
  });
}
