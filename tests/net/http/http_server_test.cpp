// Connections: how long they stay, pipelining, what a handler that fails costs.
#include <stdexcept>

#include "http_server_support.h"
#include "plait/event.h"
#include "plait/statistics.h"

namespace plait::test {
namespace {

using http::Request;
using http::Response;

FIBER_TEST_EACH("a handler's text is the answer, and the connection stays [HTTP-11]") {
  const auto server =
      serveAll([](Request& request) { return "you asked for " + std::string(request.path()); });
  RawClient client(server->address());

  for (const char* const target : {"/a", "/b"}) {
    const Answer answer = client.get(target);
    CHECK(answer.status == 200);
    CHECK(answer.body == std::string("you asked for ") + target);
    CHECK(answer.fields.get("Content-Type") == "text/plain; charset=utf-8");
    CHECK(answer.fields.get("Content-Length") == "16");
    CHECK(answer.fields.get("Date").size() == 29);
    CHECK_FALSE(answer.fields.has("Connection"));
  }
  CHECK(server->statistics().requests == 2);
  CHECK(server->statistics().accepted == 1);
}

FIBER_TEST("a connection ends when one side says so, or speaks HTTP/1.0 [HTTP-11]") {
  const auto server = serveAll([](Request& request) {
    Response response = Response::text("text");
    if (request.path() == "/last") response.with("Connection", "close");
    return response;
  });
  struct Case {
    const char* request;
    const char* connection;
    bool ends;
  };
  for (const Case& each : {
           Case{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", true},
           Case{"GET / HTTP/1.0\r\n\r\n", "close", true},
           Case{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
           Case{"GET /last HTTP/1.1\r\nHost: a\r\n\r\n", "close", true},
       }) {
    CAPTURE(each.request);
    RawClient client(server->address());

    const Answer answer = client.ask(each.request);

    CHECK(answer.body == "text");
    CHECK(answer.fields.get("Connection") == each.connection);
    if (each.ends) {
      CHECK(client.isEnded());
    } else {
      CHECK(client.ask(each.request).status == 200);
    }
  }
}

FIBER_TEST("a connection has a number of requests after which it ends [HTTP-11]") {
  const auto server = serveAll([](Request&) { return "x"; }, {.keepAliveRequestsMax = 2});
  RawClient client(server->address());

  CHECK_FALSE(client.get("/").fields.has("Connection"));
  CHECK(client.get("/").fields.get("Connection") == "close");
  CHECK(client.isEnded());
}

FIBER_TEST("at its limit of connections a server leaves further clients waiting [HTTP-11]") {
  const auto server = serveAll([](Request&) { return "x"; }, {.connectionsMax = 1});
  auto first = std::make_unique<RawClient>(server->address());
  CHECK(first->get("/").body == "x");
  RawClient second(server->address());
  second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  settle();
  CHECK(server->statistics().accepted == 1);

  first.reset();

  CHECK(second.read().body == "x");
}

FIBER_TEST("pipelined requests are answered in order, in one write [HTTP-12]") {
  const auto server = serveAll([](Request& request) { return std::string(request.path()); });
  RawClient client(server->address());
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  client.get("/warm");
  const std::uint64_t before = loopStatistics().submitted;

  client.send(requests);
  for (int i = 0; i < 20; ++i) CHECK(client.read().body == "/" + std::to_string(i));

  // Two of this client and two of the server; one that finds nothing yet is one more.
  CHECK(loopStatistics().submitted - before <= 7);
}

FIBER_TEST("an answer does not wait for the rest of the next request [HTTP-12]") {
  const auto server = serveAll([](Request& request) { return std::string(request.path()); });
  RawClient client(server->address());

  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHo");
  CHECK(client.read().body == "/1");
  client.send("st: a\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n");
  CHECK(client.read().body == "/2");
  CHECK(client.read().body == "/3");
}

FIBER_TEST("HEAD has the head of GET and no body [HTTP-13]") {
  const auto server = serveAll([](Request& request) {
    if (request.path() == "/stream") {
      return Response::stream([](http::BodyWriter& writer) { writer.write("never seen"); });
    }
    return Response::text("hello");
  });
  RawClient client(server->address());

  const Answer answer = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.fields.get("Content-Length") == "5");
  CHECK(answer.body.empty());
  CHECK(client.ask("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
  CHECK(client.get("/").body == "hello");
}

FIBER_TEST("204 and 304 have neither body nor length [HTTP-13]") {
  const auto server = serveAll(
      [](Request& request) { return Response::text("x", request.path() == "/204" ? 204 : 304); });
  RawClient client(server->address());

  for (const char* const target : {"/204", "/304", "/204"}) {
    const Answer answer = client.get(target);
    CHECK(answer.status == std::stoi(target + 1));
    CHECK(answer.fields.count("Content-Length") + answer.fields.count("Content-Type") ==
          (answer.status == 304 ? 1U : 0U));
  }
}

FIBER_TEST("a handler that throws is 500, said to the sink and not to the client [HTTP-14]") {
  ExpectedErrors errors;
  const auto server = serveAll([](Request& request) -> std::string {
    if (request.path() == "/fail") throw std::runtime_error("a secret");
    if (request.path() == "/teapot") throw http::HttpError(418, "a detail");
    return "fine";
  });
  RawClient client(server->address());

  const Answer failed = client.get("/fail");
  CHECK(failed.status == 500);
  CHECK_FALSE(contains(failed.body, "secret"));
  CHECK(client.get("/teapot").status == 418);
  CHECK(client.get("/").body == "fine");

  const auto reports = errors.take();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "the handler of GET /fail"));
  CHECK(contains(reports[0], "a secret"));
}

FIBER_TEST_ON("sim", "a Timeout that a handler lets out is an error like others [HTTP-14]") {
  ExpectedErrors errors;
  const auto server = serveAll([](Request& request) {
    if (request.path() == "/stream") {
      return Response::stream([](http::BodyWriter& writer) {
        writer.write("begun");
        writer.flush();
        const Timeout timeout(1s);
        sleep(kForever);
      });
    }
    if (request.path() == "/own") {
      return Response::streamWithHead([](http::BodyWriter&) {
        const Timeout timeout(1s);
        sleep(kForever);
      });
    }
    const Timeout timeout(1s);
    sleep(kForever);
    return Response();
  });
  RawClient client(server->address());

  CHECK(client.get("/").status == 500);
  CHECK(client.get("/own").status == 500);
  CHECK_THROWS_AS(client.get("/stream"), ConnectionClosed);
  CHECK(errors.take(3).size() == 3);
}

FIBER_TEST("a handler that is killed ends its connection [HTTP-14]") {
  AnyGreenlet handler;
  Event isIn;
  const auto server = serveAll([&handler, &isIn](Request&) {
    handler = current();
    isIn.set();
    sleep(kForever);
    return "never";
  });
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  isIn.wait();

  handler.kill();

  CHECK(client.isEnded());
}

FIBER_TEST("a client that goes away while its handler works is no error [HTTP-14]") {
  Event isIn;
  Event goOn;
  Event isOut;
  const auto server = serveAll([&](Request& request) {
    if (request.path() == "/body") {
      isIn.set();
      try {
        request.body();
      } catch (...) {
        isOut.set();
        throw;
      }
    }
    isIn.set();
    goOn.wait();
    isOut.set();
    return std::string(1 << 20, 'x');
  });

  for (const char* const request :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"}) {
    isIn.clear();
    isOut.clear();
    RawClient client(server->address());
    client.stream().setResetOnClose(true);
    client.send(request);
    isIn.wait();
    client.stream().close();
    goOn.set();
    isOut.wait();
  }
  settle();
}

FIBER_TEST("what is no request is answered with its status, and the connection ends [HTTP-15]") {
  const auto server = serveAll([](Request&) { return "x"; });
  struct Case {
    std::string text;
    int status;
  };
  for (const Case& each : {
           Case{"nonsense\r\n\r\n", 400},
           Case{"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
           Case{"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
           Case{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
           Case{"GET /" + std::string(10'000, 'a'), 414},
           Case{"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70'000, 'a'), 431},
           Case{"GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n", 417},
           Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
       }) {
    CAPTURE(each.text.substr(0, 50));
    RawClient client(server->address());
    client.send(each.text);

    const Answer answer = client.read();

    CHECK(answer.status == each.status);
    CHECK(answer.fields.get("Connection") == "close");
    client.stream().shutdownWrite();
    CHECK(client.isEnded());
  }
  CHECK(server->statistics().refused == 8);
}

FIBER_TEST("a client that has ended its side gets its answer [HTTP-11]") {
  const auto server = serveAll([](Request&) { return "late"; });
  RawClient client(server->address());

  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.stream().shutdownWrite();

  CHECK(client.read().body == "late");
  CHECK(client.isEnded());
}

FIBER_TEST(
    "every request is told to the access log, in a form that a client cannot forge [HTTP-16]") {
  std::vector<std::string> lines;
  const auto server = serveAll([](Request&) { return "12345"; },
                               {.accessLog = [&lines](const http::AccessRecord& record) {
                                 lines.push_back(http::commonLogLine(record));
                                 lines.back() += " " + std::string(record.userAgent);
                               }});
  RawClient client(server->address());

  client.get("/a\"b\xff", "User-Agent: tester\r\n");

  client.ask("nonsense\r\n\r\n");
  REQUIRE(lines.size() == 2);
  CHECK(contains(lines[1], "] \"-\" 400 12 "));
  CHECK(lines[0].starts_with("127.0.0.1 - - ["));
  CHECK(contains(lines[0], "] \"GET /a\\x22b\\xff HTTP/1.1\" 200 5 tester"));
}

}  // namespace
}  // namespace plait::test
