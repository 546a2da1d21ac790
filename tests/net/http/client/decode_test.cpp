// Bodies in gzip and deflate.

#include <zlib.h>

#include "client_support.h"
#include "content_decoder.h"

namespace plait::test {
namespace {

constexpr int kGzip = MAX_WBITS + 16;
constexpr int kZlib = MAX_WBITS;
constexpr int kRaw = -MAX_WBITS;

std::string compress(const std::string& text, int window) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<unsigned>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string encoded(const std::string& body, const std::string& coding) {
  return answerWith(body, "Content-Encoding: " + coding + "\r\n");
}

std::string someText() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 10'007) + " ";
  return text;
}

// In pieces of `in` and `out` bytes.
std::string decode(const std::string& coding, const std::string& text, std::size_t in,
                   std::size_t out) {
  const auto decoder = http::detail::ContentDecoder::make(coding);
  std::string result;
  std::string buffer(out, '\0');
  const auto room = std::as_writable_bytes(std::span(buffer.data(), buffer.size()));
  for (std::size_t at = 0; at < text.size(); at += in) {
    net::Bytes piece = net::asBytes(std::string_view(text).substr(at, in));
    while (const std::size_t count = decoder->decode(piece, room)) result.append(buffer, 0, count);
    CHECK(piece.empty());
  }
  decoder->end();
  return result;
}

FIBER_TEST("gzip and deflate are undone, the latter as zlib or raw [CLIENT-34]") {
  const std::string text = someText();
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;

  answer = encoded(compress(text, kGzip), "gzip");
  ClientResponse response = session.get(server.url());
  CHECK((response.body() == text));
  CHECK(*response.length() < text.size());
  CHECK(response.isDone());
  for (const int window : {kZlib, kRaw}) {
    answer = encoded(compress(text, window), "Deflate");
    CHECK((session.get(server.url()).body() == text));
  }
  answer = encoded("", "gzip");
  CHECK(session.get(server.url()).body().empty());

  CHECK(server.connections() == 1);
}

TEST_CASE("a coding is undone in pieces of any size [CLIENT-34]") {
  const std::string text = someText().substr(0, 3000);

  for (const std::size_t in : {1, 2, 3, 100, 100'000}) {
    for (const std::size_t out : {1, 7, 100'000}) {
      CHECK((decode("gzip", compress(text, kGzip), in, out) == text));
      CHECK((decode("deflate", compress(text, kZlib), in, out) == text));
      CHECK((decode("deflate", compress(text, kRaw), in, out) == text));
      CHECK((decode("x-gzip", compress("a", kGzip) + compress("b", kGzip), in, out) == "ab"));
    }
  }
  CHECK(http::detail::ContentDecoder::make("br") == nullptr);
  CHECK(http::detail::ContentDecoder::make("gzip, gzip") == nullptr);
}

FIBER_TEST("who wants the body as it comes gets it, and other codings stay [CLIENT-34]") {
  const std::string packed = compress("text", kGzip);
  std::string answer = encoded(packed, "gzip");
  TestServer server([&answer](const Seen&) { return answer; });
  Session session({.decompress = false});

  CHECK((session.get(server.url()).body() == packed));
  CHECK(session.get(server.url(), {.decompress = true}).body() == "text");
  CHECK_FALSE(server.seen.at(0).fields.has("Accept-Encoding"));
  answer = encoded("as it is", "br");
  CHECK(session.get(server.url(), {.decompress = true}).body() == "as it is");
}

FIBER_TEST("a body that grows too much when decoded is stopped at the limit [CLIENT-35]") {
  const std::string bomb = compress(std::string(50 << 20, '\0'), kGzip);
  CHECK(bomb.size() < 100'000);
  TestServer server(always(encoded(bomb, "gzip")));
  Session session({.limits = {.body = 1 << 20}});

  CHECK_THROWS_AS(session.get(server.url()).body(), LimitError);
  auto [near, far] = net::memoryPair(1 << 20);
  CHECK_THROWS_AS(session.get(server.url()).copyTo(near, 1000), LimitError);

  CHECK(readPiece(far).size() == 1000);
  CHECK(session.statistics().inUse == 0);
  CHECK(session.statistics().idle == 0);
}

FIBER_TEST("what cannot be decoded is an error, wherever it breaks [CLIENT-35]") {
  const std::string good = compress("some text", kGzip);
  std::string answer;
  TestServer server([&answer](const Seen&) { return answer; });
  Session session;
  const auto whyNot = [&](const std::string& body, const char* coding) {
    answer = encoded(body, coding);
    const auto error = thrownBy<http::HttpError>([&] { session.get(server.url()).body(); });
    CHECK(error->status() == 502);
    return std::string(error ? error->what() : "");
  };

  CHECK(contains(whyNot("no gzip at all", "gzip"), "cannot be decoded"));
  CHECK(contains(whyNot(good + "tail", "gzip"), "cannot be decoded"));
  CHECK(contains(whyNot(compress("x", kZlib) + "tail", "deflate"), "behind its end"));
  for (std::size_t i = 1; i < good.size(); ++i) {
    CHECK(contains(whyNot(good.substr(0, i), "gzip"), "ends in the middle"));
  }
  CHECK(session.statistics().inUse == 0);
}

}  // namespace
}  // namespace plait::test
