// Lines, delimiters, counts and limits; and that no byte is lost when a call is struck in its wait.

#include "plait/buffered_stream.h"

#include <array>
#include <stdexcept>
#include <vector>

#include "fiber_test.h"
#include "plait/error.h"
#include "plait/memory_stream.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::BufferedStream;
using net::MemoryStream;
using Lines = std::vector<std::string>;

// A peer that writes what it is told, and the stream under test.
struct Wire {
  explicit Wire(std::string_view first = {}, bool andEnd = false) : Wire(net::memoryPair()) {
    peer.writeAll(first);
    if (andEnd) peer.shutdownWrite();
  }
  explicit Wire(std::pair<MemoryStream, MemoryStream> ends)
      : peer(std::move(ends.first)), stream(std::move(ends.second)) {}

  std::string received() {
    std::array<char, 256> bytes{};
    return {bytes.data(), peer.readSome(std::as_writable_bytes(std::span(bytes)))};
  }

  MemoryStream peer;
  BufferedStream stream;
};

Lines allLines(BufferedStream& stream, std::size_t limit = net::kLineMax) {
  Lines lines;
  while (auto line = stream.readLine(limit)) lines.push_back(*line);
  return lines;
}

template <class F>
std::string limitMessage(F&& f) {
  try {
    f();
  } catch (const LimitError& error) {
    return error.what();
  }
  FAIL_CHECK("no LimitError was thrown");
  return {};
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

std::span<std::byte> bytesOf(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

// --- lines ---

FIBER_TEST("readLine takes off \\n and \\r\\n, and nothing else") {
  Wire wire("one\ntwo\r\n\n\r\n a\rb \r\r\nlast", true);

  CHECK(allLines(wire.stream) == Lines{"one", "two", "", "", " a\rb \r", "last"});
  CHECK_FALSE(wire.stream.readLine().has_value());
}

FIBER_TEST("readLine finds an end of line that arrives in pieces") {
  Wire wire;
  auto reader = spawn([&wire] { return allLines(wire.stream); });

  for (const char* piece : {"he", "llo", "\r", "\nwor", "ld\n", "\r\nx\r", "y"}) {
    wire.peer.writeAll(piece);
    settle();
  }
  wire.peer.shutdownWrite();

  CHECK(reader.get() == Lines{"hello", "world", "", "x\ry"});
}

FIBER_TEST("a last line may end in a carriage return that ends nothing") {
  Wire wire("a\r", true);

  CHECK(allLines(wire.stream) == Lines{"a\r"});
}

FIBER_TEST("lines far longer than the buffer come whole") {
  Wire wire;
  const std::string longLine(50'000, 'x');
  auto writer = spawn([&] {
    for (int i = 0; i < 3; ++i) wire.peer.writeAll(longLine + "\n" + "short\r\n");
    wire.peer.shutdownWrite();
  });

  const Lines lines = allLines(wire.stream);

  CHECK(lines == Lines{longLine, "short", longLine, "short", longLine, "short"});
  writer.get();
}

FIBER_TEST("a line of the limit passes, and one byte more does not [IO-7]") {
  Wire wire("12345\n12345\r\n123456\nrest\n");

  CHECK(wire.stream.readLine(5) == "12345");
  CHECK(wire.stream.readLine(5) == "12345");
  const std::string message = limitMessage([&] { wire.stream.readLine(5); });

  CHECK(contains(message, "limit of 5 bytes"));
  CHECK(contains(message, "memory stream"));
  CHECK(contains(message, "skipUntil"));
}

FIBER_TEST("a line over the limit is refused although its end has not come [IO-7]") {
  Wire wire("123456");

  CHECK_THROWS_AS(wire.stream.readLine(5), LimitError);
}

FIBER_TEST("a line of the limit and half its end waits for the other half [IO-7]") {
  Wire wire("12345\r");
  auto reader = spawn([&wire] { return wire.stream.readLine(5); });
  settle();
  CHECK_FALSE(reader.isReady());

  wire.peer.writeAll("\n");

  CHECK(reader.get() == "12345");
}

FIBER_TEST("a last line over the limit is refused [IO-7]") {
  Wire wire("12345\r", true);

  CHECK_THROWS_AS(wire.stream.readLine(5), LimitError);
}

FIBER_TEST("after a LimitError nothing is consumed: a larger limit reads the line [IO-7]") {
  Wire wire("a long line\nnext\n");
  CHECK_THROWS_AS(wire.stream.readLine(3), LimitError);
  CHECK_THROWS_AS(wire.stream.readUntil("\n", 3), LimitError);

  CHECK(wire.stream.readLine() == "a long line");
  CHECK(wire.stream.readLine() == "next");
}

FIBER_TEST("after a LimitError skipUntil passes over the line, however long it is [IO-7]") {
  Wire wire;
  auto writer = spawn([&wire] {
    wire.peer.writeAll(std::string(1'000'000, 'x'));
    wire.peer.writeAll("\nnext\n");
  });
  CHECK_THROWS_AS(wire.stream.readLine(), LimitError);

  CHECK(wire.stream.skipUntil("\n"));

  CHECK(wire.stream.readLine() == "next");
  CHECK(wire.stream.bufferedToRead() == 0);
  writer.get();
}

// --- delimiters ---

FIBER_TEST("readUntil gives what comes before the delimiter, and consumes both") {
  Wire wire("a: 1\r\nb: 2\r\n\r\nbody");

  CHECK(wire.stream.readUntil("\r\n\r\n") == "a: 1\r\nb: 2");
  CHECK(wire.stream.peek() == "body");
}

FIBER_TEST("readUntil finds a delimiter that arrives in pieces") {
  Wire wire;
  auto reader = spawn([&wire] { return wire.stream.readUntil("--end--", 8); });

  for (const char* piece : {"a--e", "-", "--end", "-", "-rest"}) {
    wire.peer.writeAll(piece);
    settle();
  }

  CHECK(reader.get() == "a--e-");
  CHECK(wire.stream.peek() == "rest");
}

FIBER_TEST("readUntil with exactly the limit before the delimiter passes [IO-7]") {
  Wire wire("12345##123456##");

  CHECK(wire.stream.readUntil("##", 5) == "12345");
  const std::string message = limitMessage([&] { wire.stream.readUntil("##", 5); });
  CHECK(contains(message, "limit of 5 bytes"));
}

FIBER_TEST("readUntil refuses as soon as the delimiter would come too late [IO-7]") {
  Wire wire("12345x");
  CHECK_THROWS_AS(wire.stream.readUntil("##", 5), LimitError);

  Wire maybe("12345#");
  auto reader = spawn([&maybe] { return maybe.stream.readUntil("##", 5); });
  settle();
  CHECK_FALSE(reader.isReady());
  maybe.peer.writeAll("#");
  CHECK(reader.get() == "12345");
}

FIBER_TEST("an end in the middle is ConnectionClosed, and the bytes can still be read") {
  Wire wire("half of it", true);

  CHECK_THROWS_AS(wire.stream.readUntil(";"), ConnectionClosed);
  CHECK_THROWS_AS(wire.stream.readExactly(11), ConnectionClosed);
  CHECK(wire.stream.readExactly(10) == "half of it");
  CHECK_FALSE(wire.stream.readUntil(";").has_value());
}

FIBER_TEST("an empty delimiter is refused") {
  Wire wire("x");

  CHECK_THROWS_AS(wire.stream.readUntil(""), std::invalid_argument);
  CHECK_THROWS_AS(wire.stream.skipUntil(""), std::invalid_argument);
}

FIBER_TEST("skipUntil tells whether the delimiter came before the end") {
  Wire wire("junk\r", false);
  auto skipper = spawn([&wire] { return wire.stream.skipUntil("\r\n"); });
  settle();
  wire.peer.writeAll("\nafter");
  wire.peer.shutdownWrite();

  CHECK(skipper.get());
  CHECK(wire.stream.peek() == "after");
  CHECK_FALSE(wire.stream.skipUntil("\r\n"));
  CHECK_FALSE(wire.stream.readLine().has_value());
}

// --- counts ---

FIBER_TEST("readExactly gives so many bytes, of the buffer and of the stream") {
  Wire wire("line\nabc");
  CHECK(wire.stream.readLine() == "line");
  const std::string big(300'000, 'b');
  auto writer = spawn([&] { wire.peer.writeAll(big + "tail"); });

  CHECK(wire.stream.readExactly(2) == "ab");
  const bool isWhole = wire.stream.readExactly(1 + big.size()) == "c" + big;
  CHECK(isWhole);
  CHECK(wire.stream.readExactly(0) == "");
  CHECK(wire.stream.readExactly(4) == "tail");
  writer.get();
}

FIBER_TEST("readExactly of more than the limit is refused before it reads [IO-7]") {
  Wire wire("abc");

  const std::string message = limitMessage([&] { wire.stream.readExactly(11, 10); });

  CHECK(contains(message, "limit of 10"));
  CHECK(wire.stream.readExactly(3, 10) == "abc");
}

FIBER_TEST("peek shows what has arrived and leaves it there") {
  Wire wire("\x16\x03 and more");

  CHECK(wire.stream.peek().substr(0, 1) == "\x16");
  CHECK(wire.stream.peek(4) == "\x16\x03 and more");
  CHECK(wire.stream.bufferedToRead() == 11);
  wire.peer.shutdownWrite();
  CHECK(wire.stream.peek(1000) == "\x16\x03 and more");
  CHECK_THROWS_AS(wire.stream.peek(net::kPeekMax + 1), LimitError);
  CHECK(wire.stream.readExactly(11) == "\x16\x03 and more");
  CHECK(wire.stream.peek() == "");
}

FIBER_TEST("readSome takes from the buffer first [IO-2]") {
  Wire wire("line\nrest");
  CHECK(wire.stream.readLine() == "line");
  std::string some(10'000, '\0');

  CHECK(wire.stream.readSome(bytesOf(some)) == 4);
  CHECK(some.substr(0, 4) == "rest");
  wire.peer.writeAll("directly");
  CHECK(wire.stream.readSome(bytesOf(some)) == 8);
  CHECK(some.substr(0, 8) == "directly");
}

// --- kills, timeouts, two fibers ---

FIBER_TEST("a kill in the middle of a call loses no byte [IO-8]") {
  const std::vector<void (*)(BufferedStream&)> calls = {
      [](BufferedStream& s) { s.readLine(); },
      [](BufferedStream& s) { s.readUntil("##"); },
      [](BufferedStream& s) { s.readExactly(100); },
      [](BufferedStream& s) { s.readExactly(20'000); },
      [](BufferedStream& s) { s.peek(100); },
  };
  for (const auto& call : calls) {
    Wire wire("begun ");
    auto reader = spawn([&] { call(wire.stream); });
    settle();
    wire.peer.writeAll("and ");
    settle();

    reader.kill();
    CHECK(reader.isKilled());
    wire.peer.writeAll("done\n");

    CHECK(wire.stream.readLine() == "begun and done");
  }
}

FIBER_TEST("a line that arrives over many timeouts comes whole [IO-8]") {
  Wire wire;
  auto writer = spawn([&wire] {
    for (int i = 0; i < 200; ++i) {
      wire.peer.writeAll(std::to_string(i) + (i % 10 == 9 ? "\n" : ","));
      yield();
    }
    wire.peer.shutdownWrite();
  });

  Lines lines;
  for (bool atEnd = false; !atEnd;) {
    try {
      auto line = withTimeout(0ns, [&wire] { return wire.stream.readLine(); });
      atEnd = !line;
      if (line) lines.push_back(*line);
    } catch (const TimeoutError&) {
    }
  }

  REQUIRE(lines.size() == 20);
  CHECK(lines[0] == "0,1,2,3,4,5,6,7,8,9");
  CHECK(lines[19] == "190,191,192,193,194,195,196,197,198,199");
  writer.get();
}

FIBER_TEST("a second reader gets ConcurrentUseError also where bytes are buffered [IO-13]") {
  Wire wire("half a line");
  auto first = spawn([&wire] { return wire.stream.readLine(); });
  settle();

  CHECK_THROWS_AS(wire.stream.readLine(), ConcurrentUseError);
  CHECK_THROWS_AS(wire.stream.peek(), ConcurrentUseError);
  CHECK_THROWS_AS(wire.stream.readExactly(1), ConcurrentUseError);
  wire.peer.writeAll("\n");

  CHECK(first.get() == "half a line");
}

FIBER_TEST("close wakes a fiber parked in readLine, and drops what was buffered [IO-15] [IO-17]") {
  Wire wire("half a line");
  auto reader = spawn([&wire] { CHECK_THROWS_AS(wire.stream.readLine(), ConnectionClosed); });
  settle();

  wire.stream.close();

  CHECK(reader.isReady());
  CHECK_THROWS_AS(wire.stream.readLine(), ConnectionClosed);
  CHECK_THROWS_AS(wire.stream.write("x"), ConnectionClosed);
  CHECK_THROWS_AS(wire.stream.flush(), ConnectionClosed);
  reader.get();
}

// --- writing ---

FIBER_TEST("write leaves with flush, in one piece") {
  Wire wire;
  wire.stream.write("one ");
  wire.stream.write("two");
  CHECK(wire.stream.bufferedToWrite() == 7);
  auto reader = spawn([&wire] { return wire.received(); });
  settle();
  CHECK_FALSE(reader.isReady());

  wire.stream.flush();

  CHECK(reader.get() == "one two");
  CHECK(wire.stream.bufferedToWrite() == 0);
}

FIBER_TEST("the write buffer is bounded: what does not fit is sent [IO-6]") {
  auto [peer, mine] = net::memoryPair();
  BufferedStream stream(mine, 10);

  stream.write("12345678");
  CHECK(stream.bufferedToWrite() == 8);
  stream.write("abc");
  CHECK(stream.bufferedToWrite() == 3);
  stream.write("longer than ten bytes");
  CHECK(stream.bufferedToWrite() == 0);
  stream.write("0123456789");
  CHECK(stream.bufferedToWrite() == 10);
  stream.write("");
  stream.shutdownWrite();

  std::string all(100, '\0');
  all.resize(peer.readSome(bytesOf(all)));
  CHECK(all == "12345678abclonger than ten bytes0123456789");
  CHECK(peer.readSome(bytesOf(all)) == 0);
}

FIBER_TEST("writeAll sends what was buffered, and its own bytes behind it") {
  Wire wire;
  wire.stream.write("head ");
  wire.stream.writeAll("body");
  CHECK(wire.received() == "head body");

  wire.stream.write("head ");
  wire.stream.writeAll(std::string(100, 'b'));
  CHECK(wire.received() == "head " + std::string(100, 'b'));
}

FIBER_TEST("a flush killed before it sent anything leaves the bytes in the buffer [IO-10]") {
  Wire wire;
  wire.stream.write("kept");
  auto flusher = spawn([&wire] {
    current().requestKill();
    wire.stream.flush();
  });
  flusher.join();
  CHECK(flusher.isKilled());
  CHECK(wire.stream.bufferedToWrite() == 4);

  wire.stream.flush();

  CHECK(wire.received() == "kept");
}

FIBER_TEST("a writeAll killed while the stream is full takes its own bytes back [IO-10] [IO-14]") {
  auto [peer, mine] = net::memoryPair(4);
  BufferedStream stream(mine);
  mine.writeAll("full");
  stream.write("kept ");
  auto writer = spawn([&stream] { stream.writeAll("dropped"); });
  settle();

  writer.kill();
  std::string bytes(4, '\0');
  peer.readSome(bytesOf(bytes));
  auto flusher = spawn([&stream] { stream.flush(); });
  std::string all;
  while (all.size() < 5) all += std::string(bytes.data(), peer.readSome(bytesOf(bytes)));

  CHECK(all == "kept ");
  flusher.get();
}

FIBER_TEST("several fibers write and flush without mixing their bytes [IO-14]") {
  auto [peer, mine] = net::memoryPair(10);
  BufferedStream stream(mine, 20);
  std::vector<AnyGreenlet> writers;
  for (char c : {'a', 'b', 'c'}) {
    writers.push_back(spawn([&stream, c] {
      for (int i = 0; i < 50; ++i) {
        stream.write(std::string(7, c) + "\n");
        if (i % 3 == 0) stream.flush();
        if (i % 5 == 0) stream.writeAll(std::string(31, c) + "\n");
      }
      stream.flush();
    }));
  }
  auto closer = spawn([&] {
    joinAllOrThrow(writers);
    stream.shutdownWrite();
  });

  BufferedStream reader(peer);
  std::size_t whole = 0;
  for (const std::string& line : allLines(reader)) {
    const bool isWhole =
        (line.size() == 7 || line.size() == 31) && line == std::string(line.size(), line[0]);
    CHECK(isWhole);
    ++whole;
  }

  CHECK(whole == 3 * (50 + 10));
  closer.get();
}

FIBER_TEST("a borrowed stream stays open when the buffer dies; an owned one closes") {
  auto [peer, mine] = net::memoryPair();
  {
    BufferedStream borrowed(mine);
  }
  CHECK(mine.isOpen());
  CHECK(peer.isOpen());

  {
    BufferedStream owning(std::move(mine));
  }
  std::string none(1, '\0');
  CHECK(peer.readSome(bytesOf(none)) == 0);
}

}  // namespace
}  // namespace plait::test
