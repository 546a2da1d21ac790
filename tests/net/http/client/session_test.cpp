// What is asked and what is answered, where nothing goes wrong.

#include "client_support.h"

namespace plait::test {
namespace {

FIBER_TEST_EACH("an answer has its status, fields and body [CLIENT-9]") {
  TestServer server(always(answerWith("hello", "X-Test: one\r\nX-Test: two\r\n", "201 Made")));

  ClientResponse response = http::get(server.url("/a/b?c=d#e"));

  CHECK(response.status() == 201);
  CHECK(response.reason() == "Made");
  CHECK(response.version() == 11);
  CHECK(response.isOk());
  CHECK(response.fields().all("x-test").size() == 2);
  CHECK(response.length() == 5);
  CHECK(response.body() == "hello");
  CHECK(response.body() == "hello");
  CHECK(response.isDone());
  CHECK(response.url().toString() == server.url("/a/b?c=d#e"));
  REQUIRE(server.seen.size() == 1);
  CHECK(server.seen[0].method == "GET");
  CHECK(server.seen[0].target == "/a/b?c=d");
}

FIBER_TEST("a request says what every request says, once [CLIENT-9]") {
  TestServer server(always(answerWith("")));
  Session session({.fields = {{"X-All", "yes"}, {"X-Some", "session"}}, .userAgent = "tester"});

  session.get(server.url(), {.fields = {{"x-some", "request"}, {"Accept", "text/html"}}});

  const http::Fields& fields = server.seen.at(0).fields;
  CHECK(fields.get("Host") == server.host());
  CHECK(fields.get("User-Agent") == "tester");
  CHECK(fields.get("Accept-Encoding") == "gzip, deflate");
  CHECK(fields.get("X-All") == "yes");
  CHECK(fields.all("X-Some") == std::vector<std::string_view>{"request"});
  CHECK(fields.all("Accept") == std::vector<std::string_view>{"text/html"});
  CHECK_FALSE(fields.has("Content-Length"));
  CHECK_FALSE(fields.has("Connection"));
}

FIBER_TEST("each verb asks with its method and its body [CLIENT-9]") {
  TestServer server(always(answerWith("")));
  Session session;

  session.post(server.url(), "text");
  session.put(server.url(), ClientBody("{}", "application/json"));
  session.patch(server.url(), ClientBody());
  session.del(server.url());
  session.request("PURGE", server.url());
  http::request("OPTIONS", server.url());

  const auto seen = [&server](std::size_t i) {
    return server.seen.at(i).method + " " + server.seen[i].field("Content-Length") + " " +
           server.seen[i].field("Content-Type") + " " + server.seen[i].body;
  };
  CHECK(seen(0) == "POST 4  text");
  CHECK(seen(1) == "PUT 2 application/json {}");
  CHECK(seen(2) == "PATCH 0  ");
  CHECK(seen(3) == "DELETE   ");
  CHECK(seen(4) == "PURGE   ");
  CHECK(seen(5) == "OPTIONS   ");
}

FIBER_TEST("what cannot be sent is refused before anything is [CLIENT-10]") {
  Session session;

  CHECK_THROWS_AS(session.request("GE T", "http://127.0.0.1:1/"), std::invalid_argument);
  CHECK_THROWS_AS(session.request("CONNECT", "http://127.0.0.1:1/"), std::invalid_argument);
  CHECK_THROWS_AS(session.get("http://127.0.0.1:1/", {.fields = {{"Content-Length", "3"}}}),
                  std::invalid_argument);
  Session wrong({.fields = {{"Transfer-Encoding", "chunked"}}});
  CHECK_THROWS_AS(wrong.get("http://127.0.0.1:1/"), std::invalid_argument);
  CHECK_THROWS_AS(session.get("http://127.0.0.1:1/\r\nX: y"), Error);
  CHECK_THROWS_AS(session.get("ws://127.0.0.1:1/"), Error);
  CHECK_THROWS_AS(session.get("/relative"), Error);
  CHECK_THROWS_AS(http::Fields({{"X", "a\r\nY: b"}}), std::invalid_argument);
  CHECK(session.statistics().requests == 0);
}

FIBER_TEST(
    "URLs are relative to the session's, and parameters are added to their query [CLIENT-9]") {
  TestServer server(always(answerWith("")));
  Session session({.baseUrl = server.url("/v1/")});

  session.get("users", {.parameters = {{"name", "a&b"}}});
  session.get("/root?x=1", {.parameters = {{"y", "2"}}});
  session.get(server.url("/absolute"));

  CHECK(server.seen.at(0).target == "/v1/users?name=a%26b");
  CHECK(server.seen.at(1).target == "/root?x=1&y=2");
  CHECK(server.seen.at(2).target == "/absolute");
}

FIBER_TEST("answers that have no body are done with their head [CLIENT-11]") {
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;

  answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  ClientResponse head = session.head(server.url());
  CHECK(head.isDone());
  CHECK(head.length() == 1000);
  CHECK(head.body().empty());
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    answer = "HTTP/1.1 " + std::string(status) + "\r\nETag: x\r\n\r\n";
    ClientResponse response = session.get(server.url());
    CHECK(response.isDone());
    CHECK(response.body().empty());
  }

  CHECK(server.connections() == 1);
}

FIBER_TEST("a body is as long as its length, its chunks or its connection say [CLIENT-11]") {
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;

  answer = answerWith("counted");
  CHECK(session.get(server.url()).body() == "counted");
  answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n4;x=y\r\nnked\r\n"
      "0\r\nX-Sum: 7\r\n\r\n";
  ClientResponse chunked = session.get(server.url());
  CHECK(chunked.body() == "chunked");
  CHECK(chunked.trailers().get("X-Sum") == "7");
  CHECK(server.connections() == 1);
  answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end";
  CHECK(session.get(server.url()).body() == "to the end");
  CHECK(session.statistics().idle == 0);
}

FIBER_TEST("informational answers are passed over, up to a limit [CLIENT-12]") {
  std::string before;
  TestServer server([&before](const Seen&) { return before + answerWith("real"); });
  Session session;

  before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  CHECK(session.get(server.url()).body() == "real");
  for (int i = 0; i <= http::kInformationalMax; ++i) before += "HTTP/1.1 102 Wait\r\n\r\n";
  const auto error = thrownBy<http::HttpError>([&] { session.get(server.url()); });

  CHECK(error->status() == 502);
  CHECK(contains(error->what(), "informational"));
}

FIBER_TEST("an answer is no error until it is asked to be one [CLIENT-13]") {
  TestServer server(always(answerWith("gone", {}, "404 Nowhere")));
  Session session;

  ClientResponse response = session.get(server.url("/x"));
  CHECK(response.status() == 404);
  const auto error = thrownBy<http::HttpError>([&] { response.raiseForStatus(); });

  CHECK(error->status() == 404);
  CHECK(contains(error->what(), "GET " + server.url("/x")));
  CHECK(contains(error->what(), "404 Nowhere"));
  CHECK(response.body() == "gone");
}

FIBER_TEST("a body is read in pieces, to a stream, or into memory up to the limit [CLIENT-14]") {
  const std::string text = std::string(100'000, 'x') + "end";
  TestServer server(always(answerWith(text)));
  Session session({.limits = {.body = 1000}});

  ClientResponse pieces = session.get(server.url());
  std::string got;
  std::array<std::byte, 777> buffer{};
  while (const std::size_t count = pieces.readSome(buffer)) {
    got.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
  CHECK((got == text));
  auto [near, far] = net::memoryPair(1 << 20);
  CHECK(session.get(server.url()).copyTo(near) == text.size());
  CHECK((readCount(far, text.size()) == text));
  CHECK(server.connections() == 1);
  const auto error = thrownBy<LimitError>([&] { session.get(server.url()).body(); });

  CHECK(contains(error->what(), "1000 bytes"));
  CHECK(session.statistics().idle == 0);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("text is UTF-8, also of an answer in ISO-8859-1 [CLIENT-14]") {
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;

  answer = answerWith("caf\xe9", "Content-Type: text/plain; charset=\"ISO-8859-1\"\r\n");
  CHECK(session.get(server.url()).text() == "caf\xc3\xa9");
  answer = answerWith("caf\xc3\xa9", "Content-Type: text/plain\r\n");
  CHECK(session.get(server.url()).text() == "caf\xc3\xa9");
}

FIBER_TEST("forms and multipart forms are written as browsers write them [CLIENT-15]") {
  TestServer server(always(answerWith("")));
  Session session;

  session.post(server.url(), ClientBody::form({{"a b", "1&2"}, {"c", ""}}));
  session.post(server.url(), ClientBody::multipart({{"text", "plait-form-boundary-0"},
                                                    {"fi\"le", "data", "a\r\n.txt", "text/x"}}));

  CHECK(server.seen.at(0).field("Content-Type") == "application/x-www-form-urlencoded");
  CHECK(server.seen.at(0).body == "a%20b=1%262&c=");
  CHECK(server.seen.at(1).field("Content-Type") ==
        "multipart/form-data; boundary=plait-form-boundary-1");
  CHECK(server.seen.at(1).body ==
        "--plait-form-boundary-1\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n"
        "plait-form-boundary-0\r\n"
        "--plait-form-boundary-1\r\nContent-Disposition: form-data; name=\"fi%22le\"; "
        "filename=\"a%0D%0A.txt\"\r\nContent-Type: text/x\r\n\r\ndata\r\n"
        "--plait-form-boundary-1--\r\n");
}

FIBER_TEST("user and password are those of the request, its URL or the session [CLIENT-16]") {
  TestServer server(always(answerWith("")));
  Session session(
      {.baseUrl = server.url(), .credentials = http::Credentials{"Aladdin", "open sesame"}});

  session.get("/");
  session.get("http://bob:p%40ss@" + server.host() + "/");
  session.get("/", {.credentials = http::Credentials{"ann", ""}});
  session.get("/", {.fields = {{"Authorization", "Bearer x"}}});

  CHECK(server.seen.at(0).field("Authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(server.seen.at(1).field("Authorization") == "Basic Ym9iOnBAc3M=");
  CHECK(server.seen.at(2).field("Authorization") == "Basic YW5uOg==");
  CHECK(server.seen.at(3).field("Authorization") == "Bearer x");
}

FIBER_TEST("what is for the session's server is not told to others [CLIENT-16]") {
  TestServer own(always(answerWith("")));
  TestServer other(always(answerWith("")));
  Session session({.baseUrl = own.url(),
                   .fields = {{"Authorization", "secret"}, {"X-Key", "shared"}},
                   .credentials = http::Credentials{"a", "b"}});

  session.get(other.url());
  session.get(other.url(), {.credentials = http::Credentials{"for", "it"}});

  CHECK_FALSE(other.seen.at(0).fields.has("Authorization"));
  CHECK(other.seen.at(1).field("Authorization") == "Basic Zm9yOml0");
  CHECK(other.seen.at(0).field("X-Key") == "shared");
}

FIBER_TEST("cookies come back with the next request, unless the session keeps none [CLIENT-17]") {
  TestServer server(always(answerWith("", "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n")));
  Session keeping;
  Session forgetful({.keepsCookies = false});

  for (Session* session : {&keeping, &forgetful}) {
    session->get(server.url());
    session->get(server.url());
  }

  CHECK(server.seen.at(1).field("Cookie") == "a=1; b=2");
  CHECK_FALSE(server.seen.at(3).fields.has("Cookie"));
  CHECK(keeping.cookies().cookies().size() == 2);
}

FIBER_TEST("an upgraded connection that nobody took serves no other request [CLIENT-18]") {
  TestServer server(always("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  Session session;

  CHECK(session.get(server.url()).body().empty());

  CHECK(session.statistics().idle == 0);
  CHECK(session.statistics().inUse == 0);
}

FIBER_TEST("after an upgrade the connection is the caller's [CLIENT-18]") {
  RawServer server([](net::SocketStream& stream) {
    readPiece(stream);
    stream.writeAll("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nahead");
    echo(stream);
  });
  Session session;

  ClientResponse response =
      session.get(server.url(), {.fields = {{"Connection", "Upgrade"}, {"Upgrade", "x"}}});
  std::string ahead;
  const std::unique_ptr<net::Stream> stream = response.takeStream(ahead);
  while (ahead.size() < 5) ahead += readPiece(*stream);
  stream->writeAll("ping");

  CHECK(ahead == "ahead");
  CHECK(readCount(*stream, 4) == "ping");
  CHECK(session.statistics().inUse == 0);
  stream->close();
}

}  // namespace
}  // namespace plait::test
