// Bodies of requests: how they are sent, and what comes back before all is sent.

#include "client_support.h"
#include "plait/event.h"
#include "plait/memory_stream.h"

namespace plait::test {
namespace {

FIBER_TEST_EACH("a body is sent whole, whatever gives it [CLIENT-31]") {
  TestServer server(always(answerWith("")));
  Session session;
  const std::string big = std::string(300'000, 'x') + "end";
  auto [near, far] = net::memoryPair(1 << 20);
  far.writeAll(big + "behind");
  far.shutdownWrite();

  session.post(server.url(), big);
  session.post(server.url(), ClientBody::stream(near, big.size(), "text/x"));
  session.post(server.url(), ClientBody::stream(near));
  session.post(server.url(), ClientBody::chunks([&big](const ClientBody::Write& write) {
                 write("one ");
                 write("");
                 write(big);
               }));
  session.post(server.url(), ClientBody::chunks([](const ClientBody::Write&) {}));

  REQUIRE(server.seen.size() == 5);
  CHECK((server.seen[0].body == big));
  CHECK((server.seen[1].body == big));
  CHECK(server.seen[1].field("Content-Length") == std::to_string(big.size()));
  CHECK(server.seen[1].field("Content-Type") == "text/x");
  CHECK(server.seen[2].body == "behind");
  CHECK(server.seen[2].field("Transfer-Encoding") == "chunked");
  CHECK((server.seen[3].body == "one " + big));
  CHECK(server.seen[4].body.empty());
  CHECK(server.connections() == 1);
}

FIBER_TEST("what the body's source throws ends the request and the connection [CLIENT-32]") {
  TestServer server(always(answerWith("")));
  Session session;
  auto [near, far] = net::memoryPair();
  far.writeAll("abc");
  far.shutdownWrite();

  CHECK_THROWS_AS(session.post(server.url(), ClientBody::chunks([](const ClientBody::Write& write) {
                                 write("some");
                                 throw std::runtime_error("no more");
                               })),
                  std::runtime_error);
  const auto tooShort =
      thrownBy<Error>([&] { session.post(server.url(), ClientBody::stream(near, 10)); });
  const auto late = thrownBy<TimeoutError>([&] {
    session.post(server.url(), ClientBody::chunks([](const ClientBody::Write& write) {
                   write("some");
                   const Timeout timeout(1ms);
                   sleepForEver();
                 }));
  });
  const auto tooLong = thrownBy<Error>([&] {
    session.post(server.url(), ClientBody::counted(3, [](const ClientBody::Write& write) {
                   write("ab");
                   write("cd");
                 }));
  });

  CHECK(contains(tooShort->what(), "7 bytes less than the 10 bytes"));
  CHECK(contains(tooLong->what(), "more than the 3 bytes"));
  CHECK(contains(late->what(), "timed out after 1 ms"));
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
  CHECK(eventually([&server] { return server.openConnections() == 0; }));
  CHECK(server.seen.empty());
}

FIBER_TEST("a kill ends the source of the body before the request is gone [CLIENT-32]") {
  RawServer server([](net::SocketStream& stream) {
    while (!readPiece(stream).empty()) continue;
  });
  Session session;
  bool isRunning = false;
  auto asking = spawn([&] {
    std::string mine = "on this stack";
    session.post(server.url(), ClientBody::chunks([&](const ClientBody::Write& write) {
                   struct Running {
                     bool& flag;
                     explicit Running(bool& f) : flag(f) { flag = true; }
                     ~Running() { flag = false; }
                   } const running(isRunning);
                   for (;;) {
                     write(mine);
                     sleep(10us);
                   }
                 }));
  });
  CHECK(eventually([&isRunning] { return isRunning; }));

  asking.kill();

  CHECK_FALSE(isRunning);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST_EACH("a server may refuse a body before it has come [CLIENT-33]") {
  RawServer server([](net::SocketStream& stream) {
    readPiece(stream, 100);
    stream.writeAll(answerWith("too much", "Connection: close\r\n", "413 Too Large"));
    stream.shutdownWrite();
    sleepForEver();
  });
  Session session;

  ClientResponse response = session.post(server.url(), std::string(8 << 20, 'x'));

  CHECK(response.status() == 413);
  CHECK(response.body() == "too much");
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
}

FIBER_TEST_EACH("both directions may flow at once [CLIENT-33]") {
  RawServer server([](net::SocketStream& stream) {
    stream.writeAll("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    std::string request;
    while (!contains(request, "\r\n\r\n")) request += readPiece(stream);
    stream.writeAll(request.substr(request.find("\r\n\r\n")));
    echo(stream);
  });
  Session session;
  Event heard;

  ClientResponse response =
      session.post(server.url(), ClientBody::chunks([&heard](const ClientBody::Write& write) {
                     write("first");
                     heard.wait();
                     write("second");
                   }));
  std::string got;
  const auto readUntil = [&](std::string_view what) {
    std::array<std::byte, 100> buffer{};
    while (!contains(got, what)) {
      const std::size_t count = response.readSome(buffer);
      if (count == 0) break;
      got.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
  };
  readUntil("first");
  heard.set();
  readUntil("second");

  CHECK(contains(got, "second"));
}

FIBER_TEST_EACH("an early answer's connection is kept only once all was sent [CLIENT-33]") {
  Event goOn;
  std::string received;
  RawServer server([&](net::SocketStream& stream) {
    while (!contains(received, "\r\n\r\n")) received += readPiece(stream);
    stream.writeAll(answerWith("early"));
    goOn.wait();
    while (!contains(received, "0\r\n\r\n")) received += readPiece(stream);
    readPiece(stream);
    stream.writeAll(answerWith("next"));
  });
  Session session;

  ClientResponse response =
      session.post(server.url(), ClientBody::chunks([&goOn](const ClientBody::Write& write) {
                     goOn.wait();
                     write("late");
                   }));
  auto later = spawn([&goOn] {
    settle();
    goOn.set();
  });
  CHECK(response.body() == "early");

  CHECK(contains(received, "late"));
  CHECK(session.get(server.url()).body() == "next");
  CHECK(session.statistics().connected == 1);
}

FIBER_TEST("dropping a response ends the sending of its request's body [CLIENT-32]") {
  RawServer server([](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    while (!readPiece(stream).empty()) continue;
  });
  Session session;
  bool isRunning = true;
  {
    std::string mine = "on this stack";
    ClientResponse response =
        session.post(server.url(), ClientBody::chunks([&](const ClientBody::Write& write) {
                       struct AtEnd {
                         bool& flag;
                         ~AtEnd() { flag = false; }
                       } const atEnd{isRunning};
                       for (;;) {
                         write(mine);
                         sleep(10us);
                       }
                     }));
    CHECK(isRunning);
  }

  CHECK_FALSE(isRunning);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("a server that closes while it is sent to may have answered before [CLIENT-33]") {
  RawServer server([](net::SocketStream& stream) {
    stream.writeAll(answerWith("busy", "Connection: close\r\n", "503 Busy"));
    stream.shutdownWrite();
    readPiece(stream, 1);
    stream.setResetOnClose(false);
  });
  Session session;

  const int status = session.post(server.url(), std::string(4 << 20, 'x')).status();

  CHECK(status == 503);
  CHECK(session.statistics().inUse == 0);
}

}  // namespace
}  // namespace plait::test
