// A UDP echo server that takes and sends datagrams in batches: two calls to the kernel for up
// to 32.
//
//   udp_echo [PORT]     default 7000, on 127.0.0.1
#include <array>
#include <csignal>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <plait/plait.h>

using namespace plait;

constexpr std::size_t kBatch = 32;
constexpr std::size_t kDatagramMax = 65'536;

void echo(net::UdpSocket& socket) {
  std::vector<std::array<std::byte, kDatagramMax>> space(kBatch);
  std::array<net::Datagram, kBatch> batch;
  for (;;) {
    for (std::size_t i = 0; i < kBatch; ++i) batch[i].data = space[i];
    const auto received = std::span(batch).first(socket.receiveMany(batch));
    for (net::Datagram& datagram : received) datagram.data = datagram.data.first(datagram.bytes);
    socket.sendMany(received);
  }
}

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::stoi(argv[1]) : 7000;
  return run([port] {
    net::UdpSocket socket(net::Address::loopback(static_cast<std::uint16_t>(port)));
    Event stop;
    const SignalHandle onInterrupt = onSignal(SIGINT, [&stop] { stop.set(); });
    const SignalHandle onTerminate = onSignal(SIGTERM, [&stop] { stop.set(); });

    std::cout << "listening on " << socket.localAddress().toString() << std::endl;
    race([&] { echo(socket); }, [&] { stop.wait(); });
  });
}
