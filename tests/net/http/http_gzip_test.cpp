// Compressed answers, for whom, of what.
#include <zlib.h>

#include "gzip.h"
#include "http_server_support.h"

namespace plait::test {
namespace {

using http::Request;
using http::Response;

std::string inflated(const std::string& text) {
  z_stream stream{};
  REQUIRE(::inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string result(10 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int code = ::inflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  ::inflateEnd(&stream);
  return code == Z_STREAM_END ? result : "not gzip's";
}

TEST_CASE("a client takes gzip if it says so with a quality above none [HTTP-31]") {
  const auto accepts = [](const char* value) {
    return http::detail::acceptsGzip(http::Fields{{"Accept-Encoding", value}});
  };

  CHECK(accepts("gzip"));
  CHECK(accepts("br, GZip;q=0.5"));
  CHECK(accepts("*"));
  CHECK(accepts("deflate;q=1, x-gzip"));
  CHECK_FALSE(accepts(""));
  CHECK_FALSE(accepts("br"));
  CHECK_FALSE(accepts("gzip;q=0"));
  CHECK_FALSE(accepts("gzip; q=0.000"));
  CHECK_FALSE(accepts("gzip;q=0, *"));
  CHECK_FALSE(accepts("*;q=0"));
  CHECK_FALSE(accepts("xgzip"));
  CHECK_FALSE(http::detail::acceptsGzip({}));
}

FIBER_TEST("texts over a kilobyte are compressed for who takes it [HTTP-31]") {
  const std::string text(200'000, 'a');
  const auto server = serveAll([&text](Request& request) {
    if (request.path() == "/little") return Response::text("little");
    if (request.path() == "/picture") return Response(200, text, "image/png");
    return Response::text(request.path() == "/2000" ? text.substr(0, 2'000) : text)
        .with("ETag", "\"x\"");
  });
  RawClient client(server->address());

  for (const char* const target : {"/2000", "/all"}) {
    const Answer answer = client.get(target, "Accept-Encoding: gzip\r\n");
    CHECK(answer.fields.get("Content-Encoding") == "gzip");
    CHECK(answer.fields.get("Vary") == "Accept-Encoding");
    CHECK(answer.fields.get("ETag") == "W/\"x\"");
    CHECK(answer.body.size() < 1'000);
    CHECK(inflated(answer.body) ==
          text.substr(0, std::string_view(target) == "/2000" ? 2'000 : 200'000));
  }
  const Answer plain = client.get("/all");
  CHECK(plain.body == text);
  CHECK(plain.fields.get("Vary") == "Accept-Encoding");
  CHECK(plain.fields.get("ETag") == "\"x\"");
  CHECK_FALSE(client.get("/little", "Accept-Encoding: gzip\r\n").fields.has("Content-Encoding"));
  CHECK_FALSE(client.get("/picture", "Accept-Encoding: gzip\r\n").fields.has("Content-Encoding"));
}

FIBER_TEST("a stream is compressed, too, and what is flushed can be read [HTTP-31]") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + "\n";
  const auto server = serveAll([&text](Request&) {
    return Response::stream(
        [&text](http::BodyWriter& writer) {
          for (std::size_t at = 0; at < text.size(); at += 7'000) {
            writer.write(std::string_view(text).substr(at, 7'000));
            writer.flush();
          }
        },
        "text/plain");
  });
  RawClient client(server->address());

  const Answer answer = client.get("/", "Accept-Encoding: gzip\r\n");

  CHECK(answer.fields.get("Content-Encoding") == "gzip");
  CHECK(inflated(answer.body) == text);
  CHECK(client.get("/").body == text);
}

}  // namespace
}  // namespace plait::test
