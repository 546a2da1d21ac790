// Servers that mean harm, or break.

#include <random>

#include "client_support.h"

namespace plait::test {
namespace {

// What a session does with a server that answers so.
struct Outcome {
  int status = 0;
  std::string body;
  std::string error;
};

Outcome ask(Session& session, const std::string& url) {
  Outcome outcome;
  try {
    ClientResponse response = session.get(url);
    outcome.status = response.status();
    outcome.body = response.body();
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

class SayingServer final {
 public:
  std::string text;
  RawServer raw{[this](net::SocketStream& stream) {
    readPiece(stream);
    std::error_code ignored;
    stream.writeAll(text, ignored);
    stream.shutdownWrite();
    // Until the client has gone: a reset would take away what it has not read.
    while (stream.readSome(buffer_, ignored) > 0) continue;
  }};

 private:
  std::array<std::byte, 1024> buffer_{};
};

FIBER_TEST("answers that break the protocol are errors that say where they came from [CLIENT-36]") {
  SayingServer server;
  Session session;
  const std::string get = "HTTP/1.1 200 OK\r\n";

  for (const std::string& each :
       {std::string("garbage"), std::string("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"),
        std::string("HTTP/2.0 200 OK\r\n\r\n"), std::string("HTTP/1.1 2x0 OK\r\n\r\n"),
        std::string("HTTP/1.1 99 OK\r\n\r\n"), std::string("HTTP/1.1 200 OK\n\nx"),
        get + "Content-Length: -1\r\n\r\n",
        get + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        get + "Content-Length: 99999999999999999999999\r\n\r\n",
        get + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        get + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        get + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        get + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        get + "Bad Name: x\r\n\r\n", get + "X: a\r\n folded\r\n\r\n", get + "X: \x01\r\n\r\n",
        std::string("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25)}) {
    server.text = each;
    const Outcome outcome = ask(session, server.raw.url());
    CHECK_MESSAGE(contains(outcome.error, "GET " + server.raw.url()), each, outcome.error);
    CHECK(session.statistics().idle == 0);
  }
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("heads and bodies without an end are stopped at their limits [CLIENT-36]") {
  std::uint64_t sent = 0;
  std::string start;
  std::string again;
  RawServer server([&](net::SocketStream& stream) {
    readPiece(stream);
    std::error_code error;
    stream.writeAll(start, error);
    while (!error && sent < (64 << 20)) {
      stream.writeAll(again, error);
      sent += again.size();
    }
  });
  Session session({.limits = {.body = 1 << 20}});
  struct Case {
    std::string start;
    std::string again;
  };
  for (const Case& each :
       {Case{"", "HTTP/1.1 200 " + std::string(1000, 'x')},
        Case{"HTTP/1.1 200 OK\r\n", "X-Y: " + std::string(1000, 'x') + "\r\n"},
        Case{"HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'x')},
        Case{"HTTP/1.1 200 OK\r\n\r\n", std::string(1000, 'x')},
        Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n"},
        Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", std::string(1000, 'x')},
        Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Y: z\r\n"}}) {
    CAPTURE(each.start);
    sent = 0;
    start = each.start;
    again = each.again;

    const Outcome outcome = ask(session, server.url());

    CHECK_FALSE(outcome.error.empty());
    CHECK(sent < (32 << 20));
    CHECK(session.statistics().inUse == 0);
  }
}

FIBER_TEST_ON("sim", "a server that drips a head is not waited for without end [CLIENT-36]") {
  RawServer server([](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll("HTTP/1.1 200 OK\r\nX: ");
    for (;;) {
      sleep(5s);
      stream.writeAll("x");
    }
  });
  Session session({.timeouts = {.idle = 60s}});
  const TimePoint start = now();

  CHECK_THROWS_AS(session.get(server.url()), TimeoutError);

  CHECK(now() - start <= 61s);
}

// Every way in which an answer can be cut short.
void checkCutAtEachByte(const std::string& answer, const std::string& body) {
  SayingServer server;
  Session session;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    CAPTURE(i);
    server.text = answer.substr(0, i);
    const Outcome outcome = ask(session, server.raw.url());
    CHECK(contains(outcome.error, "GET " + server.raw.url()));
    CHECK(session.statistics().inUse == 0);
    CHECK(session.statistics().idle == 0);
  }
  server.text = answer;
  CHECK(ask(session, server.raw.url()).body == body);
}

const std::string kCounted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n";

FIBER_TEST_EACH("an answer that ends at any byte before its last is an error [CLIENT-37]") {
  checkCutAtEachByte(kCounted, "hello");
  checkCutAtEachByte(kChunked, "hello");
}

FIBER_TEST_SIM(SimOptions::hostile(seed()),
               "the same on a network that does what it may [CLIENT-37]") {
  checkCutAtEachByte(kCounted, "hello");
  checkCutAtEachByte(kChunked, "hello");
}

// Requests of many kinds, ended at random, against servers that do what they like.
FIBER_TEST_SIM(SimOptions::hostile(seed()),
               "whatever happens, no permit and no connection is lost [CLIENT-37]") {
  std::mt19937_64 random(seed());
  const auto oneIn = [&random](unsigned n) { return random() % n == 0; };
  TestServer server([&](const Seen& seen) {
    if (oneIn(4)) sleep(std::chrono::microseconds(random() % 3000));
    if (oneIn(10)) return std::string();
    if (oneIn(10)) return kChunked.substr(0, random() % kChunked.size());
    if (oneIn(5))
      return answerWith("x", "Location: /" + std::to_string(random() % 9) + "\r\n", "302 x");
    if (oneIn(5)) return answerWith("bye", "Connection: close\r\n");
    return oneIn(2) ? kChunked : answerWith(seen.body);
  });
  Session session({.connectionsPerHost = 3, .connectionsMax = 3, .keepIdleFor = 2ms});
  std::size_t good = 0;
  std::vector<AnyGreenlet> callers;
  for (int i = 0; i < 12; ++i) {
    callers.push_back(spawn([&] {
      for (int round = 0; round < 25; ++round) {
        try {
          const Timeout timeout(oneIn(3) ? Duration(1ms) : kForever);
          ClientResponse response = oneIn(2) ? session.get(server.url())
                                             : session.post(server.url(), std::string(100, 'y'));
          if (oneIn(5)) continue;
          if (oneIn(5)) response.close();
          response.body();
          ++good;
        } catch (const Error&) {
        } catch (const TimeoutExpired&) {
        }
      }
    }));
  }
  for (int i = 0; i < 12; i += 3) {
    sleep(1ms);
    callers[std::size_t(i)].kill();
  }

  joinAll(callers);

  for (const AnyGreenlet& each : callers) CHECK((each.isSuccessful() || each.isKilled()));
  CHECK(good > 0);
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle <= 3);
  session.close();
  CHECK(eventually([&server] { return server.openConnections() == 0; }));
}

}  // namespace
}  // namespace plait::test
