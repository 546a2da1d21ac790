// Clients and handlers that take too long. On the sim kernel an hour passes at once.
#include "http_server_support.h"
#include "plait/event.h"

namespace plait::test {
namespace {

using http::BodyWriter;
using http::Request;
using http::Response;

const http::ServerOptions kOptions = {.idleTimeout = 10s,
                                      .headerTimeout = 4s,
                                      .bodyTimeout = 6s,
                                      .bytesPerSecondMin = 100,
                                      .handlerTimeout = 8s,
                                      .writeTimeout = 5s};

// How long the server lets a connection be, from now on; it looks once a second.
bool endsWithin(RawClient& client, Duration least, Duration most) {
  const TimePoint begin = now();
  client.readToEnd();
  const Duration took = now() - begin;
  INFO("it took ", took.count() / 1'000'000, " ms");
  CHECK(took >= least);
  CHECK(took <= most);
  return took >= least && took <= most;
}

FIBER_TEST_ON("sim", "a connection without a request is closed after the idle time [HTTP-33]") {
  const auto server = serveAll([](Request&) { return "x"; }, kOptions);

  RawClient fresh(server->address());
  CHECK(endsWithin(fresh, 9s, 13s));
  RawClient used(server->address());
  used.get("/");
  CHECK(endsWithin(used, 9s, 13s));
  CHECK(server->statistics().expired == 2);
}

FIBER_TEST_ON("sim", "a head that trickles is cut off at its deadline with 408 [HTTP-33]") {
  const auto server = serveAll([](Request&) { return "x"; }, kOptions);
  RawClient client(server->address());
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1'000, 'a');
  const TimePoint begin = now();
  auto trickle = spawn([&client, &head] {
    std::error_code error;
    for (const char each : head) {
      client.stream().writeAll(std::string_view(&each, 1), error);
      if (error) return;
      sleep(500ms);
    }
  });

  const Answer answer = client.read();

  CHECK(answer.status == 408);
  CHECK(now() - begin <= 7s);
  trickle.kill();
  client.stream().shutdownWrite();
  CHECK(client.isEnded());
}

FIBER_TEST_ON("sim", "a body that trickles is cut off, one that is fast enough is not [HTTP-33]") {
  const auto server =
      serveAll([](Request& request) { return std::to_string(request.body().size()); }, kOptions);
  const auto upload = [&server](std::size_t bytesPerSecond) {
    RawClient client(server->address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n");
    auto trickle = spawn([&client, bytesPerSecond] {
      std::error_code error;
      for (std::size_t sent = 0; sent < 10'000 && !error; sent += bytesPerSecond) {
        client.stream().writeAll(std::string(bytesPerSecond, 'b'), error);
        sleep(1s);
      }
    });
    const Answer answer = client.read();
    trickle.kill();
    return std::to_string(answer.status) + " " + answer.body;
  };

  const TimePoint begin = now();
  CHECK(upload(10) == "408 Request Timeout\n");
  CHECK(now() - begin <= 11s);
  // A minute and more, all in all.
  CHECK(upload(125) == "200 10000");
}

FIBER_TEST_ON(
    "sim", "what a handler does between its reads does not count as the client's time [HTTP-33]") {
  http::ServerOptions options = kOptions;
  options.handlerTimeout = kForever;
  const auto server = serveAll(
      [](Request& request) {
        std::byte byte{};
        std::size_t count = 0;
        while (request.readSome({&byte, 1}) > 0) {
          ++count;
          sleep(10s);
        }
        return std::to_string(count);
      },
      options);
  RawClient client(server->address());

  CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").body == "5");
}

FIBER_TEST_ON("sim",
              "a handler that takes too long is cancelled, and the answer is 503 [HTTP-34]") {
  bool sawError = false;
  bool wasCleanedUp = false;
  const auto server = serveAll(
      [&sawError, &wasCleanedUp](Request&) -> std::string {
        struct Cleanup {
          bool& done;
          ~Cleanup() { done = true; }
        } const cleanup{wasCleanedUp};
        try {
          sleep(kForever);
        } catch (const std::exception&) {
          sawError = true;
        }
        return "never";
      },
      kOptions);
  RawClient client(server->address());
  const TimePoint begin = now();

  CHECK(client.get("/").status == 503);

  CHECK(now() - begin >= 7s);
  CHECK(now() - begin <= 11s);
  CHECK_FALSE(sawError);
  CHECK(wasCleanedUp);
  client.stream().shutdownWrite();
  CHECK(client.isEnded());
}

FIBER_TEST_ON("sim", "a handler that has begun to answer may take its time [HTTP-34]") {
  http::App app;
  app.route("GET", "/own", [](Request&, BodyWriter& writer) {
    writer.write("first");
    writer.flush();
    sleep(60s);
    writer.write(" last");
  });
  app.route("GET", "/late", [](Request&, BodyWriter& writer) {
    sleep(60s);
    writer.write("never");
  });
  app.route("GET", "/stream", [](Request&) {
    return Response::stream([](BodyWriter& writer) {
      sleep(60s);
      writer.write("last");
    });
  });
  const auto server = serve(std::move(app), kOptions);
  RawClient client(server->address());
  CHECK(client.get("/own").body == "first last");
  CHECK(client.get("/stream").body == "last");
  CHECK(client.get("/late").status == 503);
}

FIBER_TEST_ON("sim", "a client that does not read is cut off [HTTP-35]") {
  Event isOver;
  http::ServerOptions options = kOptions;
  options.bytesPerSecondMin = 1'000'000;
  const auto server = serveAll(
      [&isOver](Request&) {
        return Response::stream([&isOver](BodyWriter& writer) {
          struct Over {
            Event& event;
            ~Over() { event.set(); }
          } const over{isOver};
          for (;;) writer.write(std::string(65'536, 'x'));
        });
      },
      options);
  RawClient client(server->address());
  const TimePoint begin = now();

  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  isOver.wait();

  CHECK(now() - begin >= 4s);
  CHECK(now() - begin <= 8s);
}

FIBER_TEST_ON("sim", "a server that nobody talks to has nothing to look at [HTTP-33]") {
  const auto server = serveAll([](Request&) { return "x"; }, kOptions);
  sleep(std::chrono::hours(24));
  RawClient client(server->address());

  const Answer answer = client.get("/");

  CHECK(answer.body == "x");
  CHECK(server->statistics().expired == 0);
}

}  // namespace
}  // namespace plait::test
