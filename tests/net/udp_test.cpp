// Datagrams, one at a time and in batches, over udp and unix sockets.

#include "plait/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "net_support.h"
#include "plait/error.h"
#include "plait/timeout.h"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using net::Address;
using net::asBytes;
using net::Datagram;
using net::DatagramSocket;
using net::Received;

Address anyPort() { return Address::loopback(0); }

struct Letter {
  std::string text;
  Received received;
};

Letter receiveFrom(DatagramSocket& socket, std::size_t room = 2048) {
  std::string text(room, '\0');
  const Received received =
      socket.receive(std::as_writable_bytes(std::span(text.data(), text.size())));
  text.resize(received.bytes);
  return {text, received};
}

// Room for a batch, and what came into it.
class Mailbox final {
 public:
  explicit Mailbox(std::size_t places) : buffers_(places), batch_(places) {
    for (std::size_t i = 0; i < places; ++i) batch_[i].data = buffers_[i];
  }
  std::span<Datagram> batch() { return batch_; }
  std::string text(std::size_t i) const {
    return {reinterpret_cast<const char*>(buffers_[i].data()), batch_[i].bytes};
  }

 private:
  std::vector<std::array<std::byte, 64>> buffers_;
  std::vector<Datagram> batch_;
};

std::vector<std::string> numbered(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back("datagram " + std::to_string(i));
  return texts;
}

std::vector<Datagram> batchOf(std::vector<std::string>& texts, const Address& to) {
  std::vector<Datagram> batch;
  for (std::string& text : texts) {
    batch.push_back(
        {.data = std::as_writable_bytes(std::span(text.data(), text.size())), .address = to});
  }
  return batch;
}

FIBER_TEST_EACH("a datagram comes whole, with its sender's address") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());

  one.sendTo(asBytes("first"), other.localAddress());
  one.sendTo(asBytes("second"), other.localAddress());
  const Letter first = receiveFrom(other);
  const Letter second = receiveFrom(other);

  CHECK(first.text == "first");
  CHECK(first.received.from == one.localAddress());
  CHECK(!first.received.truncated);
  CHECK(second.text == "second");
}

FIBER_TEST_EACH("an empty datagram is a datagram, not an end") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());

  one.sendTo(asBytes(""), other.localAddress());
  const Letter letter = receiveFrom(other);

  CHECK(letter.text.empty());
  CHECK(letter.received.from == one.localAddress());
}

FIBER_TEST_EACH("a datagram that is longer than the buffer is told to be cut short") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  one.sendTo(asBytes("0123456789"), other.localAddress());
  one.sendTo(asBytes("next"), other.localAddress());

  const Letter cut = receiveFrom(other, 4);

  CHECK(cut.text == "0123");
  CHECK(cut.received.truncated);
  CHECK(receiveFrom(other).text == "next");
}

FIBER_TEST_EACH("a connected socket sends without an address and hears its peer only") {
  DatagramSocket one(anyPort());
  DatagramSocket peer(anyPort());
  DatagramSocket stranger(anyPort());
  one.connect(peer.localAddress());

  stranger.sendTo(asBytes("not for you"), one.localAddress());
  one.send(asBytes("hello"));
  const Letter letter = receiveFrom(peer);
  peer.sendTo(asBytes("welcome"), letter.received.from);

  CHECK(letter.text == "hello");
  CHECK(receiveFrom(one).text == "welcome");
}

FIBER_TEST("a port where nobody listens shows as a refusal at a later call [IO-25]") {
  DatagramSocket one(anyPort());
  Address nobody;
  {
    const DatagramSocket closed(anyPort());
    nobody = closed.localAddress();
  }
  one.connect(nobody);
  one.send(asBytes("anybody?"));

  const auto error = thrownBy<IoError>([&one] { receiveFrom(one); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::connection_refused);
  CHECK(contains(error->what(), "receiving on"));
}

FIBER_TEST_EACH("a datagram that is too long is refused, and the socket goes on [IO-25]") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  const std::string huge(70'000, 'x');

  const auto error = thrownBy<IoError>([&] { one.sendTo(asBytes(huge), other.localAddress()); });
  one.sendTo(asBytes("short"), other.localAddress());

  REQUIRE(error);
  CHECK(error->code() == std::errc::message_size);
  CHECK(receiveFrom(other).text == "short");
}

FIBER_TEST_EACH("an error of a datagram socket calls it udp [IO-25]") {
  DatagramSocket one(anyPort());
  const std::string huge(70'000, 'x');

  const auto error = thrownBy<IoError>([&] { one.sendTo(asBytes(huge), one.localAddress()); });

  REQUIRE(error);
  CHECK(one.describe() == "udp " + one.localAddress().toString());
  CHECK(contains(error->what(), "sending on udp "));
}

FIBER_TEST_EACH("a batch takes all that has arrived, up to its size") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  for (const std::string& text : numbered(10)) one.sendTo(asBytes(text), other.localAddress());
  Mailbox small(4);
  Mailbox large(20);

  const std::size_t first = other.receiveMany(small.batch());
  const std::size_t rest = other.receiveMany(large.batch());

  REQUIRE(first == 4);
  REQUIRE(rest == 6);
  for (std::size_t i = 0; i < first; ++i) CHECK(small.text(i) == numbered(10)[i]);
  for (std::size_t i = 0; i < rest; ++i) {
    CHECK(large.text(i) == numbered(10)[first + i]);
    CHECK(large.batch()[i].address == one.localAddress());
    CHECK(!large.batch()[i].truncated);
  }
}

FIBER_TEST_EACH("a batch never takes more than kBatchMax, and nothing when it is empty") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  auto texts = numbered(net::kBatchMax + 5);
  auto letters = batchOf(texts, other.localAddress());
  one.sendMany(letters);
  Mailbox huge(net::kBatchMax * 2);

  CHECK(other.receiveMany({}) == 0);
  CHECK(other.receiveMany(huge.batch()) == net::kBatchMax);
  CHECK(other.receiveMany(huge.batch()) == 5);
}

FIBER_TEST_EACH("a batch tells of each datagram whether it was cut short") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  for (const std::size_t bytes : {10, 100, 20}) {
    one.sendTo(asBytes(std::string(bytes, 'x')), other.localAddress());
  }
  Mailbox mail(3);  // of 64 bytes each

  REQUIRE(other.receiveMany(mail.batch()) == 3);

  CHECK(!mail.batch()[0].truncated);
  CHECK(mail.batch()[1].truncated);
  CHECK(mail.batch()[1].bytes == 64);
  CHECK(!mail.batch()[2].truncated);
}

FIBER_TEST_EACH("a batch of any length is sent, in order") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  auto texts = numbered(net::kBatchMax * 2 + 7);
  auto letters = batchOf(texts, other.localAddress());

  one.sendMany(letters);

  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(letters[i].bytes == texts[i].size());
    CHECK(receiveFrom(other).text == texts[i]);
  }
}

FIBER_TEST_EACH("a batch that fails in its middle tells which datagrams were sent [IO-25]") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  auto texts = numbered(5);
  texts[2].assign(70'000, 'x');
  auto letters = batchOf(texts, other.localAddress());
  for (Datagram& each : letters) each.bytes = 99;  // as a batch that was received before

  CHECK_THROWS_AS(one.sendMany(letters), IoError);

  CHECK(letters[0].bytes == texts[0].size());
  CHECK(letters[1].bytes == texts[1].size());
  CHECK(letters[2].bytes == 0);
  CHECK(letters[3].bytes == 0);
  CHECK(receiveFrom(other).text == texts[0]);
  CHECK(receiveFrom(other).text == texts[1]);
}

FIBER_TEST_EACH("a killed receiver loses no datagram, wherever the kill falls [IO-8]") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  for (int distance = 0; distance <= 6; ++distance) {
    CAPTURE(distance);
    std::vector<std::string> received;
    auto receiver = spawn([&] {
      for (;;) received.push_back(receiveFrom(other).text);
    });
    settle();

    one.sendTo(asBytes("one of two"), other.localAddress());
    one.sendTo(asBytes("two of two"), other.localAddress());
    for (int turn = 0; turn < distance; ++turn) yield();
    receiver.kill();
    while (received.size() < 2) {
      received.push_back(withTimeout(10s, [&other] { return receiveFrom(other).text; }));
    }

    CHECK(received == std::vector<std::string>{"one of two", "two of two"});
  }
}

FIBER_TEST_EACH("a killed receiver of batches loses no datagram [IO-8]") {
  DatagramSocket one(anyPort());
  DatagramSocket other(anyPort());
  for (int distance = 0; distance <= 6; ++distance) {
    CAPTURE(distance);
    std::size_t received = 0;
    auto receiver = spawn([&] {
      Mailbox mail(8);
      for (;;) received += other.receiveMany(mail.batch());
    });
    settle();
    auto texts = numbered(20);
    auto letters = batchOf(texts, other.localAddress());

    one.sendMany(letters);
    for (int turn = 0; turn < distance; ++turn) yield();
    receiver.kill();
    Mailbox mail(8);
    while (received < 20) {
      received += withTimeout(10s, [&] { return other.receiveMany(mail.batch()); });
    }

    CHECK(received == 20);
  }
}

FIBER_TEST_EACH("close() wakes who is parked in receive [IO-15]") {
  DatagramSocket socket(anyPort());
  auto receiver = spawn([&socket] { receiveFrom(socket); });
  settle();

  socket.close();

  CHECK(receiver.isReady());
  CHECK_THROWS_AS(receiver.get(), ConnectionClosed);
}

FIBER_TEST_EACH("a closed datagram socket refuses every call [IO-17]") {
  DatagramSocket socket(anyPort());
  const Address address = socket.localAddress();
  socket.close();
  Mailbox mail(2);

  for (DatagramSocket* each : {&socket}) {
    CHECK(!each->isOpen());
    CHECK_THROWS_AS(receiveFrom(*each), ConnectionClosed);
    CHECK_THROWS_AS(each->sendTo(asBytes("x"), address), ConnectionClosed);
    CHECK_THROWS_AS(each->receiveMany(mail.batch()), ConnectionClosed);
    CHECK_THROWS_AS(each->sendMany(mail.batch()), ConnectionClosed);
    CHECK_THROWS_AS(each->setOption(SOL_SOCKET, SO_BROADCAST, 1), ConnectionClosed);
    CHECK_THROWS_AS(each->connect(address), IoError);
    CHECK_THROWS_AS(each->localAddress(), IoError);
  }
}

FIBER_TEST_EACH("a port in use is refused [IO-25]") {
  DatagramSocket first(anyPort());

  const auto error = thrownBy<IoError>([&first] { DatagramSocket(first.localAddress()); });

  REQUIRE(error);
  CHECK(error->code() == std::errc::address_in_use);
  CHECK(contains(error->what(), "binding a datagram socket to " + first.localAddress().toString()));
}

FIBER_TEST_EACH("unix datagram sockets have names and keep datagrams whole") {
  DatagramSocket one(Address::unixSocket("@plait-one-" + std::to_string(::getpid())));
  DatagramSocket other(Address::unixSocket("@plait-other-" + std::to_string(::getpid())));

  one.sendTo(asBytes("a letter"), other.localAddress());
  const Letter letter = receiveFrom(other);

  CHECK(letter.text == "a letter");
  CHECK(letter.received.from == one.localAddress());
}

// Not on sim, whose sockets are full by bytes, not by datagrams.
FIBER_TEST_ON("uring", "a sender to a full unix socket parks until there is room [IO-6]") {
  DatagramSocket one(Address::unixSocket("@plait-fast-" + std::to_string(::getpid())));
  DatagramSocket other(Address::unixSocket("@plait-slow-" + std::to_string(::getpid())));
  auto texts = numbered(2000);
  auto letters = batchOf(texts, other.localAddress());

  auto sender = spawn([&one, &letters] { one.sendMany(letters); });
  settle();
  const bool parked = !sender.isReady();
  std::size_t inOrder = 0;
  while (inOrder < texts.size() && receiveFrom(other).text == texts[inOrder]) ++inOrder;

  CHECK(parked);
  CHECK(inOrder == texts.size());
  sender.get();
}

}  // namespace
}  // namespace plait::test
