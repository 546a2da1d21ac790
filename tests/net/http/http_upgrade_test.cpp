// 101: the connection speaks something else from then on.
#include "http_server_support.h"
#include "plait/event.h"

namespace plait::test {
namespace {

using http::Request;
using http::Response;

const char* const kUpgrade =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

FIBER_TEST("an upgraded connection is the handler's, from the first byte on [HTTP-32]") {
  const auto server = serveAll([](Request&) {
    return Response::upgrade({{"Upgrade", "echo"}}, [](net::Stream& stream) {
      for (;;) {
        const std::string text = readPiece(stream, 3);
        if (text.empty() || text == "end") return;
        stream.writeAll(text);
      }
    });
  });
  RawClient client(server->address());

  // The first bytes come with the request.
  client.send(std::string(kUpgrade) + "hello");
  const Answer answer = client.read();
  CHECK(answer.status == 101);
  CHECK(answer.fields.get("Upgrade") == "echo");
  CHECK(answer.fields.get("Connection") == "Upgrade");
  CHECK_FALSE(answer.fields.has("Content-Length"));
  client.send(" world");
  client.send("end");

  CHECK(contains(client.readToEnd(), "hello world"));
}

FIBER_TEST_ON("sim", "no deadline of the server's counts for an upgraded connection [HTTP-32]") {
  const auto server = serveAll([](Request&) {
    return Response::upgrade({{"Upgrade", "echo"}}, [](net::Stream& stream) {
      stream.writeAll(readPiece(stream));
      sleep(std::chrono::hours(1));
      stream.writeAll("still here");
    });
  });
  RawClient client(server->address());
  CHECK(client.ask(kUpgrade).status == 101);
  sleep(std::chrono::hours(1));

  client.send("a");
  std::string text;
  while (text.size() < 11) text += readPiece(client.stream());

  CHECK(text == "astill here");
}

FIBER_TEST("an upgraded connection is closed by a stop, after the grace [HTTP-32]") {
  Event isIn;
  const auto server = serveAll(
      [&isIn](Request&) {
        return Response::upgrade({{"Upgrade", "echo"}}, [&isIn](net::Stream& stream) {
          isIn.set();
          readPiece(stream);
        });
      },
      {.stopGrace = Duration::zero()});
  RawClient client(server->address());
  CHECK(client.ask(kUpgrade).status == 101);
  isIn.wait();

  server->stop();

  CHECK(client.isEnded());
}

}  // namespace
}  // namespace plait::test
