// Pipes of streams: whole, half-closed, broken and killed.

#include "plait/copy.h"

#include <sys/socket.h>

#include <array>
#include <string>

#include "fiber_test.h"
#include "plait/error.h"
#include "plait/memory_stream.h"
#include "plait/tcp.h"

namespace plait::test {
namespace {

using net::MemoryStream;

std::string readAll(net::Stream& stream) {
  std::string all;
  std::string piece(10'000, '\0');
  const auto into = std::as_writable_bytes(std::span(piece.data(), piece.size()));
  while (const std::size_t count = stream.readSome(into)) all.append(piece, 0, count);
  return all;
}

// client <-> [front | back] <-> server, with a proxy between front and back.
struct Proxy {
  Proxy() : Proxy(net::memoryPair(), net::memoryPair()) {}
  Proxy(std::pair<MemoryStream, MemoryStream> left, std::pair<MemoryStream, MemoryStream> right)
      : client(std::move(left.first)),
        front(std::move(left.second)),
        back(std::move(right.first)),
        server(std::move(right.second)) {}
  MemoryStream client, front, back, server;
};

FIBER_TEST("copy moves everything, counts it, and passes the end on [IO-3]") {
  Proxy proxy;
  const std::string sent(1'000'000, 'x');
  auto writer = spawn([&] {
    proxy.client.writeAll(sent);
    proxy.client.shutdownWrite();
  });
  auto copier = spawn([&] { return net::copy(proxy.front, proxy.back); });

  const bool isWhole = readAll(proxy.server) == sent;

  CHECK(isWhole);
  CHECK(copier.get() == sent.size());
  writer.get();
}

FIBER_TEST("copy leaves the other direction open [IO-3]") {
  Proxy proxy;
  proxy.client.shutdownWrite();
  CHECK(net::copy(proxy.front, proxy.back) == 0);
  CHECK(readAll(proxy.server) == "");

  proxy.server.writeAll("back");
  proxy.back.writeAll("");  // refused once shut down, but for nothing
  proxy.server.shutdownWrite();

  CHECK(net::copy(proxy.back, proxy.front) == 4);
  CHECK(readAll(proxy.client) == "back");
}

FIBER_TEST("copy does not read faster than the other side takes [IO-6]") {
  Proxy proxy;
  const std::string sent(1'000'000, 'x');
  auto writer = spawn([&] {
    proxy.client.writeAll(sent);
    proxy.client.shutdownWrite();
  });
  auto copier = spawn([&] { return net::copy(proxy.front, proxy.back); });
  settle();
  CHECK_FALSE(writer.isReady());

  const bool isWhole = readAll(proxy.server) == sent;

  CHECK(isWhole);
  copier.get();
  writer.get();
}

FIBER_TEST("an error of copy says between which streams [IO-25]") {
  Proxy proxy;
  proxy.client.writeAll("to nobody");
  proxy.server.close();

  std::string message;
  try {
    net::copy(proxy.front, proxy.back);
  } catch (const ConnectionClosed& error) {
    message = error.what();
  }

  CHECK(message.find("copying from memory stream to memory stream") != std::string::npos);
}

FIBER_TEST("copy ends well when the other side has gone after the last byte [IO-3]") {
  Proxy proxy;
  proxy.client.shutdownWrite();
  proxy.server.close();
  proxy.back.close();

  CHECK(net::copy(proxy.front, proxy.back) == 0);
}

FIBER_TEST("a killed copy leaves both streams open, and what it had not read in place [IO-8]") {
  Proxy proxy;
  auto copier = spawn([&] { return net::copy(proxy.front, proxy.back); });
  settle();
  copier.kill();

  proxy.client.writeAll("later");
  proxy.client.shutdownWrite();

  CHECK(net::copy(proxy.front, proxy.back) == 5);
  CHECK(readAll(proxy.server) == "later");
}

FIBER_TEST("copyBoth carries both directions until both have ended [IO-3]") {
  Proxy proxy;
  auto copier = spawn([&] { net::copyBoth(proxy.front, proxy.back); });
  auto server = spawn([&] {
    const std::string question = readAll(proxy.server);
    proxy.server.writeAll("answer to " + question);
    proxy.server.shutdownWrite();
  });

  proxy.client.writeAll("question");
  proxy.client.shutdownWrite();

  CHECK(readAll(proxy.client) == "answer to question");
  copier.get();
  server.get();
}

FIBER_TEST("an error in one direction ends the other, and copyBoth throws it [IO-25]") {
  Proxy proxy;
  auto copier = spawn([&] { net::copyBoth(proxy.front, proxy.back); });
  settle();

  proxy.server.close();
  proxy.client.writeAll("to nobody");

  CHECK_THROWS_AS(copier.get(), ConnectionClosed);
}

FIBER_TEST_ON("uring",
              "copyBoth throws one error when both directions fail at once [IO-25] [LOOP-10]") {
  auto [client, front] = net::socketPair();
  auto [back, server] = net::socketPair();
  const std::string big(8 << 20, 'x');
  const auto fill = [&big](net::Stream& stream) { CHECK_THROWS_AS(stream.writeAll(big), IoError); };
  const std::array<AnyGreenlet, 3> fibers{
      spawn([&] { CHECK_THROWS_AS(net::copyBoth(front, back), ConnectionClosed); }),
      spawn([&] { fill(client); }), spawn([&] { fill(server); })};
  settle();

  // Each direction is parked in its write, and both are told of the end in one turn.
  ::shutdown(client.descriptor(), SHUT_RDWR);
  ::shutdown(server.descriptor(), SHUT_RDWR);

  for (const AnyGreenlet& fiber : fibers) fiber.join();
}

FIBER_TEST("a killed copyBoth has ended both directions when it leaves [KILL-4]") {
  Proxy proxy;
  auto copier = spawn([&] { net::copyBoth(proxy.front, proxy.back); });
  settle();

  copier.kill();

  CHECK(copier.isKilled());
  proxy.client.writeAll("x");
  std::array<std::byte, 1> one{};
  CHECK(proxy.front.readSome(one) == 1);
}

}  // namespace
}  // namespace plait::test
