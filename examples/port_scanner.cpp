// A port scanner: tries hundreds of ports at once and says which are open.
//
//   port_scanner HOST [FIRST [LAST]]     default 1 to 1024
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include <plait/plait.h>

using namespace plait;

bool isOpen(const net::Address& address) {
  const auto connects = [&address] {
    std::error_code error;
    net::connect(address, error);
    return !error;
  };
  return withTimeout(2s, connects, /*otherwise*/ false);
}

void scan(const std::string& host, std::uint16_t first, std::uint16_t last) {
  const net::Address target = net::resolve(host, first).front();
  std::vector<std::uint16_t> ports(last - first + 1u);
  std::iota(ports.begin(), ports.end(), first);

  Pool pool(256);
  const std::vector<bool> open =
      pool.map(ports, [&](std::uint16_t port) { return isOpen(target.withPort(port)); });

  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (open[i]) std::cout << target.withPort(ports[i]).toString() << " is open\n";
  }
  std::cout << ports.size() << " ports tried, " << std::ranges::count(open, true) << " open\n";
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: port_scanner HOST [FIRST [LAST]]\n";
    return 2;
  }
  const int first = argc > 2 ? std::stoi(argv[2]) : 1;
  const int last = argc > 3 ? std::stoi(argv[3]) : argc > 2 ? first : 1024;
  if (first < 1 || last < first || last > 65535) {
    std::cerr << "ports are numbers from 1 to 65535, the first before the last\n";
    return 2;
  }
  return run(
      [&] { scan(argv[1], static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)); });
}
