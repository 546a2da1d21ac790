// Files sent to streams.

#include <unistd.h>

#include <functional>
#include <memory>

#include "net_support.h"
#include "os_support.h"
#include "plait/error.h"
#include "plait/file.h"
#include "plait/greenlet.h"
#include "plait/memory_stream.h"
#include "plait/pipe.h"
#include "plait/tcp.h"

namespace plait::test {
namespace {

using os::File;

constexpr std::size_t kBigBytes = 64 << 20;

// Without a period, so that what is lost, doubled or moved shows.
std::string noise(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint64_t state = 1;
  for (char& each : text) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    each = static_cast<char>(state >> 56);
  }
  return text;
}

struct Ends {
  std::unique_ptr<net::Stream> writer;
  std::unique_ptr<net::Stream> reader;
};

template <class S>
Ends ends(std::pair<S, S> pair) {
  return {std::make_unique<S>(std::move(pair.first)), std::make_unique<S>(std::move(pair.second))};
}

Ends tcpEnds() {
  net::Listener listener = net::listen("tcp:127.0.0.1:0");
  auto client = spawn([&listener] { return net::connect(listener.address()); });
  net::SocketStream server = listener.accept();
  return ends(std::pair(std::move(client).get(), std::move(server)));
}

Ends pipeEnds() {
  auto [in, out] = os::pipe();
  return ends(std::pair(std::move(out), std::move(in)));
}

// Every kind of target; `isDirect`: sendFile writes by its descriptor.
struct Target {
  const char* name;
  bool isDirect;
  std::function<Ends()> make;
};

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"tcp", true, tcpEnds},
      {"socketPair", true, [] { return ends(net::socketPair()); }},
      {"pipe", true, pipeEnds},
      {"memory", false, [] { return ends(net::memoryPair()); }}};
  return all;
}

struct Source {
  Folder folder;
  std::string content;
  File file;
  explicit Source(std::size_t bytes) : content(noise(bytes)) {
    fill(folder / "file", content);
    file = File::open(folder / "file");
  }
};

}  // namespace

FIBER_TEST_EACH("a part of a file arrives whole at every kind of stream [OS-34]") {
  Source source(3'000'000);
  for (const Target& target : targets()) {
    CAPTURE(target.name);
    Ends pair = target.make();
    auto sender = spawn([&] {
      const std::uint64_t sent = os::sendFile(source.file, 1'001, 2'500'000, *pair.writer);
      pair.writer->close();
      return sent;
    });

    const bool isWhole = readToEnd(*pair.reader) == source.content.substr(1'001, 2'500'000);

    CHECK(isWhole);
    CHECK(sender.get() == 2'500'000);
    CHECK(source.file.position() == 0);
  }
}

FIBER_TEST("64 MiB arrive whole through a socket [OS-34]") {
  Source source(kBigBytes);
  Ends pair = tcpEnds();
  auto sender =
      spawn([&] { return os::sendFile(source.file, 0, source.content.size(), *pair.writer); });

  const std::string received = readCount(*pair.reader, kBigBytes);

  const bool isWhole = received == source.content;
  CHECK(isWhole);
  CHECK(sender.get() == kBigBytes);
}

FIBER_TEST_WITH(onKernel("sim", SimOptions::hostile(seed())),
                "a file arrives whole through short reads and sends [OS-34]") {
  Source source(300'000);
  Ends pair = tcpEnds();
  auto sender =
      spawn([&] { return os::sendFile(source.file, 0, source.content.size(), *pair.writer); });

  const bool isWhole = readCount(*pair.reader, source.content.size()) == source.content;

  CHECK(isWhole);
  CHECK(sender.get() == source.content.size());
}

FIBER_TEST_EACH("a file that ends before is sent to its end, and the stream stays whole [OS-34]") {
  Source source(100'000);
  for (const Target& target : targets()) {
    CAPTURE(target.name);
    Ends pair = target.make();
    auto reader = spawn([&pair] { return readToEnd(*pair.reader); });

    CHECK(os::sendFile(source.file, 60'000, ~std::uint64_t{0}, *pair.writer) == 40'000);
    CHECK(os::sendFile(source.file, 200'000, 5, *pair.writer) == 0);
    CHECK(os::sendFile(source.file, 0, 0, *pair.writer) == 0);
    pair.writer->writeAll("and more");
    pair.writer->close();

    const bool isWhole = reader.get() == source.content.substr(60'000) + "and more";
    CHECK(isWhole);
  }
}

FIBER_TEST_EACH("a file keeps its place among the other writers of a socket or pipe [OS-35]") {
  Source source(4'000'000);
  for (const Target& target : targets()) {
    if (!target.isDirect) continue;
    CAPTURE(target.name);
    Ends pair = target.make();
    const std::string before(1'000'000, '<');
    const std::string after(1'000'000, '>');
    const std::vector<AnyGreenlet> writers{
        spawn([&] { pair.writer->writeAll(before); }),
        spawn([&] { os::sendFile(source.file, 0, source.content.size(), *pair.writer); }),
        spawn([&] { pair.writer->writeAll(after); })};

    const std::string expected = before + source.content + after;
    const bool isWhole = readCount(*pair.reader, expected.size()) == expected;

    CHECK(isWhole);
    joinAllOrThrow(writers);
  }
}

// Whenever the kill strikes: what the peer gets is what the stream says that it has sent.
FIBER_TEST_EACH("a kill leaves a prefix sent, of as many bytes as the stream says [OS-36]") {
  Source source(32'000'000);
  for (const Target& target : targets()) {
    if (!target.isDirect) continue;
    for (std::size_t readFirst = 0; readFirst <= 8'000'000; readFirst += 1'000'000) {
      CAPTURE(std::string(target.name));
      CAPTURE(readFirst);
      const int before = openDescriptors();
      Ends pair = target.make();
      auto sender =
          spawn([&] { os::sendFile(source.file, 0, source.content.size(), *pair.writer); });
      std::string received = readCount(*pair.reader, readFirst);
      for (std::size_t turn = 0; turn < readFirst / 1'000'000; ++turn) yield();

      sender.kill();

      CHECK(sender.isKilled());
      const std::string description = pair.writer->describe();
      std::error_code error;
      pair.writer->writeAll("more", error);
      pair.writer->close();
      received += readToEnd(*pair.reader);
      if (error) {
        const bool isPrefix = received == source.content.substr(0, received.size());
        CHECK(isPrefix);
        CHECK(contains(description, "after " + std::to_string(received.size()) + " of"));
      } else {
        CHECK(received == "more");  // it had not begun
      }
      CHECK((error || readFirst == 0));
      pair.reader->close();
      if (kernels().front() == "uring") CHECK(openDescriptors() == before);
    }
  }
}

FIBER_TEST_EACH("who is killed as it waits for its turn to send a file has sent nothing [OS-36]") {
  Source source(1'000'000);
  Ends pair = tcpEnds();
  const std::string first(16 << 20, '<');
  auto writer = spawn([&] { pair.writer->writeAll(first); });
  auto sender = spawn([&] { os::sendFile(source.file, 0, 1'000'000, *pair.writer); });
  settle();

  sender.kill();
  pair.writer->describe();

  const bool isWhole = readCount(*pair.reader, first.size()) == first;
  CHECK(isWhole);
  writer.get();
  pair.writer->writeAll("next");
  CHECK(readCount(*pair.reader, 4) == "next");
}

FIBER_TEST_EACH("closing the stream ends who sends a file to it [OS-36]") {
  Source source(32'000'000);
  for (const Target& target : targets()) {
    CAPTURE(target.name);
    Ends pair = target.make();
    auto sender = spawn([&] {
      CHECK_THROWS_AS(os::sendFile(source.file, 0, source.content.size(), *pair.writer),
                      ConnectionClosed);
    });
    settle();

    pair.writer->close();

    CHECK(sender.join(Duration::zero()));
    CHECK_THROWS_AS(os::sendFile(source.file, 0, 1, *pair.writer), ConnectionClosed);
  }
}

FIBER_TEST_EACH("a peer that has gone is ConnectionClosed, with both names [OS-36]") {
  Source source(32'000'000);
  for (const Target& target : targets()) {
    CAPTURE(target.name);
    Ends pair = target.make();
    auto sender = spawn([&] {
      return thrownBy<ConnectionClosed>(
          [&] { os::sendFile(source.file, 0, source.content.size(), *pair.writer); });
    });
    settle();

    pair.reader->close();

    const auto error = sender.get();
    REQUIRE(error);
    if (target.isDirect) CHECK(contains(error->what(), source.folder / "file"));
  }
}

FIBER_TEST_EACH("a file closed in the middle ends its sending [OS-36]") {
  Source source(32'000'000);
  Ends pair = tcpEnds();
  auto sender = spawn([&] {
    const auto error = thrownBy<IoError>(
        [&] { os::sendFile(source.file, 0, source.content.size(), *pair.writer); });
    CHECK(error->code().value() == EBADF);
  });
  settle();

  auto closer = spawn([&] { source.file.close(); });
  auto reader = spawn([&] { return readToEnd(*pair.reader).size(); });
  sender.get();
  closer.get();
  pair.writer->close();

  CHECK(reader.get() < source.content.size());
  CHECK_THROWS_AS(os::sendFile(source.file, 0, 1, *pair.writer), IoError);
}

FIBER_TEST("a file is sent also when no descriptor is left for a pipe [OS-34]") {
  Source source(3'000'000);
  Ends pair = tcpEnds();
  const DescriptorLimit limit(0);
  auto sender = spawn([&] { os::sendFile(source.file, 0, source.content.size(), *pair.writer); });

  const bool isWhole = readCount(*pair.reader, source.content.size()) == source.content;

  CHECK(isWhole);
  sender.get();
}

}  // namespace plait::test
