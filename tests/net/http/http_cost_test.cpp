// What a request costs on a connection that stays: counted, so that it shows when it grows.
#include <array>
#include <cstdlib>
#include <new>
#include <string>

#include "fiber_test.h"
#include "plait/detail/sanitizer.h"
#include "plait/http_server.h"
#include "plait/statistics.h"
#include "plait/tcp.h"

namespace {

int allocations = 0;

}  // namespace

#if !defined(PLAIT_TSAN)  // it has its own, and static
void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const room = std::malloc(bytes == 0 ? 1 : bytes)) return room;
  throw std::bad_alloc();
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }
#endif

namespace plait::test {
namespace {

using http::Request;

constexpr int kRequests = 1'000;

void ask(net::SocketStream& client, std::string_view request, std::string_view end) {
  std::array<std::byte, 4'096> room;
  client.writeAll(request);
  const std::size_t count = client.readSome(room);
  const std::string_view answer(reinterpret_cast<const char*>(room.data()), count);
  REQUIRE(answer.ends_with(end));
}

FIBER_TEST_ON("uring", "a request costs a read, a write and no allocation [HTTP-43]") {
  http::App app;
  app.route("GET", "/", [](Request&) { return "hello world"; });
  app.route("GET", "/users/<int:id>",
            [](Request& request) { return request.intParameter("id") == 7 ? "seven" : "another"; });
  http::Server server("tcp:127.0.0.1:0", std::move(app));
  server.start();
  net::SocketStream client = net::connect(server.address());
  const std::string_view fields =
      "Host: localhost\r\nUser-Agent: a client with a name\r\nAccept: */*\r\n\r\n";
  const std::string root = "GET / HTTP/1.1\r\n" + std::string(fields);
  const std::string user = "GET /users/7?a=b HTTP/1.1\r\n" + std::string(fields);
  const auto askBoth = [&client, &root, &user] {
    ask(client, root, "\r\n\r\nhello world");
    ask(client, user, "\r\n\r\nseven");
  };
  for (int i = 0; i < 10; ++i) askBoth();
  const int allocationsBefore = allocations;
  const std::uint64_t submittedBefore = loopStatistics().submitted;

  for (int i = 0; i < kRequests / 2; ++i) askBoth();

  // The Date's line is made anew once a second.
  CHECK(allocations - allocationsBefore <= 20);
  // The client's read and write count, too.
  const std::uint64_t submitted = loopStatistics().submitted - submittedBefore;
  MESSAGE("operations for ", kRequests, " requests: ", submitted,
          ", allocations: ", allocations - allocationsBefore);
  CHECK(submitted <= 4 * kRequests + 20);
}

}  // namespace
}  // namespace plait::test
