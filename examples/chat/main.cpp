// A chat server with a web page, beside a line for `nc`. One fiber reads from a member and one
// writes to it. What a member has not taken yet waits in its outbox; a speaker waits while that is
// full; a member who is too slow is dropped.
//
//   chat [LINES [WEB [HISTORY]]]      default tcp:127.0.0.1:7100 tcp:127.0.0.1:7180 chat.db
//   nc 127.0.0.1 7100, or a browser at http://127.0.0.1:7180/
//   /join ROOM   /nick NAME   /list   /quit   and any other line is said to the room
#include <csignal>
#include <iostream>
#include <string>

#include "chat.h"
#include <plait/http_server.h>
#include <plait/plait.h>
#include <plait/static_files.h>
#include <plait/websocket_server.h>

using namespace plait;

constexpr std::size_t kLineMax = 1000;  // bytes

// Lines from nc.
void serveLines(Chat& chat, net::SocketStream& stream) {
  net::BufferedStream input(stream);
  chat.serve([&] { return input.readLine(kLineMax); },
             [&](const std::string& lines) { stream.writeAll(lines); });
}

// A message of a page is a line; a page may get several lines in one message.
void serveSocket(Chat& chat, http::WebSocket& socket) {
  const auto read = [&]() -> std::optional<std::string> {
    auto message = socket.receive();
    if (!message) return std::nullopt;
    return message->data.substr(0, message->data.find('\n'));
  };
  chat.serve(read, [&](const std::string& lines) { socket.sendText(lines); });
}

int main(int argc, char** argv) {
  return run([&] {
    History history(argc > 3 ? argv[3] : "chat.db");
    Chat chat(history);

    http::App app;
    app.route("GET", "/rooms", [&](http::Request&) { return chat.list(); });
    app.route("GET", "/live",
              http::webSocket([&](http::WebSocket& socket) { serveSocket(chat, socket); },
                              {.messageMax = kLineMax}));
    app.mount("/", http::staticFiles(CHAT_PAGE));

    net::Server lines(argc > 1 ? argv[1] : "tcp:127.0.0.1:7100",
                      [&](net::SocketStream& stream) { serveLines(chat, stream); },
                      {.stopGrace = 0s});
    http::Server web(argc > 2 ? argv[2] : "tcp:127.0.0.1:7180", app, {.stopGrace = 0s});
    lines.stopOn({SIGINT, SIGTERM});
    web.start();
    std::cout << "listening on " << lines.address().toString() << "\n"
              << "the page is http://" << web.address().toString() << "/" << std::endl;
    lines.serve();
    web.stop();
  });
}
