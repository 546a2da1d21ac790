// An echo server: sends back whatever a client sends.
//
//   echo [ENDPOINT]     default tcp:127.0.0.1:7000; with PLAIT_STATS=1 the loop's counts come last
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include <plait/plait.h>

using namespace plait;

void echo(net::SocketStream& client) {
  std::array<std::byte, 16384> buffer;
  while (const std::size_t count = client.readSome(buffer)) {
    client.writeAll(net::Bytes(buffer).first(count));
  }
}

void printStatistics() {
  const LoopStatistics loop = loopStatistics();
  std::cerr << "{\"turns\": " << loop.turns << ", \"enters\": " << loop.enters
            << ", \"sqes\": " << loop.submitted << ", \"cqes\": " << loop.completed
            << ", \"switches\": " << loop.switches << "}" << std::endl;
}

int main(int argc, char** argv) {
  return run([&] {
    net::Server server(argc > 1 ? argv[1] : "tcp:127.0.0.1:7000", echo, {.stopGrace = 1s});
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
    if (std::getenv("PLAIT_STATS")) printStatistics();
  });
}
