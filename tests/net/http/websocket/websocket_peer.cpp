// plait as the other end of foreign WebSocket programs; peers_test.py runs it.
//
//   websocket_peer server [compressed]       an echo server; prints its port, ends with its input
//   websocket_peer client URL [compressed]   talks to an echo server; ends with 0 if all is well
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

#include "plait/group.h"
#include "plait/http_server.h"
#include "plait/offload.h"
#include "plait/run.h"
#include "plait/websocket_client.h"
#include "plait/websocket_server.h"

using namespace plait;
using http::WebSocket;

namespace {

constexpr std::size_t kSizes[] = {0, 1, 15, 16, 125, 126, 127, 1'000, 65'535, 65'536, 300'000};
constexpr int kMany = 1'000;

http::WebSocketOptions optionsOf(bool compressed) {
  http::WebSocketOptions options;
  options.protocols = {"echo.v1"};
  if (compressed) options.compression = http::WebSocketCompression{.minimum = 16};
  return options;
}

void require(bool isTrue, const std::string& what) {
  if (!isTrue) throw std::runtime_error("not so: " + what);
}

void echo(WebSocket& socket) {
  WebSocket::Message message;
  while (socket.receive(message)) {
    if (message.isText()) {
      socket.sendText(message.data);
    } else {
      socket.sendBinary(message.bytes());
    }
  }
}

int serve(bool compressed) {
  http::App app;
  app.route("GET", "/", http::webSocket(echo, optionsOf(compressed)));
  http::Server server("tcp:127.0.0.1:0", app);
  server.start();
  std::cout << server.address().port() << std::endl;
  char byte = 0;
  offload([&byte] { return ::read(STDIN_FILENO, &byte, 1); });
  server.stop();
  return 0;
}

void checkEcho(WebSocket& socket, WebSocket::Kind kind, const std::string& data) {
  socket.sendFragment(kind, data, true);
  const auto back = socket.receive();
  require(back && back->kind == kind && back->data == data,
          "a message of " + std::to_string(data.size()) + " bytes comes back");
}

void checkMany(WebSocket& socket) {
  TaskGroup sending;
  sending.spawn([&socket] {
    for (int n = 0; n < kMany; ++n) socket.sendText("number " + std::to_string(n));
  });
  for (int n = 0; n < kMany; ++n) {
    require(socket.receive()->data == "number " + std::to_string(n), "many come back in order");
  }
  sending.join();
}

int talk(const char* url, bool compressed) {
  std::mt19937_64 random(1);
  WebSocket socket = http::connectWebSocket(url, optionsOf(compressed));
  require(socket.protocol() == "echo.v1", "the subprotocol is agreed on");
  require(socket.isCompressed() == compressed, "compression is agreed on");
  for (const std::size_t size : kSizes) {
    std::string noise(size, '\0');
    for (char& each : noise) each = static_cast<char>(random());
    checkEcho(socket, WebSocket::Kind::binary, noise);
    std::string text;
    while (text.size() + 3 <= size) text += "\xE2\x82\xAC";
    checkEcho(socket, WebSocket::Kind::text, text);
  }
  socket.ping("there?");
  socket.sendFragment(WebSocket::Kind::text, "one ", false);
  socket.ping("still?");
  socket.sendFragment(WebSocket::Kind::text, "two", true);
  require(socket.receive()->data == "one two", "parts are one message");
  checkMany(socket);
  socket.sendText("close 4321 because");
  require(!socket.receive(), "the peer closes");
  require(socket.closeCode() == http::CloseCode(4321), "its code is heard");
  require(socket.closeReason() == "because", "its reason is heard");
  socket.close();

  WebSocket second = http::connectWebSocket(url, optionsOf(compressed));
  require(second.close(http::CloseCode(4000), "bye"), "the peer answers a close");
  require(second.closeCode() == http::CloseCode(4000), "with the same code");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool compressed = std::string_view(argv[argc - 1]) == "compressed";
  return run([mode, compressed, argc, argv] {
    if (mode == "server") return serve(compressed);
    if (mode == "client" && argc > 2) return talk(argv[2], compressed);
    std::cerr << "usage: websocket_peer server|client URL [compressed]" << std::endl;
    return 2;
  });
}
