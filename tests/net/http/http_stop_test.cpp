// How a server stops.
#include <csignal>

#include "http_server_support.h"
#include "plait/event.h"

namespace plait::test {
namespace {

using http::Request;

FIBER_TEST_EACH("a stop closes idle connections and lets requests finish [HTTP-36]") {
  Event isIn;
  Event goOn;
  const auto server = serveAll([&isIn, &goOn](Request& request) {
    if (request.path() == "/slow") {
      isIn.set();
      goOn.wait();
    }
    return "done";
  });
  RawClient idle(server->address());
  idle.get("/");
  RawClient fresh(server->address());
  RawClient busy(server->address());
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();

  auto stopping = spawn([&server] { server->stop(); });

  CHECK(idle.isEnded());
  CHECK(fresh.isEnded());
  CHECK_FALSE(stopping.isReady());
  goOn.set();
  const Answer answer = busy.read();
  CHECK(answer.body == "done");
  CHECK(answer.fields.get("Connection") == "close");
  CHECK(busy.isEnded());
  stopping.join();
  CHECK(server->statistics().connections == 0);
}

FIBER_TEST("a stopped server takes no further clients [HTTP-36]") {
  const auto server = serveAll([](Request&) { return "x"; });
  const net::Address address = server->address();

  server->stop();
  server->stop();

  CHECK_THROWS_AS(net::connect(address), IoError);
}

FIBER_TEST_ON("sim", "what has not finished at the end of the grace is killed [HTTP-36]") {
  bool wasCleanedUp = false;
  Event isIn;
  const auto server = serveAll(
      [&wasCleanedUp, &isIn](Request&) {
        struct Cleanup {
          bool& done;
          ~Cleanup() { done = true; }
        } const cleanup{wasCleanedUp};
        isIn.set();
        sleep(kForever);
        return "never";
      },
      {.handlerTimeout = kForever, .stopGrace = 5s});
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();
  const TimePoint begin = now();

  server->stop();

  CHECK(wasCleanedUp);
  CHECK(now() - begin >= 5s);
  CHECK(now() - begin <= 7s);
  CHECK(client.isEnded());
}

FIBER_TEST("pipelined requests that have come are not answered after a stop [HTTP-36]") {
  Event isIn;
  Event goOn;
  int served = 0;
  const auto server = serveAll([&](Request&) {
    ++served;
    isIn.set();
    goOn.wait();
    return "done";
  });
  RawClient client(server->address());
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();
  auto stopping = spawn([&server] { server->stop(); });
  settle();
  goOn.set();

  CHECK(client.read().fields.get("Connection") == "close");
  stopping.join();

  CHECK(served == 1);
}

FIBER_TEST("a handler may stop its server [HTTP-36]") {
  http::Server* self = nullptr;
  const auto server = serveAll([&self](Request&) {
    self->stop();
    return "stopped";
  });
  self = server.get();
  RawClient client(server->address());

  CHECK(client.get("/").body == "stopped");
  CHECK(client.isEnded());
}

FIBER_TEST("serve() returns when somebody has asked for the stop [HTTP-36]") {
  http::App app;
  app.mount("/", [](Request&) { return "x"; });
  http::Server server("tcp:127.0.0.1:0", std::move(app));
  auto serving = spawn([&server] { server.serve(); });
  RawClient client(server.address());
  CHECK(client.get("/").body == "x");

  server.requestStop();
  server.requestStop();

  CHECK(serving.join(kPatience));
  CHECK(client.isEnded());
}

FIBER_TEST_ON("uring", "a signal stops the server [HTTP-36]") {
  http::App app;
  app.mount("/", [](Request&) { return "x"; });
  http::Server server("tcp:127.0.0.1:0", std::move(app));
  server.stopOn({SIGUSR1});
  auto serving = spawn([&server] { server.serve(); });
  RawClient client(server.address());
  client.get("/");

  ::raise(SIGUSR1);

  CHECK(serving.join(kPatience));
}

FIBER_TEST("a killed serve() stops without grace [HTTP-36]") {
  Event isIn;
  http::App app;
  app.mount("/", [&isIn](Request&) {
    isIn.set();
    sleep(kForever);
    return "never";
  });
  http::Server server("tcp:127.0.0.1:0", std::move(app));
  auto serving = spawn([&server] { server.serve(); });
  RawClient client(server.address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();

  serving.kill();

  CHECK(client.isEnded());
}

FIBER_TEST("a server that dies stops without grace, a stop under way included [HTTP-36]") {
  Event isIn;
  auto server = serveAll([&isIn](Request&) {
    isIn.set();
    sleep(kForever);
    return "never";
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();
  server->requestStop();
  settle();

  server.reset();

  CHECK(client.isEnded());
}

}  // namespace
}  // namespace plait::test
