// Kills and timeouts in the middle of reads and writes: what they lose, and what they leave.

#include <array>
#include <vector>

#include "plait/error.h"
#include "plait/group.h"
#include "plait/timeout.h"
#include "stream_contract.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Stream;

STREAM_CASE("a killed reader leaves the stream usable by the next reader [IO-8] [KILL-3]") {
  auto reader = spawn([&pair] { return readOnce(*pair.b); });
  settle();
  reader.kill();
  CHECK(reader.isKilled());

  pair.a->writeAll("for the next");

  CHECK(readExactly(*pair.b, 12) == "for the next");
}

STREAM_CASE("a reader killed in the turn in which bytes arrive loses none [IO-8] [KILL-15]") {
  // How many turns lie between the bytes and the kill, and which comes first.
  for (int distance = 0; distance <= 6; ++distance) {
    for (const bool killFirst : {false, true}) {
      CAPTURE(distance);
      CAPTURE(killFirst);
      std::string received;
      auto reader = spawn([&pair, &received] {
        for (;;) received += readOnce(*pair.b, 3);
      });
      settle();

      if (killFirst) reader.requestKill();
      pair.a->writeAll("0123456789");
      for (int turn = 0; turn < distance; ++turn) yield();
      reader.requestKill();
      reader.join();
      received += readExactly(*pair.b, 10 - received.size());

      CHECK(received == "0123456789");
    }
  }
}

STREAM_CASE("a reader that times out loses no byte [IO-8]") {
  for (const Duration wait : {0ns, 1ns, 1000ns}) {
    CHECK_THROWS_AS(withTimeout(wait, [&] { return readOnce(*pair.b); }), TimeoutError);
  }

  auto writer = spawn([&pair] { pair.a->writeAll("0123456789"); });
  std::string received;
  while (received.size() < 10) {
    received += withTimeout(0ns, [&] { return readOnce(*pair.b, 3); }, std::string());
  }

  CHECK(received == "0123456789");
  writer.get();
}

STREAM_CASE("a kill that waits strikes before the read takes anything [KILL-12]") {
  pair.a->writeAll("still there");
  auto reader = spawn([&pair] {
    current().requestKill();
    return readOnce(*pair.b);
  });

  reader.join();

  CHECK(reader.isKilled());
  CHECK(readExactly(*pair.b, 11) == "still there");
}

STREAM_CASE("a kill that waits strikes before the write sends anything [IO-10] [KILL-12]") {
  auto writer = spawn([&pair] {
    current().requestKill();
    pair.a->writeAll("never");
  });
  writer.join();
  CHECK(writer.isKilled());

  pair.a->writeAll("still whole");

  CHECK(readExactly(*pair.b, 11) == "still whole");
}

STREAM_CASE("a writer killed in the middle breaks the stream, and the next is told why [IO-10]") {
  const std::string sent = pattern(kBigBytes);
  auto writer = spawn([&] { pair.a->writeAll(sent); });
  settle();
  writer.kill();
  REQUIRE(writer.isKilled());

  const std::string message = messageOf<IoError>([&] { pair.a->writeAll("more"); });
  std::error_code error;
  pair.a->writeAll("more", error);
  pair.b->writeAll("the other direction");

  CHECK(message.find("interrupted after") != std::string::npos);
  CHECK(error);
  CHECK(readExactly(*pair.a, 19) == "the other direction");
  pair.a->close();
  const std::string received = readAll(*pair.b);
  const bool isPrefix = received == sent.substr(0, received.size());
  CHECK(isPrefix);
  CHECK(message.find(std::to_string(received.size())) != std::string::npos);
}

STREAM_CASE("a writer killed while it waits for its turn has sent nothing [IO-14] [IO-10]") {
  const std::string sent = pattern(kBigBytes);
  auto first = spawn([&] { pair.a->writeAll(sent); });
  auto killed = spawn([&] { pair.a->writeAll("never"); });
  auto last = spawn([&] { pair.a->writeAll("the end"); });
  settle();

  killed.kill();
  const bool isWhole = readExactly(*pair.b, sent.size()) == sent;

  CHECK(isWhole);
  CHECK(readExactly(*pair.b, 7) == "the end");
  first.get();
  last.get();
}

STREAM_CASE("a writer that is handed its turn and killed at once passes the turn on [IO-14]") {
  for (int distance = 0; distance <= 4; ++distance) {
    CAPTURE(distance);
    auto first = spawn([&] { pair.a->writeAll(std::string(kBigBytes / 4, '1')); });
    auto second = spawn([&] { pair.a->writeAll("2"); });
    auto third = spawn([&] { pair.a->writeAll("3"); });
    settle();

    auto reader = spawn([&pair] { return readExactly(*pair.b, kBigBytes / 4); });
    first.join();
    for (int turn = 0; turn < distance; ++turn) yield();
    second.kill();
    third.get();
    reader.join();
    const bool secondWasSent = second.isSuccessful();

    CHECK(readExactly(*pair.b, secondWasSent ? 2 : 1) == (secondWasSent ? "23" : "3"));
  }
}

STREAM_CASE("a timeout counts the whole write, not each piece of it [IO-9]") {
  if (kind.kernel != "sim") return;  // it takes the virtual clock
  TaskGroup readers;
  readers.spawn([&pair] {
    for (;;) {
      sleep(10ms);
      readOnce(*pair.b);
    }
  });

  const TimePoint start = now();
  const std::string sent = pattern(kBigBytes);
  CHECK_THROWS_AS(withTimeout(100ms, [&] { pair.a->writeAll(sent); }), TimeoutError);

  CHECK(now() - start >= 100ms);
  CHECK(now() - start <= 110ms);
  CHECK_THROWS_AS(pair.a->writeAll("more"), IoError);
  readers.requestKill();
  readers.join();
}

STREAM_CASE("kills pass through the overloads with an error code too [KILL-8]") {
  auto reader = spawn([&pair] {
    std::error_code error;
    std::array<std::byte, 8> bytes{};
    pair.b->readSome(bytes, error);
    FAIL_CHECK("the read has returned: ", error.message());
  });
  auto writer = spawn([&pair] {
    std::error_code error;
    pair.b->writeAll(pattern(kBigBytes), error);
    FAIL_CHECK("the write has returned: ", error.message());
  });
  settle();

  reader.kill();
  writer.kill();

  CHECK(reader.isKilled());
  CHECK(writer.isKilled());
}

}  // namespace
}  // namespace plait::test
