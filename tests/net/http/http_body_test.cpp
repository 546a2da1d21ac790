// Bodies of requests: read whole, in pieces, or not at all.
#include "http_server_support.h"
#include "plait/event.h"

namespace plait::test {
namespace {

using http::Request;
using http::Response;

std::string post(const std::string& body, const std::string& fields = {}) {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         fields + "\r\n" + body;
}

FIBER_TEST("a body is read whole, of a length or of chunks, with its trailer [HTTP-25]") {
  const auto server = serveAll([](Request& request) {
    const std::string length =
        request.contentLength() ? std::to_string(*request.contentLength()) : "chunked";
    const std::string body = request.body();
    return length + " " + body + " " + std::string(request.trailers().get("X")) +
           std::to_string(request.body().size());
  });
  RawClient client(server->address());

  CHECK(client.ask(post("hello")).body == "5 hello 0");
  CHECK(client
            .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n")
            .body == "chunked abcde y0");
  CHECK(client.get("/").body == "chunked  0");
  const std::string big = std::string(3'000'000, 'b');
  CHECK(client.ask(post(big)).body == "3000000 " + big + " 0");
}

FIBER_TEST("a body over the limit is 413, before it has come if its length says so [HTTP-26]") {
  const auto server =
      serveAll([](Request& request) { return std::to_string(request.body().size()); },
               {.limits = {.body = 10}});

  RawClient exact(server->address());
  CHECK(exact.ask(post("0123456789")).body == "10");

  RawClient announced(server->address());
  const Answer answer =
      announced.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  CHECK(answer.status == 413);
  CHECK(answer.fields.get("Connection") == "close");

  RawClient chunked(server->address());
  CHECK(chunked
            .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n")
            .status == 413);
}

FIBER_TEST("a client that waits for 100 Continue is told to go on by the first read [HTTP-27]") {
  const auto server = serveAll(
      [](Request& request) { return request.path() == "/read" ? request.body() : "unread"; });
  RawClient client(server->address());
  const std::string fields =
      " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

  CHECK(client.ask("POST /read" + fields).status == 100);
  CHECK(client.ask("hello").body == "hello");
  // One that does not wait for it needs none.
  CHECK(client.ask("POST /read" + fields + "hello").body == "hello");

  const Answer unread = client.ask("POST /not" + fields);
  CHECK(unread.body == "unread");
  CHECK(unread.fields.get("Connection") == "close");
  client.stream().shutdownWrite();
  CHECK(client.isEnded());
}

FIBER_TEST("a handler that answers before it reads says nothing in between [HTTP-27]") {
  http::App app;
  app.route("POST", "/", [](Request& request, http::BodyWriter& writer) {
    writer.write("answer ");
    writer.flush();
    writer.write(request.body());
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  settle();
  client.send("hello");

  CHECK(client.read().body == "answer hello");
}

FIBER_TEST("a body that is read while the answer is written leaves the connection open [HTTP-28]") {
  http::App app;
  app.route("POST", "/", [](Request& request, http::BodyWriter& writer) {
    writer.write("begin ");
    writer.write(std::to_string(request.body().size()));
  });
  const auto server = serve(std::move(app));
  RawClient client(server->address());

  for (int i = 0; i < 2; ++i) {
    const Answer answer = client.ask(post(std::string(200'000, 'a')));
    CHECK(answer.body == "begin 200000");
    CHECK_FALSE(answer.fields.has("Connection"));
  }
}

FIBER_TEST("what a handler does not read of a body is passed over, if it is little [HTTP-28]") {
  const auto server = serveAll([](Request& request) {
    std::byte byte{};
    if (request.path() == "/some") request.readSome({&byte, 1});
    return "x";
  });
  RawClient client(server->address());

  CHECK(client.ask(post(std::string(60'000, 'a'))).status == 200);
  CHECK(client
            .ask("POST /some HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n0\r\n\r\n")
            .status == 200);
  const Answer last = client.ask(post(std::string(70'000, 'a')));
  CHECK(last.status == 200);
  CHECK(last.fields.get("Connection") == "close");
  client.stream().shutdownWrite();
  CHECK(client.isEnded());
}

FIBER_TEST("an endless body that nobody reads ends the connection [HTTP-28]") {
  const auto server = serveAll([](Request&) { return "x"; });
  RawClient client(server->address());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(client.read().status == 200);

  bool isOver = false;
  withTimeout(kPatience, [&client, &isOver] {
    std::error_code error;
    const std::string chunk = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
    while (!error) client.stream().writeAll(chunk, error);
    isOver = true;
  });

  CHECK(isOver);
}

FIBER_TEST("a body that breaks the grammar is 400, whatever reads it [HTTP-25]") {
  const auto server = serveAll(
      [](Request& request) { return request.path() == "/read" ? request.body() : "unread"; });
  const std::string rest = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";

  RawClient read(server->address());
  const Answer answer = read.ask("POST /read" + rest);
  CHECK(answer.status == 400);
  CHECK(answer.fields.get("Connection") == "close");

  RawClient unread(server->address());
  CHECK(unread.ask("POST /unread" + rest).body == "unread");
  unread.stream().shutdownWrite();
  CHECK(unread.isEnded());
}

FIBER_TEST("a form is read as pairs, and only as what it is [HTTP-25]") {
  const auto server = serveAll([](Request& request) {
    std::string text;
    for (const auto& [name, value] : request.form()) text += name + "=" + value + ";";
    return text;
  });
  RawClient client(server->address());

  CHECK(client
            .ask(post("a=1&b=x+%26",
                      "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"))
            .body == "a=1;b=x &;");
  CHECK(client.ask(post("a=1", "Content-Type: text/plain\r\n")).status == 415);
}

FIBER_TEST("a handler that is killed while it reads a body ends its connection [HTTP-14]") {
  AnyGreenlet handler;
  Event isIn;
  const auto server = serveAll([&handler, &isIn](Request& request) {
    handler = current();
    isIn.set();
    return request.body();
  });
  RawClient client(server->address());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  isIn.wait();
  settle();

  handler.kill();

  CHECK(client.isEnded());
}

}  // namespace
}  // namespace plait::test
