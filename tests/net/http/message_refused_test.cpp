// What is refused, and with which status: each form is one that some server or proxy reads in
// another way than the next.
#include <initializer_list>

#include "http_support.h"

namespace plait::test {
namespace {

using http::HttpError;
using http::detail::Head;
using http::detail::MessageReader;

struct Refused {
  std::string text;
  int status;
};

// 0: it was taken whole.
int statusOf(const std::string& text, MessageReader::Kind kind = MessageReader::Kind::request,
             const http::Limits& limits = {}) {
  auto [sender, receiver] = net::memoryPair(1 << 20);
  sender.writeAll(text);
  sender.shutdownWrite();
  MessageReader reader(receiver, kind, limits);
  Head head;
  try {
    while (reader.readHead(head)) readBody(reader);
  } catch (const HttpError& error) {
    return error.status();
  } catch (const ConnectionClosed&) {
    return -1;  // it waited for more
  }
  return 0;
}

void expectAll(std::initializer_list<Refused> cases) {
  for (const Refused& each : cases) {
    CAPTURE(each.text);
    CHECK(statusOf(each.text) == each.status);
  }
}

std::string post(const std::string& fields, const std::string& body = "hello") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

std::string chunked(const std::string& chunks) {
  return post("Transfer-Encoding: chunked\r\n", chunks);
}

FIBER_TEST("a length that could be read in two ways is refused [HTTP-4]") {
  expectAll({
      {post("Content-Length: 5\r\n"), 0},
      {post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {post("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {post("Content-Length: 5, 5\r\n"), 400},
      {post("Content-Length: +5\r\n"), 400},
      {post("Content-Length: -5\r\n"), 400},
      {post("Content-Length: 0x5\r\n"), 400},
      {post("Content-Length: 5 5\r\n"), 400},
      {post("Content-Length:\r\n"), 400},
      {post("Content-Length: 18446744073709551616\r\n"), 400},
      {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {post("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {post("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {post("Transfer-Encoding: chunked ,gzip, br\r\n"), 400},
      {post("Transfer-Encoding: gzip, chunked , br\r\n"), 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  });
}

FIBER_TEST("an encoding that is not known is not implemented [HTTP-8] [HTTP-4]") {
  expectAll({
      {post("Transfer-Encoding: gzip\r\n"), 501},
      {post("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {post("Transfer-Encoding: xchunked\r\n"), 501},
      {post("Transfer-Encoding: identity\r\n"), 501},
      {post("Transfer-Encoding: \"chunked\"\r\n"), 501},
      {post("Transfer-Encoding: CHUNKED \r\n", "0\r\n\r\n"), 0},
  });
}

FIBER_TEST("line ends, folds and control characters in a head are refused [HTTP-5]") {
  expectAll({
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a" + std::string(1, '\0') + "b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01 b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\x80: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\xe4 b\tc\r\n\r\n", 0},
      {"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET / a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /" + std::string(1, '\0') + " HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  });
}

FIBER_TEST("a request has one Host and a target that fits its method [HTTP-6]") {
  expectAll({
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET HTTPS://a?x HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  });
}

FIBER_TEST("another version is refused with 505, none at all with 400 [HTTP-8]") {
  expectAll({
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
  });
}

FIBER_TEST("limits are kept before the line has come to its end [HTTP-7]") {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\n";
  const http::Limits limits{.requestLine = 100, .header = 200, .fields = 3};
  const auto status = [&limits](const std::string& text) {
    return statusOf(text, MessageReader::Kind::request, limits);
  };

  CHECK(status("GET /" + std::string(86, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
  CHECK(status("GET /" + std::string(87, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
  CHECK(status("GET /" + std::string(150, 'a')) == 414);
  CHECK(status(begin + "X: " + std::string(300, 'a')) == 431);
  CHECK(status(begin + "X: " + std::string(100, 'a') + "\r\nY: " + std::string(100, 'a') +
               "\r\n\r\n") == 431);
  CHECK(status(begin + "X: 1\r\nY: 1\r\n\r\n") == 0);
  CHECK(status(begin + "X: 1\r\nY: 1\r\nZ: 1\r\n\r\n") == 431);
  CHECK(status(begin + "Content-Length: 3\r\n\r\nabc") == 0);
}

FIBER_TEST("empty lines before a request are passed over, a few of them [HTTP-5]") {
  expectAll({
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n", 0},
      {"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  });
}

FIBER_TEST("a chunk that is not of the grammar is refused [HTTP-5] [HTTP-4]") {
  expectAll({
      {chunked("5\r\nhello\r\n0\r\n\r\n"), 0},
      {chunked("5;a=b;c=\"d;\"\r\nhello\r\n0;x\r\n\r\n"), 0},
      {chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {chunked("5\r\nhello0\r\n\r\n"), 400},
      {chunked("5\r\nhellooo\r\n0\r\n\r\n"), 400},
      {chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("-5\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("g\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("10000000000000000\r\nhello"), 400},
      {chunked("5 x\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked("0\r\nX: a\r\n b\r\n\r\n"), 400},
      {chunked("0\r\nX: a\n\r\n"), 400},
      {chunked("0\r\nX : a\r\n\r\n"), 400},
      {chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
      {chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {chunked("5;" + std::string(http::kChunkHeaderMax, 'a') + "\r\nhello\r\n0\r\n\r\n"), 400},
      {chunked(std::string(http::kChunkHeaderMax + 2, '0')), 400},
      {chunked("0\r\nX: " + std::string(http::kHeaderMax, 'a')), 431},
  });
}

FIBER_TEST("a trailer has no more fields than a header [HTTP-7]") {
  std::string trailer;
  for (std::size_t i = 0; i <= http::kFieldsMax; ++i) trailer += "X: 1\r\n";

  CHECK(statusOf(chunked("0\r\n" + trailer + "\r\n")) == 431);
}

FIBER_TEST("a response that breaks the rules is a bad gateway's [HTTP-4] [HTTP-8]") {
  const auto status = [](const std::string& text) {
    return statusOf(text, MessageReader::Kind::response);
  };

  CHECK(status("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello") == 502);
  CHECK(status("HTTP/2.0 200 OK\r\n\r\n") == 502);
  CHECK(status("HTTP/1.1 2x0 OK\r\n\r\n") == 502);
  CHECK(status("\r\nHTTP/1.1 200 OK\r\n\r\n") == 502);
  CHECK(status("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == 0);
}

}  // namespace
}  // namespace plait::test
