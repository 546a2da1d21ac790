// Bodies that are written while they go out.
#include <stdexcept>

#include "http_server_support.h"
#include "plait/event.h"

namespace plait::test {
namespace {

using http::BodyWriter;
using http::Request;
using http::Response;

FIBER_TEST("a stream goes out in chunks, each when it is flushed, with a trailer [HTTP-29]") {
  Event goOn;
  const auto server = serveAll([&goOn](Request&) {
    return Response::stream([&goOn](BodyWriter& writer) {
      writer.write("first");
      writer.flush();
      goOn.wait();
      writer.write(" se");
      writer.write("cond");
      writer.setTrailer("X-Sum", "12");
    });
  });
  net::SocketStream client = net::connect(server->address());
  client.writeAll("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

  std::string text;
  while (!contains(text, "first\r\n")) text += readPiece(client);
  goOn.set();
  while (!contains(text, "12\r\n\r\n")) text += readPiece(client);

  CHECK(contains(text, "Transfer-Encoding: chunked\r\n"));
  CHECK(text.ends_with("\r\n\r\n5\r\nfirst\r\n7\r\n second\r\n0\r\nX-Sum: 12\r\n\r\n"));
}

FIBER_TEST("for HTTP/1.0 a stream ends with the connection [HTTP-29]") {
  const auto server = serveAll([](Request&) {
    return Response::stream([](BodyWriter& writer) { writer.write("until the end"); });
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

  const std::string text = client.readToEnd();

  CHECK(contains(text, "Connection: close\r\n"));
  CHECK_FALSE(contains(text, "chunked"));
  CHECK(text.ends_with("\r\n\r\nuntil the end"));
}

FIBER_TEST("a stream with a Content-Length is not chunked, and has to keep it [HTTP-29]") {
  ExpectedErrors errors;
  const auto server = serveAll([](Request& request) {
    const std::string text = request.path() == "/more"   ? "12345678"
                             : request.path() == "/less" ? "12"
                                                         : "12345";
    return Response::stream([text](BodyWriter& writer) {
             writer.write(text.substr(0, 2));
             writer.write(text.substr(2));
           })
        .with("Content-Length", "5");
  });
  RawClient client(server->address());

  const Answer answer = client.get("/");
  CHECK(answer.body == "12345");
  CHECK_FALSE(answer.fields.has("Transfer-Encoding"));

  for (const char* const target : {"/less", "/more"}) {
    RawClient cut(server->address());
    CHECK_THROWS_AS(cut.get(target), ConnectionClosed);
  }
  CHECK(errors.take(2).size() == 2);
}

FIBER_TEST("a writer that throws cuts the body, so that the client sees it [HTTP-30]") {
  ExpectedErrors errors;
  const auto server = serveAll([](Request&) {
    return Response::stream([](BodyWriter& writer) {
      writer.write("half");
      writer.flush();
      throw std::runtime_error("the other half");
    });
  });
  RawClient client(server->address());

  CHECK_THROWS_AS(client.get("/"), ConnectionClosed);
  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "the response to GET /"));
}

FIBER_TEST("a handler that throws before it writes anything is answered with 500 [HTTP-30]") {
  ExpectedErrors errors;
  http::App app;
  app.route("GET", "/<x>", [](Request& request, BodyWriter& writer) {
    if (request.path() == "/teapot") throw http::HttpError(418, "short and stout");
    if (request.path() == "/fail") throw std::runtime_error("before");
    writer.write("fine");
    CHECK_THROWS_AS(writer.begin(200), std::logic_error);
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  CHECK(client.get("/teapot").status == 418);
  CHECK(client.get("/fail").status == 500);
  CHECK(client.get("/a").body == "fine");
  CHECK(client.ask("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
  CHECK(errors.take().size() == 1);
}

FIBER_TEST("a writer parks while the client does not read [HTTP-29]") {
  std::size_t written = 0;
  const auto server = serveAll([&written](Request&) {
    return Response::stream([&written](BodyWriter& writer) {
      const std::string piece(65'536, 'x');
      for (int i = 0; i < 1'000; ++i) {
        writer.write(piece);
        written += piece.size();
      }
    });
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 20; ++i) settle();

  CHECK(written < 65'536'000);
  CHECK(client.read().body.size() == 65'536'000);
}

FIBER_TEST("a writer whose client goes away is told so [HTTP-30]") {
  Event isOver;
  const auto server = serveAll([&isOver](Request&) {
    return Response::stream([&isOver](BodyWriter& writer) {
      try {
        for (;;) writer.write(std::string(65'536, 'x'));
      } catch (const ConnectionClosed&) {
        isOver.set();
        throw;
      }
    });
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.stream().setResetOnClose(true);
  readPiece(client.stream());

  client.stream().close();

  CHECK(isOver.wait(kPatience));
}

FIBER_TEST("a writer that is killed while its client does not read ends the connection [HTTP-14]") {
  AnyGreenlet handler;
  const auto server = serveAll([&handler](Request&) {
    handler = current();
    return Response::stream([](BodyWriter& writer) {
      for (;;) writer.write(std::string(65'536, 'x'));
    });
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 20; ++i) settle();

  handler.kill();

  CHECK(handler.isReady());
  CHECK_THROWS_AS(client.read(), ConnectionClosed);
}

FIBER_TEST("a great text goes out whole [HTTP-11]") {
  const std::string text(5'000'000, 't');
  const auto server = serveAll([&text](Request&) { return text; }, {.gzip = false});
  RawClient client(server->address());

  CHECK(client.get("/").body == text);
  CHECK(client.get("/").body == text);
}

}  // namespace
}  // namespace plait::test
