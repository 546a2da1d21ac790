// Servers for the tests of the client, and what else those share.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../server_support.h"
#include "message_reader.h"
#include "plait/http_client.h"
#include "plait/memory_stream.h"
#include "plait/server.h"

namespace plait::test {

using namespace std::chrono_literals;
using http::ClientBody;
using http::ClientResponse;
using http::RequestOptions;
using http::Session;
using http::SessionOptions;

// A request as a server saw it.
struct Seen {
  std::string method;
  std::string target;
  http::Fields fields;
  std::string body;
  std::size_t connection = 0;  // the first, the second...

  std::string field(std::string_view name) const { return std::string(fields.get(name)); }
};

inline std::string readWholeBody(http::detail::MessageReader& reader) {
  std::string body;
  std::string part(4096, '\0');
  while (const std::size_t count =
             reader.readBody(std::as_writable_bytes(std::span(part.data(), part.size())))) {
    body.append(part, 0, count);
  }
  return body;
}

// A server whose handlers are their own masters.
class RawServer final {
 public:
  explicit RawServer(net::Server::Handler handler)
      : server_(anyListener(), std::move(handler), {.stopGrace = 0s}) {
    server_.start();
  }
  ~RawServer() { server_.stop(); }

  std::string host() const { return server_.address().toString(); }
  std::string url(std::string_view path = "/") const {
    return "http://" + host() + std::string(path);
  }
  const net::Server& server() const { return server_; }

 private:
  net::Server server_;
};

// A server that reads requests properly and answers with whatever bytes `answer` gives; it closes
// after nothing, and after an answer that says so.
class TestServer final {
 public:
  using Answer = std::function<std::string(const Seen&)>;

  explicit TestServer(Answer answer)
      : answer_(std::move(answer)), raw_([this](net::SocketStream& stream) { serve(stream); }) {}

  std::string host() const { return raw_.host(); }
  std::string url(std::string_view path = "/") const { return raw_.url(path); }
  std::size_t openConnections() const { return raw_.server().statistics().connections; }
  std::size_t connections() const { return connections_; }

  std::vector<Seen> seen;

 private:
  void serve(net::SocketStream& stream) {
    const std::size_t connection = ++connections_;
    http::detail::MessageReader reader(stream, http::detail::MessageReader::Kind::request, {});
    http::detail::Head head;
    while (reader.readHead(head)) {
      seen.push_back({head.method, head.target, head.fields, readWholeBody(reader), connection});
      const std::string answer = answer_(Seen(seen.back()));
      if (answer.empty()) return;
      stream.writeAll(answer);
      if (contains(answer, "Connection: close\r\n")) return;
    }
  }

  Answer answer_;
  std::size_t connections_ = 0;
  RawServer raw_;
};

// "HTTP/1.1 200 OK" with the body's length.
inline std::string answerWith(std::string_view body, std::string_view fields = {},
                              std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

inline TestServer::Answer always(std::string answer) {
  return [answer = std::move(answer)](const Seen&) { return answer; };
}

// Sleeps until the test's end kills it.
inline void sleepForEver() { sleep(kForever); }

}  // namespace plait::test
