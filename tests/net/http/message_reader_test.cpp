// Messages that are in order, whole and in pieces. What is refused is in message_refused_test.
#include <random>
#include <vector>

#include "http_support.h"
#include "plait/greenlet.h"

namespace plait::test {
namespace {

using http::detail::Head;
using http::detail::MessageReader;
using Kind = MessageReader::Kind;

const char* const kRequests =
    "POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nX-Empty:\r\nContent-Length: 11\r\n\r\nhello world"
    "\r\n"
    "GET /next HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    "PUT /c HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;x=\"y\"\r\nhello\r\n00c\r\n cruel world\r\n0\r\nX-Sum: 16\r\nY: z\r\n\r\n"
    "DELETE /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const char* const kResponses =
    "HTTP/1.1 100 Continue\r\n\r\n"
    "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"
    "HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n"
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    "HTTP/1.0 200 OK\r\n\r\nuntil the end\r\n\r\n";

// All messages of a stream that is cut at these places.
std::vector<std::string> readAllCut(const std::string& text, Kind kind,
                                    const std::vector<std::size_t>& cuts, std::size_t piece) {
  auto [sender, receiver] = net::memoryPair();
  const auto writer = spawn([&text, &cuts, &to = sender] {
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
      to.writeAll(std::string_view(text).substr(from, cut - from));
      from = cut;
      yield();
      yield();
    }
    to.writeAll(std::string_view(text).substr(from));
    to.shutdownWrite();
  });
  MessageReader reader(receiver, kind, {});
  Head head;
  std::vector<std::string> messages;
  while (reader.readHead(head)) {
    const std::string body = readBody(reader, piece);
    messages.push_back(inWords(head, body, reader.trailers()));
    messages.back() += reader.keepsAlive() ? "stays" : "ends";
  }
  writer.join();
  return messages;
}

FIBER_TEST("requests are read one after the other, each with its body and trailer [HTTP-3]") {
  const std::vector<std::string> expected = {
      "POST /a?b=c 0  11\nHost=example.org\nX-Empty=\nContent-Length=11\nhello world\nstays",
      "GET /next 0  10\nConnection=keep-alive\n\nstays",
      "PUT /c 0  11\nhost=a\nTransfer-Encoding=chunked\nhello cruel world\nX-Sum=16\nY=z\nstays",
      "DELETE /last 0  11\nHost=a\nConnection=close\n\nends",
  };

  CHECK(readAllCut(kRequests, Kind::request, {}, 1'000) == expected);
  CHECK(readAllCut(kRequests, Kind::request, {}, 10'000) == expected);
  CHECK(readAllCut(kRequests, Kind::request, {}, 1) == expected);
}

FIBER_TEST("responses are read one after the other [HTTP-3] [HTTP-9]") {
  const std::vector<std::string> expected = {
      "  100 Continue 11\n\nstays",
      "  404 Not Found 11\nContent-Length=3\nabc\nstays",
      "  304  11\nContent-Length=3\n\nstays",
      "  200 OK 11\nTransfer-Encoding=chunked\na\nstays",
      "  200 OK 10\nuntil the end\r\n\r\n\nends",
  };

  CHECK(readAllCut(kResponses, Kind::response, {}, 1'000) == expected);
}

FIBER_TEST("a message is the same wherever it is cut [HTTP-3]") {
  for (const Kind kind : {Kind::request, Kind::response}) {
    const std::string text = kind == Kind::request ? kRequests : kResponses;
    const auto whole = readAllCut(text, kind, {}, 1'000);
    REQUIRE(whole.size() >= 4);

    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      CAPTURE(cut);
      CHECK(readAllCut(text, kind, {cut}, 1'000) == whole);
    }
  }
}

FIBER_TEST("a message is the same in random pieces [HTTP-3]") {
  std::mt19937_64 random(seed());
  for (const Kind kind : {Kind::request, Kind::response}) {
    const std::string text = kind == Kind::request ? kRequests : kResponses;
    const auto whole = readAllCut(text, kind, {}, 1'000);

    for (int round = 0; round < 300; ++round) {
      const std::size_t most = 1 + random() % 20;
      std::vector<std::size_t> cuts;
      for (std::size_t at = 1 + random() % most; at < text.size(); at += 1 + random() % most) {
        cuts.push_back(at);
      }
      CHECK(readAllCut(text, kind, cuts, random() % 2 == 0 ? 10'000 : 1 + random() % 7) == whole);
    }
  }
}

FIBER_TEST("a great head is taken as far as the limit allows [HTTP-7]") {
  auto [sender, receiver] = net::memoryPair(1 << 20);
  const std::string value(60'000, 'v');
  for (int i = 0; i < 2; ++i) {
    sender.writeAll("GET / HTTP/1.1\r\nHost: a\r\nX: " + value + "\r\n\r\n");
  }
  MessageReader reader(receiver, Kind::request, {});
  Head head;

  for (int i = 0; i < 2; ++i) {
    REQUIRE(reader.readHead(head));
    CHECK(head.fields.get("x") == value);
  }
  CHECK_FALSE(reader.hasBuffered());
}

FIBER_TEST("a body that the stream cuts short is an error [HTTP-9]") {
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const char* const rest :
       {"Content-Length: 5\r\n\r\nhell", "Transfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r",
        "Transfer-Encoding: chunked\r\n\r\n"}) {
    CAPTURE(rest);
    auto [sender, receiver] = net::memoryPair();
    sender.writeAll(begin + rest);
    sender.shutdownWrite();
    MessageReader reader(receiver, Kind::request, {});
    Head head;
    REQUIRE(reader.readHead(head));

    CHECK_THROWS_AS(readBody(reader), ConnectionClosed);
  }
}

FIBER_TEST("a stream that ends within a head is an error, between two messages none [HTTP-9]") {
  auto [sender, receiver] = net::memoryPair();
  sender.writeAll("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT");
  sender.shutdownWrite();
  MessageReader reader(receiver, Kind::request, {});
  Head head;
  REQUIRE(reader.readHead(head));

  CHECK_THROWS_AS(reader.readHead(head), ConnectionClosed);

  auto [other, empty] = net::memoryPair();
  other.shutdownWrite();
  MessageReader nothing(empty, Kind::request, {});
  CHECK_FALSE(nothing.waitForMessage());
  CHECK_FALSE(nothing.readHead(head));
}

FIBER_TEST("the response to HEAD has a length and no body [HTTP-9]") {
  auto [sender, receiver] = net::memoryPair();
  sender.writeAll("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  MessageReader reader(receiver, Kind::response, {});
  Head head;

  REQUIRE(reader.readHead(head));
  reader.expectNoBody();
  CHECK(reader.length() == 5);
  CHECK(reader.isDone());
  CHECK(reader.keepsAlive());
  REQUIRE(reader.readHead(head));
  CHECK_FALSE(reader.keepsAlive());
  reader.expectNoBody();
  CHECK(reader.keepsAlive());
}

FIBER_TEST("what comes behind a message can be taken, for an upgrade [HTTP-3]") {
  auto [sender, receiver] = net::memoryPair();
  sender.writeAll("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n\x81\x05hello");
  MessageReader reader(receiver, Kind::request, {});
  Head head;
  REQUIRE(reader.readHead(head));

  CHECK(reader.hasBuffered());
  CHECK(reader.takeBuffered() == "\x81\x05hello");
  CHECK_FALSE(reader.hasBuffered());
}

FIBER_TEST("a killed reader has lost nothing [HTTP-10]") {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    CAPTURE(cut);
    auto [sender, receiver] = net::memoryPair();
    MessageReader reader(receiver, Kind::request, {});
    Head head;
    bool hasHead = false;
    std::string body;
    const auto read = [&reader, &head, &hasHead, &body] {
      if (!hasHead) hasHead = reader.readHead(head);
      std::byte byte{};
      while (reader.readBody({&byte, 1}) > 0) body += static_cast<char>(byte);
    };
    sender.writeAll(text.substr(0, cut));
    const auto first = spawn(read);
    settle();
    first.kill();

    sender.writeAll(text.substr(cut));
    read();

    CHECK(inWords(head, body, reader.trailers()) ==
          "POST / 0  11\nHost=a\nTransfer-Encoding=chunked\nhello\nX=y\n");
  }
}

FIBER_TEST("closing the stream ends a parked reader [HTTP-10]") {
  auto [sender, receiver] = net::memoryPair();
  MessageReader reader(receiver, Kind::request, {});
  bool closed = false;
  const auto parked = spawn([&reader, &closed] {
    Head head;
    try {
      reader.readHead(head);
    } catch (const ConnectionClosed&) {
      closed = true;
    }
  });
  settle();

  receiver.close();
  parked.join();

  CHECK(closed);
}

}  // namespace
}  // namespace plait::test
