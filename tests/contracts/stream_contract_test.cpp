// The stream contract over all that has the shape of a stream without another library's help.

#include "stream_contract.h"

#include "plait/buffered_stream.h"
#include "plait/memory_stream.h"

namespace plait::test {
namespace {

StreamPair memoryStreams() { return streamPair(net::memoryPair()); }

StreamPair tinyMemoryStreams() { return streamPair(net::memoryPair(100)); }

StreamPair bufferedStreams() {
  auto [a, b] = net::memoryPair();
  return {std::make_unique<net::BufferedStream>(std::move(a)),
          std::make_unique<net::BufferedStream>(std::move(b))};
}

const StreamMaker kMemory({"memory on uring", "uring", memoryStreams});
const StreamMaker kMemorySim({"memory on sim", "sim", memoryStreams});
const StreamMaker kTiny({"memory of 100 bytes on sim", "sim", tinyMemoryStreams});
const StreamMaker kBuffered({"buffered memory on sim", "sim", bufferedStreams});

}  // namespace
}  // namespace plait::test
