// The stream contract over everything in net/ that is a stream.

#include "stream_contract.h"

#include "plait/buffered_stream.h"
#include "plait/memory_stream.h"
#include "plait/tcp.h"

namespace plait::test {
namespace {

StreamPair memoryStreams() { return streamPair(net::memoryPair()); }

StreamPair tinyMemoryStreams() { return streamPair(net::memoryPair(1'000)); }

StreamPair bufferedStreams() {
  auto [a, b] = net::memoryPair();
  return {std::make_unique<net::BufferedStream>(std::move(a)),
          std::make_unique<net::BufferedStream>(std::move(b))};
}

StreamPair pairedSockets() { return streamPair(net::socketPair()); }

StreamPair connectedSockets(const char* endpoint) {
  net::Listener listener = net::listen(endpoint);
  auto client = spawn([&listener] { return net::connect(listener.address()); });
  net::SocketStream server = listener.accept();
  return streamPair(std::pair(std::move(client).get(), std::move(server)));
}

StreamPair tcpStreams() { return connectedSockets("tcp:127.0.0.1:0"); }

StreamPair unixStreams() { return connectedSockets("unix:@plait-stream-contract"); }

void resetSocket(StreamPair& pair) {
  auto& socket = static_cast<net::SocketStream&>(*pair.a);
  socket.setResetOnClose(true);
  socket.close();
}

const StreamMaker kMemory({"memory on uring", "uring", memoryStreams});
const StreamMaker kMemorySim({"memory on sim", "sim", memoryStreams});
const StreamMaker kTiny({"memory of 1000 bytes on sim", "sim", tinyMemoryStreams});
const StreamMaker kBuffered({"buffered memory on sim", "sim", bufferedStreams});
const StreamMaker kPair({"socketPair on uring", "uring", pairedSockets});
const StreamMaker kPairSim({"socketPair on sim", "sim", pairedSockets});
const StreamMaker kTcp({"tcp on uring", "uring", tcpStreams, resetSocket});
const StreamMaker kTcpSim({"tcp on sim", "sim", tcpStreams, resetSocket});
const StreamMaker kTcpHostile({.name = "tcp on a hostile sim",
                               .kernel = "sim",
                               .make = tcpStreams,
                               .reset = resetSocket,
                               .sim = SimOptions::hostile(seed())});
const StreamMaker kUnix({"unix on uring", "uring", unixStreams});
const StreamMaker kUnixSim({"unix on sim", "sim", unixStreams});

}  // namespace
}  // namespace plait::test
