// The TLS server of the benchmarks in plait: PORT CERTIFICATE_FILE KEY_FILE.
#include <array>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "loop_stats.h"
#include "peers/tls_exchange.h"
#include "plait/plait.h"
#include "plait/tls.h"

using namespace plait;

namespace {

bool startsWith(net::Bytes bytes, std::string_view text) {
  const std::string_view received(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return received.starts_with(text.substr(0, 4));
}

void sendBulk(net::Stream& stream) {
  static const std::string bulk(kBulkWriteBytes, 'b');
  stream.writeAll(bulkHead());
  for (std::size_t sent = 0; sent < kBulkBytes; sent += bulk.size()) stream.writeAll(bulk);
}

void takeBulk(net::Stream& stream, std::size_t received) {
  std::array<std::byte, kTlsReadBytes> buffer;
  while (received < kBulkBytes) {
    const std::size_t count = stream.readSome(buffer);
    if (count == 0) return;
    received += count;
  }
  stream.writeAll(kBulkDone);
}

void serve(net::Stream& stream) {
  std::array<std::byte, kTlsReadBytes> buffer;
  while (const std::size_t count = stream.readSome(buffer)) {
    const net::Bytes received = net::Bytes(buffer).first(count);
    if (startsWith(received, kBulkGet)) {
      sendBulk(stream);
    } else if (startsWith(received, kBulkPut)) {
      takeBulk(stream, count);
    } else {
      stream.writeAll(received);
    }
  }
  stream.close();
}

// Without a second thread, which valgrind lets run only when this one does not wait in the ring.
std::string contentOf(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: plait_tls PORT CERTIFICATE_FILE KEY_FILE\n";
    return 2;
  }
  return run([&] {
    const net::TlsIdentity identity{.certificates = contentOf(argv[2]), .key = contentOf(argv[3])};
    const net::TlsContext context(net::TlsServerOptions{.identity = identity});
    net::Server server("tcp:127.0.0.1:" + std::string(argv[1]),
                       [&context](net::SocketStream& socket) {
                         try {
                           net::TlsStream stream(std::move(socket), context);
                           serve(stream);
                         } catch (const Error&) {  // the client's end
                         }
                       });
    server.stopOn({SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
    printLoopStats();
  });
}
