// Ends that are not polite: closed by another fiber, by the peer, reset, used after.

#include <signal.h>

#include <array>
#include <optional>
#include <vector>

#include "plait/error.h"
#include "plait/event.h"
#include "plait/greenlet.h"
#include "plait/statistics.h"
#include "stream_contract.h"

namespace plait::test {
namespace {

using net::Stream;

// The calls of a closed stream, by name.
const std::vector<std::pair<std::string, void (*)(Stream&)>> kCalls = {
    {"readSome", [](Stream& stream) { readOnce(stream); }},
    {"readSome of nothing", [](Stream& stream) { stream.readSome(net::MutableBytes()); }},
    {"writeAll", [](Stream& stream) { stream.writeAll("x"); }},
    {"writeAll of nothing", [](Stream& stream) { stream.writeAll(""); }},
    {"shutdownWrite", [](Stream& stream) { stream.shutdownWrite(); }},
};

STREAM_CASE("close by another fiber wakes the parked reader with ConnectionClosed [IO-15]") {
  bool hasLeft = false;
  auto reader = spawn([&] {
    const std::string message = messageOf<ConnectionClosed>([&] { readOnce(*pair.a); });
    CHECK(message.find("closed") != std::string::npos);
    hasLeft = true;
  });
  settle();

  pair.a->close();

  CHECK(hasLeft);
  CHECK_FALSE(pair.a->isOpen());
  reader.get();
}

STREAM_CASE("close wakes the parked writer and all behind it, and waits for them [IO-15]") {
  int left = 0;
  const auto write = [&pair, &left] {
    CHECK_THROWS_AS(pair.a->writeAll(pattern(kBigBytes)), ConnectionClosed);
    ++left;
  };
  const std::vector<AnyGreenlet> writers{spawn(write), spawn(write), spawn(write)};
  settle();

  pair.a->close();

  CHECK(left == 3);
  joinAllOrThrow(writers);
}

// A call gives way at its beginning once the fiber has had its share of calls.
STREAM_CASE("close waits for who gives way at the beginning of a call [IO-15] [LOOP-3]") {
  Event set;
  set.set();
  for (const bool reads : {true, false}) {
    for (int calls = 100; calls < 140; ++calls) {
      StreamPair mine = kind.make();
      StreamPair later = kind.make();  // for a user who comes later
      later.b.reset();
      bool isInside = false;
      auto user = spawn([&] {
        for (int i = 0; i < calls; ++i) set.wait();
        isInside = true;
        try {
          if (reads) readOnce(*mine.a);
          if (!reads) mine.a->writeAll("x");
        } catch (const Error&) {
        }
        isInside = false;
      });
      auto closer = spawn([&] {
        mine.a->close();
        CHECK_FALSE(isInside);
        mine.a = std::move(later.a);
      });
      joinAll(std::vector<AnyGreenlet>{closer, user});
      mine.a->close();
    }
  }
}

STREAM_CASE("a stream may be destroyed as soon as close has returned [IO-15] [IO-19]") {
  const auto read = [stream = pair.a.get()] { CHECK_THROWS_AS(readOnce(*stream), IoError); };
  const auto write = [stream = pair.a.get()] {
    CHECK_THROWS_AS(stream->writeAll(pattern(kBigBytes)), IoError);
  };
  const std::vector<AnyGreenlet> users{spawn(read), spawn(write), spawn(write)};
  settle();

  pair.a->close();
  pair.a.reset();

  joinAllOrThrow(users);
}

STREAM_CASE("close completes although its caller is killed meanwhile [IO-15]") {
  auto reader = spawn([&] { CHECK_THROWS_AS(readOnce(*pair.a), ConnectionClosed); });
  settle();

  bool hasClosed = false;
  auto closer = spawn([&] {
    pair.a->close();
    hasClosed = true;
  });
  yield();
  closer.kill();

  CHECK(hasClosed);
  CHECK_FALSE(pair.a->isOpen());
  CHECK(reader.join(Duration::zero()));
  CHECK(readOnce(*pair.b) == "");
}

STREAM_CASE("every call on a closed stream throws ConnectionClosed [IO-17]") {
  pair.a->close();

  CHECK_FALSE(pair.a->isOpen());
  for (const auto& [name, call] : kCalls) {
    CAPTURE(name);
    CHECK_THROWS_AS(call(*pair.a), ConnectionClosed);
  }
  std::error_code error;
  std::array<std::byte, 1> one{};
  CHECK(pair.a->readSome(one, error) == 0);
  CHECK(error);
  pair.a->writeAll("x", error);
  CHECK(error);
}

STREAM_CASE("closing again is no error, also at the same time [IO-15]") {
  auto reader = spawn([&] { CHECK_THROWS_AS(readOnce(*pair.a), ConnectionClosed); });
  settle();

  auto other = spawn([&] { pair.a->close(); });
  pair.a->close();
  pair.a->close();

  other.get();
  reader.get();
  CHECK_FALSE(pair.a->isOpen());
}

STREAM_CASE("the peer of a closed stream gets what was sent before, then the end [IO-16]") {
  pair.a->writeAll("the last words");
  pair.a->close();

  CHECK(readAll(*pair.b) == "the last words");
  CHECK(readOnce(*pair.b) == "");
}

STREAM_CASE("the peer's parked reader sees the end when the stream is closed [IO-16]") {
  auto reader = spawn([&pair] { return readOnce(*pair.b); });
  settle();

  pair.a->close();

  CHECK(reader.get() == "");
}

STREAM_CASE("destroying a stream closes it and does not park [IO-19]") {
  pair.a->writeAll("the last words");
  const std::uint64_t switches = loopStatistics().switches;
  pair.a.reset();
  CHECK(loopStatistics().switches == switches);

  CHECK(readAll(*pair.b) == "the last words");
}

STREAM_CASE("writing to a closed peer throws ConnectionClosed and raises no SIGPIPE [SIGNAL-4]") {
  static volatile sig_atomic_t pipes = 0;
  pipes = 0;
  struct Counting {
    Counting() {
      struct sigaction count{};
      count.sa_handler = [](int) { pipes = pipes + 1; };
      ::sigaction(SIGPIPE, &count, &before);
    }
    ~Counting() { ::sigaction(SIGPIPE, &before, nullptr); }
    struct sigaction before{};
  };
  std::optional<Counting> counting;
  if (!kind.raisesPipeSignal) counting.emplace();
  pair.b->close();

  // The first bytes may still find their way to a peer that says only then that it has gone.
  const std::string sent = pattern(1'000);
  const auto writeUntilRefused = [&] {
    for (int i = 0; i < 100'000; ++i) pair.a->writeAll(sent);
  };

  CHECK_THROWS_AS(writeUntilRefused(), ConnectionClosed);
  CHECK(pipes == 0);
}

STREAM_CASE("a writer parked when the peer closes gets ConnectionClosed [IO-16]") {
  auto writer =
      spawn([&] { CHECK_THROWS_AS(pair.a->writeAll(pattern(kBigBytes)), ConnectionClosed); });
  settle();

  pair.b->close();

  writer.get();
}

STREAM_CASE("a read after the peer has reset the connection throws ConnectionClosed [IO-25]") {
  if (!kind.reset) return;
  auto reader = spawn([&] { CHECK_THROWS_AS(readOnce(*pair.b), ConnectionClosed); });
  settle();

  kind.reset(pair);

  reader.get();
}

STREAM_CASE("the overloads with an error code tell by the code, and clear it on success [IO-25]") {
  std::error_code error = std::make_error_code(std::errc::io_error);
  pair.a->writeAll("abc", error);
  CHECK_FALSE(error);
  std::array<std::byte, 8> bytes{};
  error = std::make_error_code(std::errc::io_error);
  const std::size_t count = pair.b->readSome(bytes, error);
  CHECK(count >= 1);
  CHECK(count <= 3);
  CHECK_FALSE(error);

  pair.b->close();

  for (int i = 0; i < 100'000 && !error; ++i) pair.a->writeAll(pattern(1'000), error);
  CHECK(error);
}

}  // namespace
}  // namespace plait::test
