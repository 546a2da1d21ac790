// Random conversations over a network that cuts and delays everything.
#include <random>

#include "http_server_support.h"
#include "plait/greenlet.h"

namespace plait::test {
namespace {

using http::BodyWriter;
using http::Request;
using http::Response;

// What was asked, and what has to come back.
struct Exchange {
  std::string request;
  std::string body;
  bool isHead = false;
};

std::string randomText(std::mt19937_64& random) {
  const std::size_t sizes[] = {0, 1, 10, 1'000, 9'000, 40'000};
  std::string text(sizes[random() % std::size(sizes)], '\0');
  for (char& each : text) each = static_cast<char>('a' + random() % 26);
  return text;
}

std::string chunked(const std::string& text, std::mt19937_64& random) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t count = std::min<std::size_t>(1 + random() % 5'000, text.size() - at);
    char size[20];
    std::snprintf(size, sizeof size, random() % 2 == 0 ? "%zx" : "%04zX", count);
    result += std::string(size) + (random() % 4 == 0 ? ";a=\"b\"" : "") + "\r\n" +
              text.substr(at, count) + "\r\n";
    at += count;
  }
  return result + (random() % 2 == 0 ? "0\r\n\r\n" : "0\r\nX: y\r\n\r\n");
}

Exchange randomExchange(std::mt19937_64& random) {
  const std::string head = " HTTP/1.1\r\nHost: a\r\n";
  const std::string text = randomText(random);
  switch (random() % 6) {
    case 0:
      return {"GET /get" + head + "\r\n", "/get"};
    case 1:
      return {"HEAD /get" + head + "\r\n", "", true};
    case 2:
      return {"POST /unread" + head + "Content-Length: " + std::to_string(text.size()) +
                  "\r\n\r\n" + text,
              "/unread"};
    case 3:
      return {"POST /echo" + head + "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
                  text,
              text};
    case 4:
      return {"POST /echo" + head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(text, random),
              text};
    default:
      return {"POST /stream" + head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(text, random),
              text};
  }
}

http::App echoes() {
  http::App app;
  app.route("POST", "/echo", [](Request& request) { return request.body(); });
  app.route("POST", "/stream", [](Request& request, BodyWriter& writer) {
    std::string piece(777, '\0');
    while (const std::size_t count =
               request.readSome(std::as_writable_bytes(std::span(piece.data(), piece.size())))) {
      writer.write(std::string_view(piece).substr(0, count));
      if (count % 2 == 0) writer.flush();
    }
  });
  app.mount("/", [](Request& request) { return std::string(request.path()); });
  return app;
}

void converse(const net::Address& address, std::uint64_t from) {
  std::mt19937_64 random(from);
  std::vector<Exchange> exchanges;
  std::string all;
  for (int i = 0; i < 20; ++i) {
    exchanges.push_back(randomExchange(random));
    all += exchanges.back().request;
  }
  RawClient client(address);
  const auto sender = spawn([&client, &all, from] {
    std::mt19937_64 cuts(from);
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t count = std::min<std::size_t>(1 + cuts() % 6'000, all.size() - at);
      client.send(std::string_view(all).substr(at, count));
      at += count;
      if (cuts() % 3 == 0) sleep(std::chrono::milliseconds(cuts() % 100));
    }
  });
  for (const Exchange& each : exchanges) {
    const Answer answer = client.read(each.isHead);
    CHECK(answer.status == 200);
    CHECK(answer.body == each.body);
  }
  sender.join();
}

FIBER_TEST_SIM(SimOptions::hostile(seed()),
               "whatever the network cuts, each request has its own answer [HTTP-3] [HTTP-12]") {
  const auto server = serve(echoes());

  for (std::uint64_t round = 0; round < 10; ++round) converse(server->address(), seed() + round);
}

FIBER_TEST_SIM(SimOptions::hostile(seed()), "a client that breaks off harms nobody [HTTP-14]") {
  std::mt19937_64 random(seed());
  const auto server = serve(echoes());
  for (int round = 0; round < 40; ++round) {
    const Exchange exchange = randomExchange(random);
    RawClient broken(server->address());
    std::error_code error;
    broken.stream().writeAll(exchange.request.substr(0, random() % exchange.request.size()), error);
    if (random() % 2 == 0) sleep(std::chrono::milliseconds(random() % 50));
    if (random() % 2 == 0) broken.stream().setResetOnClose(true);
  }

  converse(server->address(), seed());
}

}  // namespace
}  // namespace plait::test
