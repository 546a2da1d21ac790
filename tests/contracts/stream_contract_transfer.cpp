// Bytes, ends and turns: what a stream does while nobody disturbs it.

#include <array>
#include <set>

#include "plait/error.h"
#include "plait/event.h"
#include "stream_contract.h"

namespace plait::test {
namespace {

using net::Stream;

STREAM_CASE("bytes arrive whole and in order [IO-4]") {
  const std::string sent = pattern(100'000);

  auto received = spawn([&pair, size = sent.size()] { return readExactly(*pair.b, size); });
  std::size_t piece = 1;
  for (std::size_t at = 0; at < sent.size(); at += piece, piece = piece * 3 % 7919) {
    pair.a->writeAll(std::string_view(sent).substr(at, piece));
  }

  CHECK(received.get() == sent);
}

STREAM_CASE("a read gives what is there and does not wait for more [IO-2]") {
  if (kind.isHostile()) return;
  pair.a->writeAll("abc");
  CHECK(readOnce(*pair.b, 100) == "abc");

  pair.a->writeAll("defg");
  CHECK(readOnce(*pair.b, 2) == "de");
  CHECK(readOnce(*pair.b, 100) == "fg");
}

STREAM_CASE("both ends read and write at the same time [IO-13]") {
  const std::string forth = pattern(kBigBytes / 4, 1);
  const std::string back = pattern(kBigBytes / 4, 2);

  auto writeForth = spawn([&] { pair.a->writeAll(forth); });
  auto writeBack = spawn([&] { pair.b->writeAll(back); });
  auto readForth = spawn([&] { return readExactly(*pair.b, forth.size()); });
  const std::string gotBack = readExactly(*pair.a, back.size());

  const bool backIsWhole = gotBack == back;
  const bool forthIsWhole = readForth.get() == forth;
  CHECK(backIsWhole);
  CHECK(forthIsWhole);
  writeForth.get();
  writeBack.get();
}

STREAM_CASE("a parked reader lets the other fibers run [IO-1]") {
  auto reader = spawn([&pair] { return readExactly(*pair.b, 7); });
  settle();
  CHECK_FALSE(reader.isReady());

  pair.a->writeAll("at last");

  CHECK(reader.get() == "at last");
}

STREAM_CASE("the end of the stream is 0, and stays 0 [IO-2]") {
  pair.a->writeAll("the last words");
  pair.a->shutdownWrite();

  CHECK(readAll(*pair.b) == "the last words");
  CHECK(readOnce(*pair.b) == "");
  CHECK(readOnce(*pair.b) == "");
}

STREAM_CASE("a parked reader is woken by the end of the stream [IO-2] [IO-3]") {
  auto reader = spawn([&pair] { return readOnce(*pair.b); });
  settle();

  pair.a->shutdownWrite();

  CHECK(reader.get() == "");
}

STREAM_CASE("after shutdownWrite the answer still comes [IO-2] [IO-3]") {
  pair.a->writeAll("question");
  pair.a->shutdownWrite();

  CHECK(readAll(*pair.b) == "question");
  pair.b->writeAll("answer");
  pair.b->shutdownWrite();

  CHECK(readAll(*pair.a) == "answer");
}

STREAM_CASE("a write after shutdownWrite is refused with ConnectionClosed [IO-3]") {
  pair.a->shutdownWrite();

  CHECK_THROWS_AS(pair.a->writeAll("too late"), ConnectionClosed);
  CHECK(readOnce(*pair.b) == "");
}

STREAM_CASE("an empty write sends nothing and an empty read takes nothing [IO-4]") {
  pair.a->writeAll("");
  std::array<std::byte, 1> none{};

  CHECK(pair.b->readSome(net::MutableBytes(none).first(0)) == 0);
  pair.a->writeAll("x");
  CHECK(pair.b->readSome(net::MutableBytes(none).first(0)) == 0);
  CHECK(readOnce(*pair.b) == "x");
}

STREAM_CASE("a big write arrives whole at a reader that takes little pieces [IO-4]") {
  const std::string sent = pattern(kBigBytes / 2);

  auto writer = spawn([&] {
    pair.a->writeAll(sent);
    pair.a->shutdownWrite();
  });
  const std::string received = readAll(*pair.b, 7'001);

  const bool isWhole = received == sent;
  CHECK(received.size() == sent.size());
  CHECK(isWhole);
  writer.get();
}

STREAM_CASE("a writer parks while the peer does not read and goes on when it does [IO-6]") {
  const std::string sent = pattern(kBigBytes);

  auto writer = spawn([&] { pair.a->writeAll(sent); });
  settle();
  CHECK_FALSE(writer.isReady());
  const bool isWhole = readExactly(*pair.b, sent.size()) == sent;

  CHECK(isWhole);
  writer.get();
}

STREAM_CASE("a buffer may be overwritten when the write has returned [IO-5]") {
  std::string buffer = "first";
  pair.a->writeAll(buffer);
  buffer = "other";
  pair.a->writeAll(buffer);
  buffer = "noise";

  CHECK(readExactly(*pair.b, 10) == "firstother");
}

STREAM_CASE("the writes of several fibers arrive one after the other, each whole [IO-14]") {
  constexpr std::size_t kWriters = 4;
  constexpr std::size_t kPieceBytes = 1 << 20;

  std::vector<AnyGreenlet> writers;
  for (std::size_t i = 0; i < kWriters; ++i) {
    writers.push_back(spawn(
        [&pair, i] { pair.a->writeAll(std::string(kPieceBytes, static_cast<char>('a' + i))); }));
  }
  std::multiset<char> seen;
  bool areWhole = true;
  for (std::size_t i = 0; i < kWriters; ++i) {
    const std::string piece = readExactly(*pair.b, kPieceBytes);
    REQUIRE(piece.size() == kPieceBytes);
    areWhole = areWhole && piece == std::string(kPieceBytes, piece[0]);
    seen.insert(piece[0]);
  }

  CHECK(areWhole);
  CHECK(seen == std::multiset<char>{'a', 'b', 'c', 'd'});
  joinAllOrThrow(writers);
}

STREAM_CASE("a write that finds room does not overtake one that waits for it [IO-14]") {
  const std::string sent = pattern(kBigBytes);
  auto early = spawn([&] { pair.a->writeAll(sent); });
  settle();
  Event roomWasMade;
  auto reader = spawn([&] {
    roomWasMade.wait();
    return readAll(*pair.b);
  });

  // The early writer has not run again when the late one comes.
  std::string received = readOnce(*pair.b);
  roomWasMade.set();
  pair.a->writeAll("late");
  pair.a->shutdownWrite();

  received += reader.get();
  const bool isInOrder = received == sent + "late";
  CHECK(isInOrder);
  early.get();
}

STREAM_CASE("a writer that gives way as it asks for its turn is not forgotten [IO-14] [LOOP-3]") {
  constexpr int kMoreThanAnyBudget = 200;
  for (int calls = 0; calls < kMoreThanAnyBudget; ++calls) {
    auto first = spawn([&pair] { pair.a->writeAll("1"); });
    auto second = spawn([&pair, calls] {
      // The first write is over by then, but its fiber has not run yet. These calls never park, so
      // that in one of the rounds it is the write that has to give way.
      yield();
      for (int i = 0; i < calls; ++i) pair.a->writeAll("");
      pair.a->writeAll("2");
    });

    first.get();
    second.get();

    REQUIRE(readExactly(*pair.b, 2).size() == 2);
  }
}

STREAM_CASE("a second reader gets ConcurrentUseError and the first is not disturbed [IO-13]") {
  auto first = spawn([&pair] { return readExactly(*pair.b, 13); });
  settle();

  CHECK_THROWS_AS(readOnce(*pair.b), ConcurrentUseError);
  std::error_code error;
  std::array<std::byte, 1> one{};
  CHECK(pair.b->readSome(one, error) == 0);
  CHECK(error);
  pair.a->writeAll("for the first");

  CHECK(first.get() == "for the first");
}

STREAM_CASE("a fiber that always finds bytes lets the others run [LOOP-3]") {
  constexpr std::size_t kBytes = 20'000;
  auto writer = spawn([&pair] { pair.a->writeAll(pattern(kBytes)); });
  yield();

  bool otherRan = false;
  auto other = spawn([&otherRan] { otherRan = true; });
  std::size_t readBefore = 0;
  for (std::size_t i = 0; i < kBytes; ++i) {
    REQUIRE(readOnce(*pair.b, 1).size() == 1);
    if (!otherRan) ++readBefore;
  }

  CHECK(readBefore < kBytes / 2);
  other.get();
  writer.get();
}

STREAM_CASE("describe tells the stream, and that it is closed [IO-25]") {
  CHECK_FALSE(pair.a->describe().empty());
  CHECK(pair.a->describe().find("closed") == std::string::npos);

  pair.a->close();

  CHECK(pair.a->describe().find("closed") != std::string::npos);
}

}  // namespace
}  // namespace plait::test
