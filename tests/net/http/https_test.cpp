// The same server with layers below: TLS, the PROXY header, a unix socket.
#include <unistd.h>

#include "certificates.h"
#include "http_server_support.h"
#include "plait/tls.h"

namespace plait::test {
namespace {

using http::Request;

std::string askOver(net::Stream& stream, const std::string& request) {
  stream.writeAll(request);
  http::detail::MessageReader reader(stream, http::detail::MessageReader::Kind::response, {});
  http::detail::Head head;
  REQUIRE(reader.readHead(head));
  return readBody(reader);
}

http::App whoIsThere() {
  http::App app;
  app.mount("/", [](Request& request) {
    return request.peer().toString() + (request.isSecure() ? " secure" : " plain");
  });
  return app;
}

const char* const kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

FIBER_TEST("an HTTPS server answers over TLS, and a stalled handshake holds up nobody [HTTP-37]") {
  http::Server server(
      net::StreamListener(net::listen("tcp:127.0.0.1:0"), net::TlsContext(serverOptions())),
      whoIsThere());
  server.start();
  CHECK(server.isSecure());
  const net::SocketStream stalled = net::connect(server.address());
  net::TlsStream client(net::connect(server.address()), net::TlsContext(clientOptions()),
                        {.serverName = "localhost"});

  CHECK(askOver(client, kRequest).ends_with(" secure"));
  CHECK(askOver(client, kRequest).ends_with(" secure"));
  client.close();
}

FIBER_TEST("a handshake that fails is counted and costs its own connection only [HTTP-37]") {
  http::Server server(
      net::StreamListener(net::listen("tcp:127.0.0.1:0"), net::TlsContext(serverOptions())),
      whoIsThere());
  server.start();
  RawClient plain(server.address());

  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  plain.readToEnd();

  CHECK(server.statistics().failedOpenings == 1);
  net::TlsStream client(net::connect(server.address()), net::TlsContext(clientOptions()),
                        {.serverName = "localhost"});
  CHECK(askOver(client, kRequest).ends_with(" secure"));
  client.close();
}

FIBER_TEST("a unix socket serves as well [HTTP-37]") {
  const std::string endpoint = "unix:@plait-http-test-" + std::to_string(::getpid());
  http::Server server(endpoint, whoIsThere());
  server.start();
  net::SocketStream client = net::connect(endpoint);

  CHECK(askOver(client, kRequest).ends_with(" plain"));
}

FIBER_TEST("behind a proxy that says so the peer is the client [HTTP-37]") {
  http::Server server("haproxy:tcp:127.0.0.1:0", whoIsThere());
  server.start();
  net::SocketStream client = net::connect(server.address());

  client.writeAll("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n");

  CHECK(askOver(client, kRequest) == "192.0.2.7:4711 plain");
}

}  // namespace
}  // namespace plait::test
