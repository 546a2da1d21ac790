// A request that is ended in each of its phases: by that phase's limit, the total one, a kill, the
// session's close, and all of them at once.

#include "plait/timeout.h"
#include "stalls.h"

namespace plait::test {
namespace {

http::ClientTimeouts noLimits() {
  return {kForever, kForever, kForever, kForever, kForever, kForever, kForever, kForever};
}

// Whatever ended the request, nothing of it is left.
void checkNothingLeft(Stall& stall, Session& session) {
  stall.holder.reset();
  settle();
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
  const auto allClosed = [&stall] {
    return !stall.server || stall.phase == "sending the request's body" ||
           stall.server->server().statistics().connections == 0;
  };
  CHECK(eventually(allClosed));
}

FIBER_TEST_ON("sim", "each phase has its limit, and the error says which was over [CLIENT-28]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    stall->options.timeouts.*(stall->limit) = 1500ms;
    Session session(stall->options);
    stall->prepare(session);
    const TimePoint start = now();

    const auto error = thrownBy<TimeoutError>([&] { stall->request(session); });

    REQUIRE(error);
    CHECK(contains(error->what(), stall->method + " " + stall->url + ": " + stall->phase +
                                      ": timed out after 1.5 s"));
    CHECK(now() - start == 1500ms);
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_ON("sim", "the total limit counts in each phase [CLIENT-28]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    Session session(stall->options);
    stall->prepare(session);
    const TimePoint start = now();
    http::ClientTimeouts timeouts = noLimits();
    timeouts.total = 100ms;

    const auto error = thrownBy<TimeoutError>([&] {
      ClientResponse response =
          session.request(stall->method, stall->url, {.body = stall->body, .timeouts = timeouts});
      response.body();
    });

    REQUIRE(error);
    CHECK(contains(error->what(), "timed out after 100 ms in all"));
    CHECK(now() - start == 100ms);
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_ON("sim",
              "a kill in any phase closes the connection and leaves the pool right [CLIENT-29]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    Session session(stall->options);
    stall->prepare(session);
    auto asking = spawn([&] { stall->request(session); });
    settle();
    CHECK_FALSE(asking.isReady());

    asking.kill();

    CHECK(asking.isKilled());
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_ON("sim", "a Timeout around a request is the caller's own affair [CLIENT-29]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    Session session(stall->options);
    stall->prepare(session);
    bool isOwn = false;

    Timeout timeout(1s);
    try {
      stall->request(session);
    } catch (const TimeoutExpired& expired) {
      isOwn = timeout.isCause(expired);
    }

    CHECK(isOwn);
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_ON("sim", "closing the session ends a request in any phase [CLIENT-30]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    Session session(stall->options);
    stall->prepare(session);
    auto asking = spawn([&] {
      return thrownBy<ConnectionClosed>([&] { stall->request(session); })->what() + std::string();
    });
    settle();

    session.close();

    CHECK(asking.isReady());
    CHECK(contains(asking.get(), "session that was closed"));
    CHECK_THROWS_AS(session.get(stall->url), ConnectionClosed);
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_ON("sim", "kill, timeout and close in the same turn leave nothing behind [CLIENT-30]") {
  for (const StallMaker& make : stalls()) {
    const auto stall = make();
    CAPTURE(stall->phase);
    stall->options.timeouts = noLimits();
    stall->options.timeouts.*(stall->limit) = 1s;
    Session session(stall->options);
    stall->prepare(session);
    bool hasEnded = false;
    auto asking = spawn([&] {
      struct AtEnd {
        bool& flag;
        ~AtEnd() { flag = true; }
      } const atEnd{hasEnded};
      stall->request(session);
    });
    settle();
    auto killer = spawnLater(1s, [&] { asking.kill(); });
    auto closer = spawnLater(1s, [&] { session.close(); });

    closer.join();
    killer.join();
    asking.join();

    CHECK(hasEnded);
    asking.exception();  // whichever came first
    checkNothingLeft(*stall, session);
  }
}

FIBER_TEST_EACH("closing a response ends its reader [CLIENT-30]") {
  const auto server = silentAfter("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
  Session session;
  ClientResponse response = session.get(server->url());
  auto reader = spawn([&response] {
    CHECK_THROWS_AS(response.body(), ConnectionClosed);
    return true;
  });
  settle();

  response.close();
  response.close();

  CHECK(reader.isReady());
  CHECK(session.statistics().inUse == 0);
  std::byte byte{};
  CHECK_THROWS_AS(response.readSome({&byte, 1}), ConnectionClosed);
}

FIBER_TEST("a killed close closes all the same [CLIENT-30]") {
  const auto server = silentAfter("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
  Session session;
  ClientResponse response = session.get(server->url());
  auto reader = spawn([&response] { CHECK_THROWS_AS(response.body(), ConnectionClosed); });
  settle();
  auto closer = spawn([&session] { session.close(); });
  auto other = spawn([&response] { response.close(); });
  yield();

  closer.requestKill();
  other.requestKill();
  joinAll({closer, other, reader});

  CHECK(session.statistics().inUse == 0);
  CHECK_FALSE(response.isDone());
}

FIBER_TEST("two readers at once are told [CLIENT-14]") {
  const auto server = silentAfter("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
  Session session;
  ClientResponse response = session.get(server->url());
  std::byte byte{};
  CHECK(response.readSome({&byte, 1}) == 1);
  auto first = spawn([&response] {
    std::byte mine{};
    response.readSome({&mine, 1});
  });
  settle();

  CHECK_THROWS_AS(response.readSome({&byte, 1}), ConcurrentUseError);

  CHECK_FALSE(first.isReady());
  first.kill();
}

FIBER_TEST_ON("sim", "time between pieces counts anew with each [CLIENT-28]") {
  RawServer server([](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    for (const char* each : {"a", "b", "c", "d", "e"}) {
      sleep(900ms);
      stream.writeAll(each);
    }
  });
  Session session({.timeouts = {.idle = 1s}});

  CHECK(session.get(server.url()).body() == "abcde");
}

FIBER_TEST_ON("sim", "the first byte is waited for from when the body was sent [CLIENT-28]") {
  RawServer server([](net::SocketStream& stream) {
    while (!contains(readPiece(stream), "0\r\n\r\n")) continue;
    sleep(900ms);
    stream.writeAll(answerWith("late"));
    while (!readPiece(stream).empty()) continue;
  });
  Session session({.timeouts = {.firstByte = 1s}});

  ClientResponse response =
      session.post(server.url(), ClientBody::chunks([](const ClientBody::Write& write) {
                     for (int i = 0; i < 5; ++i) {
                       sleep(10s);
                       write("x");
                     }
                   }));

  CHECK(response.body() == "late");
}

FIBER_TEST_ON("sim", "after a long body the first byte is not waited for without end [CLIENT-28]") {
  RawServer server([](net::SocketStream& stream) {
    while (!readPiece(stream).empty()) continue;
  });
  Session session({.timeouts = {.firstByte = 1s}});
  const TimePoint start = now();

  const auto error = thrownBy<TimeoutError>([&] {
    session.post(server.url(), ClientBody::chunks([](const ClientBody::Write& write) {
                   sleep(10s);
                   write("x");
                 }));
  });

  CHECK(contains(error->what(), "first byte: timed out after 1 s"));
  CHECK(now() - start == 11s);
}

}  // namespace
}  // namespace plait::test
