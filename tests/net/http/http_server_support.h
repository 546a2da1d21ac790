// A server and a client of bare bytes, for the tests of the HTTP server.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_support.h"
#include "net_support.h"
#include "plait/http_app.h"
#include "plait/http_server.h"
#include "plait/tcp.h"
#include "plait/timeout.h"

namespace plait::test {

inline constexpr Duration kPatience = std::chrono::seconds(100);

struct Answer {
  int status = 0;
  http::Fields fields;
  std::string body;
  http::Fields trailers;
};

// Says what it is told to and reads answers.
class RawClient final {
 public:
  explicit RawClient(const net::Address& address)
      : stream_(net::connect(address)),
        reader_(stream_, http::detail::MessageReader::Kind::response, {}) {}

  void send(std::string_view text) { stream_.writeAll(text); }
  Answer read(bool isHead = false) {
    return withTimeout(kPatience, [this, isHead] {
      http::detail::Head head;
      if (!reader_.readHead(head)) throw ConnectionClosed(EPIPE, "reading an answer");
      if (isHead) reader_.expectNoBody();
      Answer answer{head.status, head.fields, readBody(reader_), reader_.trailers()};
      return answer;
    });
  }
  Answer ask(std::string_view text) {
    send(text);
    return read(text.starts_with("HEAD "));
  }
  // GET with these further field lines, each with its line's end.
  Answer get(std::string_view target, std::string_view fields = {}) {
    return ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
               "\r\n");
  }
  // Whether the server ends the connection and sends no further byte.
  bool isEnded() {
    return withTimeout(kPatience, [this] {
      std::error_code error;
      std::byte byte{};
      return !reader_.hasBuffered() && stream_.readSome({&byte, 1}, error) == 0;
    });
  }
  std::string readToEnd() {
    return withTimeout(kPatience,
                       [this] { return reader_.takeBuffered() + test::readToEnd(stream_); });
  }
  net::SocketStream& stream() { return stream_; }

 private:
  net::SocketStream stream_;
  http::detail::MessageReader reader_;
};

inline std::unique_ptr<http::Server> serve(http::App app,
                                           http::ServerOptions options = http::ServerOptions()) {
  auto server =
      std::make_unique<http::Server>("tcp:127.0.0.1:0", std::move(app), std::move(options));
  server->start();
  return server;
}

// Answers every path with what the function makes of it.
template <class F>
std::unique_ptr<http::Server> serveAll(F handler,
                                       http::ServerOptions options = http::ServerOptions()) {
  http::App app;
  app.mount("/", std::move(handler));
  return serve(std::move(app), std::move(options));
}

}  // namespace plait::test
