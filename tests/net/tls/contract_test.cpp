// The stream contract over TLS: unchanged, the cases are those of all streams.

#include "stream_contract.h"
#include "tls_support.h"

namespace plait::test {
namespace {

// Who destroys an end without close() sends no close_notify; the contract wants an end there.
net::TlsOptions tolerant(net::TlsOptions options = net::TlsOptions()) {
  options.allowTruncation = true;
  return options;
}

template <class S>
StreamPair tlsStreams(std::pair<S, S> below) {
  static const net::TlsContext client(clientOptions());
  static const net::TlsContext server = [] {
    net::TlsServerOptions options = serverOptions();
    // A ticket that the client has not read when it is destroyed makes the kernel reset the
    // connection.
    options.tickets = 0;
    return net::TlsContext(options);
  }();
  auto a = std::make_unique<net::TlsStream>(std::move(below.first), client, tolerant(localhost()));
  auto b = std::make_unique<net::TlsStream>(std::move(below.second), server, tolerant());
  auto other = spawn([&b] { b->handshake(); });
  a->handshake();
  other.get();
  return {std::move(a), std::move(b)};
}

std::pair<net::SocketStream, net::SocketStream> tcpPair() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto client = spawn([&listener] { return net::connect(listener.address()); });
  net::SocketStream server = listener.accept();
  return {std::move(client).get(), std::move(server)};
}

void resetBelow(StreamPair& pair) {
  auto& tls = static_cast<net::TlsStream&>(*pair.a);
  auto& socket = static_cast<net::SocketStream&>(tls.below());
  socket.setResetOnClose(true);
  socket.close();
  tls.close();
}

StreamPair overMemory() { return tlsStreams(net::memoryPair()); }
StreamPair overSockets() { return tlsStreams(net::socketPair()); }
StreamPair overTcp() { return tlsStreams(tcpPair()); }

const StreamMaker kMemory({"tls over memory on uring", "uring", overMemory});
const StreamMaker kMemorySim({"tls over memory on sim", "sim", overMemory});
const StreamMaker kPair({"tls over socketPair on uring", "uring", overSockets});
const StreamMaker kTcp({"tls over tcp on uring", "uring", overTcp, resetBelow});
const StreamMaker kTcpSim({"tls over tcp on sim", "sim", overTcp, resetBelow});
const StreamMaker kTcpHostile({.name = "tls over tcp on a hostile sim",
                               .kernel = "sim",
                               .make = overTcp,
                               .reset = resetBelow,
                               .sim = SimOptions::hostile(seed())});

}  // namespace
}  // namespace plait::test
