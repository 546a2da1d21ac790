// The echo server on every core: each thread has a loop and a listener of its own on the same port,
// and the kernel spreads the connections. The threads share nothing.
//
//   threads_echo [ENDPOINT [THREADS]]     default tcp:127.0.0.1:7000, a thread for each core
#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <string>
#include <thread>

#include <plait/plait.h>

using namespace plait;

void echo(net::SocketStream& client) {
  std::array<std::byte, 16384> buffer;
  while (const std::size_t count = client.readSome(buffer)) {
    client.writeAll(net::Bytes(buffer).first(count));
  }
}

void serve(TeamMember& me, const net::Address& address) {
  net::Server server(net::listen(address, {.reusePort = true}), echo, {.stopGrace = 1s});
  server.start();
  if (me.index() > 0) {
    me.stopRequested().wait();
    return server.stop();
  }
  // The first thread hears the signals, for all.
  const SignalHandle onInterrupt = onSignal(SIGINT, [&me] { me.stop(); });
  const SignalHandle onTerminate = onSignal(SIGTERM, [&me] { me.stop(); });
  std::cout << "listening on " << address.toString() << std::endl;
  me.stopRequested().wait();
  server.stop();
}

int main(int argc, char** argv) {
  const std::string endpoint = argc > 1 ? argv[1] : "tcp:127.0.0.1:7000";
  const unsigned threads = argc > 2 ? static_cast<unsigned>(std::stoul(argv[2]))
                                    : std::max(1u, std::thread::hardware_concurrency());
  // Once before there are threads: port 0 means a free one, and it has to be the same for all.
  const net::Address address =
      run([&] { return net::listen(endpoint, {.reusePort = true}).address(); });
  runThreads(threads, [&](TeamMember& me) { serve(me, address); });
}
