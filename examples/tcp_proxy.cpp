// A TCP proxy: passes each connection on to another server, both ways, half-closes included.
//
//   tcp_proxy LISTEN TARGET     for example: tcp_proxy tcp:127.0.0.1:7001 tcp:example.org:80
#include <csignal>
#include <iostream>
#include <string>

#include <plait/plait.h>

using namespace plait;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tcp_proxy LISTEN TARGET\n";
    return 2;
  }
  return run([listen = argv[1], target = std::string(argv[2])] {
    const auto pass = [&target](net::SocketStream& client) {
      net::SocketStream server = withTimeout(10s, [&] { return net::connect(target); });
      net::copyBoth(client, server);
    };

    net::Server proxy(listen, pass, {.stopGrace = 1s});
    proxy.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << proxy.address().toString() << std::endl;
    proxy.serve();
  });
}
